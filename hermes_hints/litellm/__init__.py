"""LiteLLM's proxy acts on hints: a callback that is enabled by one line of its configuration.

::

    litellm_settings:
      callbacks: [hermes_hints.litellm.hermes_hints]

It fills LiteLLM's own fields with the record of each request (end user, session, traces, spend rows), chooses the model
group by a rule file if there is one, and takes out of the request what no provider should see.
"""

from __future__ import annotations

import functools

__all__: list[str] = []

hermes_hints: object
"""The callback; made by `__getattr__`, and so not among what ``import *`` brings: it needs a running proxy."""


def __getattr__(name: str) -> object:
    """The callback, made when LiteLLM first asks for it: its configuration is read by then.

    Raises:
        ConfigError: ``callback_settings: hermes_hints`` or the rule file says something wrong; the proxy does not start.
    """
    if name == "hermes_hints":
        return _callback()
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


@functools.cache
def _callback() -> object:
    from .callback import callback  # imports litellm

    return callback()
