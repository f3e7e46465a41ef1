"""The operator's command line: ``hermes-hints …``, and ``hermes hints …`` inside Hermes; one parser for both.

Exit status: 0 all is well; 1 there is something to mend; 2 the command line or the configuration is wrong.
"""

from __future__ import annotations

from .commands import add_commands, main, run, run_in_host

__all__ = ["add_commands", "main", "run", "run_in_host"]
