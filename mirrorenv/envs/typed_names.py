"""What somebody may have meant who typed a file where a module is meant, or a name that is not
quite right. Files are read for this and never run."""

from __future__ import annotations

import ast
import difflib
import pkgutil
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from mirrorenv.errors import ConfigError

__all__ = ["is_module", "meant_by", "refuse_dotted", "refuse_file"]

_LONGEST = 1 << 20  # bytes of a file that is looked into
_METHODS = {"reset", "step"}
_MAKERS = ("parallel_env", "env")


def refuse_file(typed: str) -> None:
    """Answer a file that was typed as a world with the words to type.

    Args:
        typed: as it was typed, `lamps.py` or `lamps`.

    Raises:
        ConfigError: if there is such a file.
    """
    path = Path(typed if typed.endswith(".py") else f"{typed}.py")
    try:
        found = path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return
    if not found:
        return
    module = ".".join(path.with_suffix("").parts)
    if path.is_absolute() or ".." in path.parts or not is_module(module):
        raise ConfigError(
            f"{typed} is a file, and a world is named as package.module:Env: go to its folder and "
            f"type {path.stem}:{_environments(path)[0]}"
        )
    words = " or ".join(f"{module}:{name}" for name in _environments(path))
    raise ConfigError(f"{path} is a file, and a world is named as package.module:Env: type {words}")


def refuse_dotted(typed: str) -> None:
    """Answer a class that was typed behind its module and a dot with the words to type. Nothing is
    imported to find it out.

    Args:
        typed: as it was typed, `lamps.Lamps`.

    Raises:
        ConfigError: if there is a module, or a package, of the first name.
    """
    module, dot, name = typed.rpartition(".")
    if not (dot and name.isidentifier() and is_module(module)):
        return
    first = module.partition(".")[0]
    if first in _modules_here() or PathFinder.find_spec(first) is not None:
        raise ConfigError(
            f"no world is called '{typed}'. What stands in a module is typed after a colon: "
            f"{module}:{name}"
        )


def meant_by(code: str) -> str:
    """What `package.module:Name` may have been meant for; empty where nothing is close.

    Args:
        code: a name whose module or attribute does not exist.
    """
    module, _, attribute = code.partition(":")
    if not is_module(module):
        here = Path(module).stem
        return (
            f". A module is a name and no path: go to its folder and type {here}:{attribute}"
            if here.isidentifier()
            else ". A module is a name and no path"
        )
    loaded = sys.modules.get(module)
    if loaded is not None:  # it is the attribute that is missing
        names = [name for name in vars(loaded) if not name.startswith("_")]
        close = difflib.get_close_matches(attribute, names, n=3, cutoff=0.5)
        return _question([f"{module}:{name}" for name in close])
    parent, _, last = module.rpartition(".")
    near = _modules_of(parent) if parent else _modules_here()
    close = difflib.get_close_matches(last, near, n=3, cutoff=0.6)
    if not parent and not close:
        installed = [one.name for one in pkgutil.iter_modules()]
        close = difflib.get_close_matches(last, installed, n=3, cutoff=0.8)
    found = [f"{parent}.{name}" if parent else name for name in close]
    return _question([f"{name}:{attribute}" for name in found])


def _question(names: list[str]) -> str:
    return f". Did you mean {' or '.join(names)}?" if names else ""


def _modules_here() -> list[str]:
    """Modules and packages of the working folder."""
    files = [path.stem for path in Path().glob("*.py")]
    return [*files, *(path.parent.name for path in Path().glob("*/__init__.py"))]


def _modules_of(package: str) -> list[str]:
    """Modules of a package that is imported already; nothing is imported for a message."""
    places = getattr(sys.modules.get(package), "__path__", None)
    return [] if places is None else [one.name for one in pkgutil.iter_modules(places)]


def is_module(module: str) -> bool:
    """Whether it may be a module's name: `package.module`."""
    return all(part.isidentifier() for part in module.split("."))


def _environments(path: Path) -> list[str]:
    """Classes of a file that look like environments, and functions that are called like makers of
    one; `Env` if there are none."""
    try:
        if path.stat().st_size > _LONGEST:
            return ["Env"]
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return ["Env"]
    names = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            methods = {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
            if methods >= _METHODS:
                names.append(node.name)
        elif isinstance(node, ast.FunctionDef) and node.name in _MAKERS:
            names.append(node.name)
    return names[:3] or ["Env"]
