"""Log lines that are said once."""

from __future__ import annotations

import logging
from pathlib import Path

__all__ = ["explained", "forget", "logger", "once"]

logger = logging.getLogger("hermes_hints")

_MOST = 1024
_said: set[tuple[object, ...]] = set()


def once(
    level: int,
    key: tuple[object, ...],
    message: str,
    *args: object,
    cause: BaseException | None = None,
    private: bool = False,
) -> None:
    """Log ``message`` at ``level`` the first time ``key`` is seen in this process; at DEBUG from then on.

    ``cause`` is appended as `explained`, and its traceback goes to DEBUG. At most 1,024 keys are remembered; a process that
    says more than that starts over.
    """
    if key in _said:
        level = logging.DEBUG
    else:
        if len(_said) >= _MOST:
            _said.clear()
        _said.add(key)
    if not logger.isEnabledFor(level):
        return
    if cause is None:
        logger.log(level, message, *args)
        return
    logger.log(level, message + " (%s)", *args, explained(cause, private=private))  # noqa: G003 - one line, cause last
    logger.debug("traceback of the above", exc_info=cause)


def explained(cause: BaseException, *, private: bool) -> str:
    """An exception's type and text; with ``private`` its place instead of its text, which may quote an identity."""
    if not private:
        try:
            return f"{type(cause).__name__}: {cause!s:.500}"
        except Exception as unsayable:  # noqa: BLE001 - a plugin's error may have any way of saying itself
            return f"{type(cause).__name__}, which cannot be written out: {type(unsayable).__name__}"
    place = cause.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f" at {Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}"
    return f"{type(cause).__name__}{where}"


def forget(key: tuple[object, ...]) -> None:
    """Let ``key`` be said again, as after a plugin is loaded anew."""
    _said.discard(key)
