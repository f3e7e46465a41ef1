"""hermes-hints from the plugins directory: for a Hermes in whose environment the package is installed or linked here."""

import sys
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]

try:
    from hermes_hints.hermes import register
except ModuleNotFoundError as error:
    if error.name != "hermes_hints" or not (_CHECKOUT / "hermes_hints" / "__init__.py").is_file():
        message = f"{error}; install the package into Hermes' own environment: pip install hermes-hints"
        raise ImportError(message) from error
    sys.path.append(str(_CHECKOUT))  # this folder is a link into a checkout
    from hermes_hints.hermes import register

__all__ = ["register"]
