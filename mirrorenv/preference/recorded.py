"""Settings under the names that they once had: read from recorded runs, refused where they are
typed.

Version 1 is everything without a `version` in its `config.json`. It differs from version 2 in
names only, so a recorded run can be read, exported and resumed; its folder is not rewritten.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mirrorenv.errors import RunFolderError
from mirrorenv.preference.renamed import RENAMED, Renamed, new_word
from mirrorenv.preference.settings import PreferenceSettings

__all__ = ["VERSION", "config_of", "config_today", "recorded_settings"]

VERSION = 2
_NO_SETTINGS = ("version", "room", "first_texts")


def config_today(config: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded configuration in the form in which it would be written today.

    Args:
        config: of a run folder, of any version.

    Raises:
        RunFolderError: for a version that is newer than this package.
    """
    version = config.get("version", 1)
    if version == VERSION:
        return dict(config)
    if version != 1:
        raise RunFolderError(
            f"the run was made by another mirrorenv (configuration version {version}, this one "
            f"knows up to {VERSION}); upgrade mirrorenv"
        )
    values = dict(config)
    for one in RENAMED:
        _rename(values, one)
    return {**values, "version": VERSION}


def recorded_settings(config: Mapping[str, Any]) -> PreferenceSettings:
    """The settings of a run folder, whatever version wrote it.

    Args:
        config: of the folder.

    Raises:
        RunFolderError: for a version that is newer than this package.
        ConfigError: for a value that no version knows.
    """
    values = config_today(config)
    for name in _NO_SETTINGS:
        values.pop(name, None)
    return PreferenceSettings.checked(values)


def config_of(settings: PreferenceSettings, first_texts: str | None) -> dict[str, Any]:
    """What a run folder remembers of a run.

    Args:
        settings: of the run.
        first_texts: hash of the texts of a pair file; None for texts of its own.
    """
    config: dict[str, Any] = settings.model_dump(mode="json")
    if config["learning"]["weights"] == "adapters":  # came later, and is left out at its default
        del config["learning"]["weights"]
    return {**config, "version": VERSION, "room": "preference", "first_texts": first_texts}


def _rename(values: dict[str, Any], one: Renamed) -> None:
    """Move one entry, in place; both names are in the same table."""
    table, _, name = one.old.rpartition(".")
    place = values
    if table:
        place = dict(values.get(table, {}))
        values[table] = place
    if name in place:
        value = place.pop(name)
        place[one.new.rpartition(".")[2]] = new_word(one, value)
