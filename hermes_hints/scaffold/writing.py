"""Writing a new hint plugin."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Literal

from ..errors import ConfigError
from .names import plugin_name
from .templates import FOLDER, PACKAGE

__all__ = ["Kind", "write_plugin"]

Kind = Literal["folder", "package"]
"""What is put into a directory of Hermes, or what pip installs."""

_FILES: Mapping[Kind, Mapping[str, str]] = {"folder": FOLDER, "package": PACKAGE}


def write_plugin(name: str, directory: Path, kind: Kind = "folder") -> list[Path]:
    """Write a new hint plugin into a folder of its name in ``directory``, which is made where it is missing.

    The folder and the files that were written are returned.

    Raises:
        ConfigError: the name does not do, there is something of that name already (nothing is overwritten), or the folder
            cannot be written (nothing is left of it).
    """
    chosen = plugin_name(name)
    title = chosen.name.replace("-", " ").capitalize()
    folder = directory / chosen.name
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        msg = f"name: {folder} is there already, and nothing is overwritten; choose another name or another --directory"
        raise ConfigError(msg) from None
    except OSError as error:
        msg = f"--directory: {directory} cannot be written to ({error.strerror}); choose one that can"
        raise ConfigError(msg) from error
    written = [folder]
    try:
        for place, content in _FILES[kind].items():
            file = folder / _filled(place, chosen.name, chosen.module, title)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_filled(content, chosen.name, chosen.module, title), "utf-8")
            written.append(file)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        msg = f"--directory: {directory} cannot be written to ({error.strerror}); nothing is left in it"
        raise ConfigError(msg) from error
    return written


def _filled(text: str, name: str, module: str, title: str) -> str:
    return Template(text).substitute(name=name, module=module, title=title)
