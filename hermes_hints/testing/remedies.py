"""What an author should change, for each thing that a hint plugin can do wrong."""

from __future__ import annotations

from ..settings import Settings
from .calls import FakeCall
from .faults import Fault, own_traceback

__all__ = ["BUDGET_MS", "explained"]

BUDGET_MS = Settings().budget_ms
"""What all hint plugins of an operator together have for one call, in milliseconds, unless the operator sets another."""

_REMEDIES = (
    (
        "is an identity field",
        "Leave it out: who is calling is for the host and the caller to say, and what a plugin says of it is dropped.",
    ),
    (
        "no field of Hints",
        "Use a field of hermes_hints.Hints, or a key of your own with a dot, such as 'acme.region', which goes into ext.",
    ),
    ("returned what cannot be sent", "Keep to the limits of hermes_hints.Hints; leave out what does not fit."),
    ("returned", "Return Hints, a mapping of their fields, or None; and write a plain function, no coroutine."),
    (
        "raised in contribute_hints",
        "Every field of call and identity may be None, and call.user_text() too. Return None where there is nothing to say.",
    ),
    ("raised in request_stamped", "Take what is there: record and carriers hold only what this call has."),
    ("took more than", "Do slow work in configure, or in a thread of your own that keeps the answer ready."),
    (
        "refuses its settings",
        "Work with defaults where you can; where you cannot, raise hermes_hints.ConfigError naming the key and the remedy.",
    ),
    (
        "could not be loaded",
        "Importing the plugin has to succeed, and to find functions that are marked with hookimpl.",
    ),
    ("declares no usable profile", "Declare profiles as docs/reference/hooks.md shows, each with a dot in its name."),
)


def explained(fault: Fault, call: FakeCall | str | None = None) -> str:
    """A fault, the call that brought it about, what to change, and the plugin's own traceback."""
    remedy = next((remedy for mark, remedy in _REMEDIES if mark in fault.what), "")
    when = "" if call is None else f", for {call}"
    lines = [f"the plugin {fault}{when}.", remedy]
    if fault.cause is not None:
        lines += ["", own_traceback(fault.cause)]
    return "\n".join(lines).rstrip()
