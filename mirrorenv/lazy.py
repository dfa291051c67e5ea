"""Facades: packages whose public names are listed once, in a typed stub, and imported when asked
for.

The stub `__init__.pyi` beside a package's `__init__.py` is what type checkers read. The same
file says at run time which module holds which name, so that neither list can drift from the other.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from mirrorenv.errors import require

__all__ = ["facade", "read_stub"]

Facade = tuple[Callable[[str], object], Callable[[], list[str]], list[str]]
"""`__getattr__`, `__dir__` and `__all__` of a package."""


def facade(
    package: str,
    file: str,
    *,
    needs: Mapping[str, str] | None = None,
    light: tuple[str, ...] = (),
    spared: Mapping[str, tuple[str, ...]] | None = None,
    renamed: Mapping[str, str] | None = None,
) -> Facade:
    """What a package needs to import its public names when they are first asked for.

    Args:
        package: its `__name__`.
        file: its `__file__`; the stub lies beside it.
        needs: import name of what must be installed -> the extra that brings it.
        light: modules of the package that need none of that.
        spared: what must be installed for the others -> modules of the package that do without it.
        renamed: names that the package had once -> what to write now.

    Returns:
        `__getattr__`, `__dir__` and `__all__`. The first raises AttributeError for a name the
        package does not have, and MissingExtraError where an extra is missing.
    """
    homes = read_stub(Path(file).with_suffix(".pyi"))
    names = sorted(homes)
    needs_nothing = {f"{package}.{module}" for module in light}
    without: dict[str, list[str]] = {}
    for needed, modules in (spared or {}).items():
        without[needed] = [f"{package}.{module}" for module in modules]

    def attribute(name: str) -> object:
        if name in (renamed or {}):
            raise AttributeError(f"{package}.{name} is gone: write {(renamed or {})[name]}")
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        home = homes[name]
        if home == package:  # a package inside this one
            return import_module(f"{package}.{name}")
        if home not in needs_nothing:
            for module, extra in (needs or {}).items():
                if home not in without.get(module, ()):
                    require(module, extra)
        return getattr(import_module(home), name)

    def listed() -> list[str]:
        return names

    return attribute, listed, names


def read_stub(stub: Path) -> dict[str, str]:
    """Public name -> module it is imported from, in a stub of `from module import name as name`
    lines.

    Args:
        stub: a file `__init__.pyi`; other statements in it are passed over.
    """
    return {
        alias.name: node.module
        for node in ast.parse(stub.read_text("utf-8")).body
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for alias in node.names
    }
