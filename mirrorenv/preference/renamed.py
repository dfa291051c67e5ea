"""Settings that once had other names: the names, and what is said where they are typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mirrorenv.errors import ConfigError

__all__ = ["RENAMED", "Renamed", "new_word", "refuse_old_names"]


@dataclass(frozen=True)
class Renamed:
    """A setting that has another name since version 2.

    Attributes:
        old: dotted name in version 1.
        new: dotted name now.
        values: old values and what they are called now, where that changed too.
    """

    old: str
    new: str
    values: Mapping[str, str] = field(default_factory=dict)


# The last part of a name is renamed before the table that it is in.
RENAMED = (
    Renamed("road", "method", {"pairs": "dpo", "head": "grpo"}),
    Renamed("head.natural", "head.naturalness"),
    Renamed("head", "grpo"),
    Renamed("learning.pairs", "learning.batch_size"),
    Renamed("learning.enough", "learning.stop_at"),
)


def refuse_old_names(values: Mapping[str, Any]) -> None:
    """Check that no setting is given under a name that it no longer has.

    Args:
        values: nested settings, as typed.

    Raises:
        ConfigError: that names the setting's new name, and the value's.
    """
    for one in RENAMED:
        table, _, name = one.old.rpartition(".")
        place = values.get(table) if table else values
        if isinstance(place, Mapping) and name in place:
            new = one.new.replace("head.", "grpo.")
            raise ConfigError(
                f"setting '{one.old}' is called '{new}' now: write {new}="
                f"{_new_value(one, place[name])}"
            )


def _new_value(one: Renamed, value: Any) -> str:
    if isinstance(value, Mapping):
        return "{...}"
    return str(new_word(one, value))


def new_word(one: Renamed, value: Any) -> Any:
    """A recorded value as it is called today."""
    return one.values.get(value, value) if isinstance(value, str) else value
