"""What older versions have written, read as today's: settings, shapes and names of weights.

This is the one place that knows old names. Whatever is recorded carries a `version`; what has
none is of version 1. A step for each version turns it into the next one's, and leaves alone what is
that way already. What a user types is never migrated: an old name there is refused with the new one
named (`StrictModel.renamed`).

A recorded configuration that does not name a setting means what that setting's absence meant when
it was written. So a new setting is added with a default that is the old behaviour, or with a step
here that says what its absence meant; and a configuration that names no kind of update means the
plain path (proximal policy optimisation by Adam over whole episodes, nothing recompiled, no other
arithmetic), for ever: recorded runs retrain to the same bytes.

Version 2 calls `population.trunk` `population.actor`, the weights `planner.` and `head.`
`actor.` and `observers.`, and the optimiser `planner` `actor`. With `diversity`, the
networks of each agent's own are in `actor.own.`. A shape says `actions` where it said
`num_actions` or `action_size`.

Version 4 draws in held-out episodes what follows from the seed; what is older and does not name
`evaluation.draws` means `common`, the same draws under every seed.

Version 3 evaluates fewer episodes before the last evaluation than in it; what is older and does not
name `evaluation.episodes_before_last` means 0, as many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from mirrorenv.errors import ConfigError
from mirrorenv.population.settings import Draws

__all__ = [
    "VERSION",
    "is_recorded",
    "present_state",
    "present_weights",
    "read_draws",
    "read_population",
    "read_run",
    "read_shape",
]

VERSION = 4
"""Of what is written today."""
DRAWS: tuple[str, ...] = get_args(Draws)

Plain = dict[str, Any]
Weight = TypeVar("Weight")


def read_run(recorded: Mapping[str, Any]) -> Plain:
    """The settings of a run (`config.json` of its folder, or a row of a suite) by today's names.

    Args:
        recorded: what was written, with its `version` if it has one.

    Raises:
        ConfigError: if a later version wrote it.
    """
    settings = dict(recorded)
    version = _checked_version(settings.pop("version", 1))
    if isinstance(settings.get("population"), Mapping):
        settings["population"] = _through(_POPULATION, settings["population"], version)
    return _through(_RUN, settings, version)


def read_draws(recorded: Mapping[str, Any]) -> Draws:
    """What agents draw in the held-out episodes of a recorded run.

    Args:
        recorded: settings of a run, or what a checkpoint says of it.

    Raises:
        ConfigError: for a value that no version writes.
    """
    evaluation = read_run(recorded).get("evaluation", {})
    said = evaluation.get("draws", "own") if isinstance(evaluation, Mapping) else evaluation
    if said not in DRAWS:
        raise ConfigError(f"evaluation.draws is one of {', '.join(DRAWS)}, and not {said!r:.80}")
    return cast(Draws, said)


def read_population(recorded: Mapping[str, Any], version: Any = 1) -> Plain:
    """Settings of a population by today's names; arguments as `read_run`."""
    return _through(_POPULATION, recorded, _checked_version(version))


def read_shape(recorded: Mapping[str, Any], version: Any = 1) -> Plain:
    """A population's shape by today's names; arguments as `read_run`."""
    return _through(_SHAPE, recorded, _checked_version(version))


def present_weights(weights: Mapping[str, Weight]) -> dict[str, Weight]:
    """Recorded weights of a population under the names they have today; those stay as they are."""
    return _renamed(weights, prefix="")


def present_state(state: Any) -> Any:
    """RLlib's state of a run, a tree of plain containers, with today's names of weights and
    optimisers."""
    if isinstance(state, dict):
        return {
            key: present_state(value)
            for key, value in _renamed(state, prefix="population.").items()
        }
    if isinstance(state, list):
        return [present_state(value) for value in state]
    if isinstance(state, tuple):
        return tuple(present_state(value) for value in state)
    return state


def is_recorded(path: Path, values: Mapping[str, Any]) -> bool:
    """Whether a file of settings was written by a run and not by a person: it says its version, or
    is the `config.json` of a run folder."""
    return "version" in values or (
        path.name == "config.json" and path.with_name("run.json").is_file()
    )


# -- steps: each turns its version into the next one's -----------------------------------------


def _population_from_1(settings: Plain) -> Plain:
    if "trunk" in settings:
        settings.setdefault("actor", settings.pop("trunk"))
    return settings


def _run_from_2(settings: Plain) -> Plain:
    evaluation = settings.get("evaluation", {})
    if isinstance(evaluation, Mapping):
        settings["evaluation"] = {"episodes_before_last": 0, **evaluation}
    return settings


def _run_from_3(settings: Plain) -> Plain:
    evaluation = settings.get("evaluation", {})
    if isinstance(evaluation, Mapping):
        settings["evaluation"] = {"draws": "common", **evaluation}
    return settings


def _shape_from_1(shape: Plain) -> Plain:
    if "actions" in shape:
        return shape
    choices = shape.pop("num_actions", 0)
    size = shape.pop("action_size", 0)
    low = shape.pop("action_low", -1.0)
    high = shape.pop("action_high", 1.0)
    if choices:
        return {**shape, "actions": {"kind": "choice", "choices": choices}}
    return {**shape, "actions": {"kind": "vector", "size": size, "low": low, "high": high}}


Step = Callable[[Plain], Plain]
_POPULATION: dict[int, Step] = {1: _population_from_1}
_RUN: dict[int, Step] = {2: _run_from_2, 3: _run_from_3}
_SHAPE: dict[int, Step] = {1: _shape_from_1}


def _through(steps: Mapping[int, Step], recorded: Mapping[str, Any], version: int) -> Plain:
    settings = dict(recorded)
    for before in range(version, VERSION):
        if before in steps:
            settings = steps[before](settings)
    return settings


def _checked_version(version: Any) -> int:
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= VERSION:
        raise ConfigError(
            f"settings of version {version!r} were written by a later mirrorenv: this one reads "
            f"versions 1 to {VERSION}; install a newer one"
        )
    return version


# beginnings of names: weights, and in RLlib's state optimisers and their metrics
_WEIGHTS = {"planner.": "actor.", "head.": "observers."}
_OPTIMISERS = {
    "default_policy_planner": "default_policy_actor",
    "default_policy--planner_": "default_policy--actor_",
}
# networks of a policy that is a deviation from a common one are those of the actor inside
_INSIDE = ("trunk.", "policy.", "critics.")


def _renamed(tree: Mapping[Any, Weight], prefix: str) -> dict[Any, Weight]:
    """The same values under today's names; `prefix` stands before the names of weights."""
    starts = {prefix + old: prefix + new for old, new in _WEIGHTS.items()} | _OPTIMISERS
    renamed = {_restarted(key, starts): value for key, value in tree.items()}
    actor = prefix + "actor."
    if any(isinstance(key, str) and key.startswith(f"{actor}common.") for key in renamed):
        inside = {actor + part: f"{actor}own.{part}" for part in _INSIDE}
        renamed = {_restarted(key, inside): value for key, value in renamed.items()}
    return renamed


def _restarted(key: Any, starts: Mapping[str, str]) -> Any:
    if isinstance(key, str):
        for old, new in starts.items():
            if key.startswith(old):
                return new + key.removeprefix(old)
    return key
