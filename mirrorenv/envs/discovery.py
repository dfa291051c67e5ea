"""Finds the files that register worlds: those of this package, and those of installed packages.

This room's worlds are the modules of `envs/worlds/`. Another room of this package that brings
worlds says so in a module `registered_worlds`. All of them are imported, in the order of their
names, when a world is first asked for by its id. The rooms are found by looking at the folders and
are named nowhere, so this room knows no room above it: `debate-v0` comes in as the world of
an installed package does, and a later room with a world of its own needs no line here. Such a
module registers by `"package.module:Class"` where its world is costly to import.

(An entry point of our own in the group below would do the same, but only once the package is
installed: a checkout on `PYTHONPATH` would lack the world.)

A package of its own adds worlds without touching this one: it declares a Python entry point in the
group `mirrorenv.envs` that names a module (whose import calls
:func:`~mirrorenv.envs.world_spec.register`) or a function (which is called).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from pkgutil import iter_modules

from mirrorenv.envs import worlds

__all__ = ["PLUGIN_GROUP", "broken_plugins", "load_plugins", "load_worlds", "modules_of_rooms"]

PLUGIN_GROUP = "mirrorenv.envs"
_PACKAGE = "mirrorenv"
_IN_A_ROOM = "registered_worlds"
_BROKEN: dict[str, str] = {}
_worlds_loaded = False
_plugins_loaded = False


def load_worlds() -> None:
    """Let the rooms of this package register their worlds, once."""
    global _worlds_loaded
    if _worlds_loaded:
        return
    for name in (*_worlds_of_this_room(), *modules_of_rooms(_IN_A_ROOM)):
        import_module(name)
    _worlds_loaded = True  # not before: the next call meets a failure again


def _worlds_of_this_room() -> list[str]:
    return sorted(found.name for found in iter_modules(worlds.__path__, f"{worlds.__name__}."))


def modules_of_rooms(name: str) -> Iterator[str]:
    """Full names of the modules of this name in the rooms of this package; no room is imported to
    find them.

    Args:
        name: of a module, such as `registered_worlds`.
    """
    package = import_module(_PACKAGE)  # by name: this room imports no room above it
    for room in sorted(found.name for found in iter_modules(package.__path__) if found.ispkg):
        inside = [str(Path(folder) / room) for folder in package.__path__]
        if any(found.name == name for found in iter_modules(inside)):
            yield f"{_PACKAGE}.{room}.{name}"


def load_plugins() -> None:
    """Let installed packages register their worlds, once; a broken one is reported and skipped."""
    global _plugins_loaded
    if _plugins_loaded:
        return
    _plugins_loaded = True
    for point in entry_points(group=PLUGIN_GROUP):
        try:
            loaded = point.load()
            if callable(loaded):
                loaded()
        # third-party code: any exception is possible, and none may stop our worlds
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            _BROKEN[point.name] = reason
            message = (
                f"the plugin '{point.name}' ({point.value}) of group '{PLUGIN_GROUP}' did not "
                f"load: {reason}"
            )
            warnings.warn(message, RuntimeWarning, stacklevel=3)


def broken_plugins() -> dict[str, str]:
    """Plugins that did not load, with the reason."""
    load_plugins()
    return dict(_BROKEN)
