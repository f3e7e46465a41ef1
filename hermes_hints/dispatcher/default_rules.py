"""The rules for when no file is given."""

from __future__ import annotations

__all__ = ["DEFAULT_RULES"]

DEFAULT_RULES = """\
default: local-small

rules:
  - name: the user wants the cloud
    match: {user_intent: force-cloud}
    model: cloud-large

  - name: the user wants to stay local
    match: {user_intent: force-local}
    model: local-small

  - name: background work
    match:
      purpose: [title_generation, compression, summary, session_search, web_extract]
    model: local-tiny

  - name: in an experiment
    match:
      experiment_arm: {present: true}
    model: local-candidate

  - name: urgent
    match: {priority: high}
    model: local-large
"""
