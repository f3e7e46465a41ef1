"""``python -m hermes_hints.schema``: print the JSON Schema of the wire contract."""

from __future__ import annotations

import json
import sys

from . import schema

sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
