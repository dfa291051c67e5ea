"""Code that the user has named: the only code that may come from the working folder, or be imported
because a file of somebody else names it.

A name has the form `package.module:Name`. What stands on the command line or in a settings file
that a person wrote is named by the user. What stands in a checkpoint, a run folder or a result is
not: it may come from anybody.

The working folder is never on `sys.path`: libraries look for optional modules, and would take
them from any folder somebody has sent. A finder at the end of `sys.meta_path` looks there for the
modules that were named, and for what these import themselves.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

__all__ = ["code_in", "is_named", "name_code", "open_working_folder", "unnamed_code"]

_NAME = r"[^\W\d]\w*"
_CODE = re.compile(rf"{_NAME}(?:\.{_NAME})*:{_NAME}(?:\.{_NAME})*")
_NAMED: set[str] = set()
_SCRIPT = "<run_path>"  # what a file of the user's is called that `runpy` runs


def name_code(text: str) -> None:
    """Note every `package.module:Name` in a text as named by the user.

    Args:
        text: as it was typed, e.g. `"worlds.lamps:Lamps"` or `"world=lamps:Lamps"`.
    """
    _NAMED.update(_CODE.findall(text))
    _NAMED.update(one for one in (text, text.partition("=")[2]) if ":" in one)


def is_named(name: str) -> bool:
    """Whether the user has named this very `package.module:Name`."""
    return name in _NAMED


def code_in(value: Any) -> list[str]:
    """Every text of the form `package.module:Name` in nested lists and mappings, in order.

    Whatever has a colon counts: a module may have any name, `x-y:z` imports a file `x-y.py`.

    Args:
        value: anything that JSON can hold.
    """
    if isinstance(value, str):
        return [value] if ":" in value else []
    if isinstance(value, Mapping):
        parts: Iterable[Any] = (*value.keys(), *value.values())
    elif isinstance(value, Sequence):
        parts = value
    else:
        return []
    found: list[str] = []
    for part in parts:
        found += code_in(part)
    return found


def unnamed_code(value: Any) -> list[str]:
    """What :func:`code_in` finds and the user has not named, each once."""
    return [name for name in dict.fromkeys(code_in(value)) if name not in _NAMED]


class _WorkingFolder:
    """Finds the named top-level modules in one folder, and what they import from it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.served = {_SCRIPT}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module is; None for what was not named."""
        if path is not None:  # inside a package, which knows its own folder
            return None
        if name not in self._named() and _importer() not in self.served:
            return None
        found = PathFinder.find_spec(name, [self.folder], target)
        if found is not None:
            self.served.add(name)
        return found

    def _named(self) -> set[str]:
        return {code.partition(":")[0].partition(".")[0] for code in _NAMED}


def _importer() -> str:
    """Top-level name of the module whose import is under way."""
    frame = sys._getframe(1)
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name != __name__ and name.partition(".")[0] != "importlib":
            return name.partition(".")[0]
        if frame.f_back is None:
            break
        frame = frame.f_back
    return ""


def open_working_folder(words: Iterable[str]) -> None:
    """Let the modules that a command line names be imported from the working folder.

    Args:
        words: of the command line.
    """
    for word in words:
        name_code(word)
    try:
        folder = os.getcwd()
    except OSError:  # it was removed: nothing is there to import
        return
    if not any(isinstance(one, _WorkingFolder) and one.folder == folder for one in sys.meta_path):
        sys.meta_path.append(_WorkingFolder(folder))
