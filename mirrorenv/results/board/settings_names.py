"""Recorded settings under today's names, as far as a leaderboard compares them.

Results are data of all ages. A setting that was renamed does not make another line of the board,
nor does the version that a configuration says it is of, nor a later setting at the value that its
absence meant. :mod:`mirrorenv.population.migration` is the whole story, for those who run them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from mirrorenv.results.folders.schema import Result

__all__ = ["comparable", "present_settings", "settings_key"]

_SINCE_DRAWS = 4  # the first version that says what agents draw in held-out episodes
_RENAMED = {"trunk": "actor"}  # in `population`
# settings that came later, at what their absence meant
_ABSENT: tuple[tuple[tuple[str, ...], tuple[Any, ...]], ...] = (
    (("population", "auxiliaries"), ([], None)),
    (("population", "actor_options"), ({}, None)),
    (("population", "diversity"), (None,)),
    (("evaluation", "draws"), ("common",)),
)


def present_settings(run: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a run by today's names, without the version they were written by.

    Args:
        run: from the configuration of a result, or the settings of a row of a suite: a row names
            no version, so that it asks for what its absence means for as long as it exists.
    """
    settings = {name: value for name, value in run.items() if name != "version"}
    population = settings.get("population")
    if isinstance(population, Mapping):
        settings["population"] = {_RENAMED.get(name, name): one for name, one in population.items()}
    evaluation = settings.get("evaluation")
    if isinstance(evaluation, Mapping) and "draws" not in evaluation:
        version = run.get("version", 1)
        old = isinstance(version, int) and version < _SINCE_DRAWS
        settings["evaluation"] = {**evaluation, "draws": "common" if old else "own"}
    return settings


def comparable(run: Mapping[str, Any]) -> dict[str, Any]:
    """The same without later settings at the values that change nothing, and without what says
    only where it was computed."""
    settings = present_settings(run)
    settings.pop("resources", None)
    for (room, name), idle in _ABSENT:
        held = settings.get(room)
        if isinstance(held, Mapping) and name in held and held[name] in idle:
            settings[room] = {key: value for key, value in held.items() if key != name}
    return settings


def settings_key(result: Result) -> str:
    """Eight hex digits of everything but the seed: what is different here is another line."""
    config = dict(result.config)
    if isinstance(config.get("run"), dict):
        config["run"] = comparable(config["run"])
    content = {
        "config": _without_seeds(config),
        "readers": [one.model_dump() for one in result.readers],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:8]


def _without_seeds(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _without_seeds(one)
            for name, one in value.items()
            if name not in ("seed", "seeds")
        }
    return value
