"""Options that stand for a setting: `--weight 0.5` is `--set mirror.weight=0.5`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import typer

from mirrorenv.strict import merged

__all__ = ["chosen"]


def chosen(
    options: Mapping[str, tuple[str, object]], overrides: Iterable[str] | None
) -> dict[str, Any]:
    """The settings that were given by options of their own.

    Args:
        options: dotted setting and value by option, e.g. `{"--seed": ("seed", 3)}`; None for what
            was not given.
        overrides: what `--set` was given.

    Returns:
        nested values.

    Raises:
        BadParameter: if `--set` gives one of them as well.
    """
    typed = {text.partition("=")[0].strip() for text in overrides or ()}
    found: dict[str, Any] = {}
    for option, (setting, value) in options.items():
        if value is None:
            continue
        if again := _given_again(setting, typed):
            raise typer.BadParameter(
                f"{option} and --set {again}=... give the same setting: leave one of them out"
            )
        nested: Any = value
        for part in reversed(setting.split(".")):
            nested = {part: nested}
        found = merged(found, nested)
    return found


def _given_again(setting: str, typed: Iterable[str]) -> str | None:
    """What `--set` was given for the same setting, or for the section that holds it."""
    for name in typed:
        if setting == name or setting.startswith(f"{name}.") or name.startswith(f"{setting}."):
            return name
    return None
