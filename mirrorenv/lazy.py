"""Facades that import a name when it is first asked for, and answer a missing extra with the pip
line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from mirrorenv.errors import require

__all__ = ["lazily"]


def lazily(
    package: str,
    homes: Mapping[str, str],
    *,
    needs: Mapping[str, str] | None = None,
    light: tuple[str, ...] = (),
) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package whose public names live in its modules.

    Args:
        package: its ``__name__``.
        homes: public name -> module of the package that holds it.
        needs: import name of what must be installed -> the extra that brings it.
        light: modules that need none of that.

    Returns:
        a function from a name to what it stands for. It raises AttributeError for a name the
        package does not have, and MissingExtraError where an extra is missing.
    """

    def attribute(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        if homes[name] not in light:
            for module, extra in (needs or {}).items():
                require(module, extra)
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return attribute
