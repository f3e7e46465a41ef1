"""Which endpoints were recognised by their answers, in this process or an earlier one."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from ..notices import once
from ..state_file import replace_json
from .builtin import BUILTIN
from .declaration import Profile

__all__ = ["LOOK_AGAIN_SECONDS", "Learned"]

LOOK_AGAIN_SECONDS = 60.0
"""After an answer that says nothing, an endpoint's next ones are not looked at for so long."""

_LITELLM = "litellm"
_MARK = "x-litellm-"
_READS_HINTS = "x-hermes-hints"
_VERSION = 1
_MOST = 1024
_MOST_BYTES = 1 << 20
_GOOD = range(200, 300)


class Learned:
    """The origins that answered with ``x-litellm-*`` headers, as a LiteLLM proxy does.

    They are known from the first such answer on and kept in a file, which holds origins and nothing else. Bounded, safe
    under threads.
    """

    __slots__ = ("_file", "_looked", "origins")

    def __init__(self) -> None:
        self._file: Path | None = None
        self._looked: dict[object, float] = {}
        self.origins: frozenset[str] = frozenset()
        """Another object whenever it changes, so that whoever has used it can tell."""

    def keep_in(self, file: Path) -> None:
        """Take over what ``file`` holds instead of what is known, and write there from now on. Never raises."""
        if file == self._file:
            return
        self._file = file
        self._looked = {}
        self.origins = _read(file)

    def profile(self, origin: str) -> Profile | None:
        """The profile of an origin that was recognised."""
        return BUILTIN[_LITELLM] if origin in self.origins else None

    def due(self, place: object) -> bool:
        """Whether the next answer from ``place``, any key of a base URL, is to be looked at; then not for a while."""
        now = time.monotonic()
        if now < self._looked.get(place, 0.0):
            return False
        if len(self._looked) >= _MOST:
            self._looked.clear()
        self._looked[place] = now + LOOK_AGAIN_SECONDS
        return True

    def seen(self, origin: str, place: object, status: int, names: Iterable[str]) -> None:
        """Learn from an answer's status and the names of its headers.

        A receiver that says it reads hints is no plain LiteLLM, whatever stands behind it: it takes them out itself.
        """
        found = [name.lower() for name in names]
        if any(name.startswith(_MARK) for name in found):
            if _READS_HINTS not in found:
                self._add(origin)
        elif status not in _GOOD:
            self.overlooked(place)  # something on the way may have answered

    def overlooked(self, place: object) -> None:
        """Nothing was answered that tells: look at the next one."""
        self._looked.pop(place, None)

    def _add(self, origin: str) -> None:
        if origin in self.origins:
            return
        self.origins = frozenset([*list(self.origins)[: _MOST - 1], origin])
        once(
            logging.WARNING,
            ("learned", origin),
            "hermes-hints: %s answers as LiteLLM does and has the profile litellm from now on; to decide otherwise, name it in "
            "endpoints",
            origin,
        )
        if self._file is not None:
            _write(self._file, self.origins)


def _read(file: Path) -> frozenset[str]:
    try:
        with file.open("rb") as stream:
            found: object = json.loads(stream.read(_MOST_BYTES))
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError, RecursionError) as error:
        message = "hermes-hints: what was recognised before is not known: %s cannot be read"
        once(logging.WARNING, ("learned", "read"), message, file, cause=error)
        return frozenset()
    content: Mapping[str, object] = cast("Mapping[str, object]", found) if isinstance(found, dict) else {}
    listed = content.get(_LITELLM) if content.get("v") == _VERSION else None
    origins = cast("list[object]", listed) if isinstance(listed, list) else []
    return frozenset([origin for origin in origins if isinstance(origin, str)][:_MOST])


def _write(file: Path, origins: frozenset[str]) -> None:
    """Put the origins into the file beside those of other processes; mode 0600, in one step. Never raises."""
    listed = sorted(origins | _read(file))[:_MOST]
    try:
        replace_json(file, {"v": _VERSION, _LITELLM: listed})
    except (OSError, ValueError) as error:
        message = "hermes-hints: what was recognised is forgotten when this process ends: %s cannot be written"
        once(logging.WARNING, ("learned", "write"), message, file, cause=error)
