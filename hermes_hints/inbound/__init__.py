"""The other way in: a server that takes who is calling from its callers' headers, as the Hermes API server should.

`Admission` says what a request must show before it may name anybody, and reads what it says; `asgi.Inbound` and the
middleware of `aiohttp` put that before an application and attribute everything that a request brings about.
"""

from __future__ import annotations

from .admission import IDENTITY, MAX_CHARS, Admission, Admitted, Refused, check_mapped

__all__ = ["IDENTITY", "MAX_CHARS", "Admission", "Admitted", "Refused", "check_mapped"]
