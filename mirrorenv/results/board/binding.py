"""Is a result of a suite the result of its row? What a row fixes is compared with what the folder
says and holds, so that nothing else stands on the board under the row's name.

Of every row: kind, readers, figures with titles and directions, conditions, kinds of agents and
what is exact, pinned in `row_pins.json`. Of a trained row besides: the settings, those that the
row leaves out at the defaults in `run_defaults.json` (`benchmarks/suites/pins.py` writes both);
the number of episodes, the world seeds that follow from (seed, episode), all observers, equal
evidence for equal trajectories, and different steps or evidence for different seeds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from mirrorenv.errors import ResultError
from mirrorenv.results.board.settings_names import present_settings
from mirrorenv.results.board.suite import Suite, SuiteRow
from mirrorenv.results.folders.lineups import numbers, table_of
from mirrorenv.results.folders.result_folder import ResultFolder
from mirrorenv.results.folders.schema import Result
from mirrorenv.results.folders.tables import Table

__all__ = ["check_binding", "evidence_digest", "leaves", "words_of"]

HELD_OUT = 1 << 31
"""First id of a held-out episode."""
SEED = 1_000_000
"""Of the fresh episodes of a trained row."""
FREE = ("world", "seed", "validate_world", "evaluation.episodes_before_last", "resources.")
"""Settings, and beginnings of settings, that decide nothing, or that stand in the row itself."""
ASIDE = "versions, commit, date, links and device are what the sender says"
_TABLES = {"beliefs", "episodes", "labels", "steps", "trials"}
SPREAD = 1e-3
"""Nats by which the evidence of equal trajectories may differ: another batch's sums."""


def words_of(result: Result) -> str:
    """SHA-256 of what a row says about itself: it is the same for all seeds of a row."""
    content = {
        "kind": result.kind,
        "streams": result.streams,
        "readers": [one.model_dump() for one in result.readers],
        "figures": [one.model_dump(exclude={"about"}) for one in result.figures],
        "entries": [one.model_dump() for one in result.entries],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@cache
def _pins() -> dict[str, dict[str, list[str]]]:
    text = files("mirrorenv.results.board").joinpath("row_pins.json").read_text("utf-8")
    found: dict[str, dict[str, list[str]]] = json.loads(text)
    return found


def check_binding(folder: Path, result: Result, suite: Suite, row: SuiteRow) -> list[str]:
    """Hold a result to its row.

    Args:
        folder: of the result; its files, scores and steps were verified before.
        result: what it says.
        suite: that it is of.
        row: of the suite.

    Returns:
        what could not be checked, in words.

    Raises:
        ResultError: if it is not what the row gives; the message names the first difference.
    """
    unchecked = []
    pinned = _pins().get(suite.hash, {}).get(row.row)
    if suite.hash not in _pins():
        unchecked.append(
            f"suite '{suite.name}', hash {suite.hash[:12]}, is none that this version came with: "
            "its rows are what its file says, whoever wrote it"
        )
    elif pinned is None:
        unchecked.append(
            f"the words of row '{row.row}' are pinned nowhere: conditions, titles, directions and "
            "kinds of agents are the sender's"
        )
    elif words_of(result) not in pinned:
        raise ResultError(
            f"{folder}: kind, readers, conditions, agents, titles, directions or what is exact are "
            f"not those of row '{row.row}' of suite '{suite.name}'"
        )
    if row.runner != "trained":
        _same_arguments(folder, result, row)
        return [*unchecked, ASIDE, "unproved: the rows of this result can only be measured again"]
    if result.kind != "population":
        raise ResultError(
            f"{folder} is of kind '{result.kind}', and row '{row.row}' is a training: its result "
            "is of kind 'population'"
        )
    _right_title(folder, result)
    told = _same_settings(folder, result, row)
    _right_episodes(folder, result, row, told)
    return [*unchecked, ASIDE]


def _same_arguments(folder: Path, result: Result, row: SuiteRow) -> None:
    said = result.config.get("arguments", {})
    if said != row.arguments:
        raise ResultError(
            f"{folder}: config.arguments are not those of row '{row.row}': {_short(said)} where "
            f"{_short(row.arguments)} belongs"
        )


@cache
def _defaults() -> dict[str, Any]:
    """What a setting is that no one sets, by its dotted name."""
    text = files("mirrorenv.results.board").joinpath("run_defaults.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _same_settings(folder: Path, result: Result, row: SuiteRow) -> dict[str, Any]:
    """What the row sets is what the run was set to, the rest is at its defaults, and its seed is
    the result's; returns the settings by dotted name."""
    run = result.config.get("run")
    if not isinstance(run, dict):
        raise ResultError(f"{folder}: config.run does not say the settings of the run")
    wanted = {"evaluation": {}, **row.arguments.get("settings", {})}
    wanted |= {"world": row.world, "seed": result.seeds[0]}
    told = dict(leaves(present_settings(run)))
    asked = {**_defaults(), **dict(leaves(_filled(present_settings(wanted))))}
    for name, value in leaves(_filled(present_settings(wanted))):
        if name not in told or told[name] != value:
            raise ResultError(
                f"{folder}: the run had {name} = {_short(told.get(name))}, and row '{row.row}' "
                f"asks for {_short(value)}"
            )
    for name, value in told.items():
        if not name.startswith(FREE) and (name not in asked or asked[name] != value):
            raise ResultError(
                f"{folder}: the run had {name} = {_short(value)}, and row '{row.row}' leaves it at "
                f"{_short(asked.get(name))}"
            )
    if strange := sorted(result.config.keys() - {"run", "env_steps", "episodes", "seed"}):
        raise ResultError(f"{folder}: config.{strange[0]} is nothing that a training says")
    for name, value in (("episodes", row.arguments.get("episodes")), ("seed", SEED)):
        if result.config.get(name) != value:
            raise ResultError(
                f"{folder}: {name} = {_short(result.config.get(name))}, and row '{row.row}' asks "
                f"for {_short(value)}"
            )
    return told


def _filled(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a row with what decides what agents are paid, where a row leaves it out."""
    paid = {"weight": 1.0, "credit": "author", "timing": "dense", "control": "none"}
    return {**settings, "mirror": {**paid, "reward": "mirror", **settings.get("mirror", {})}}


def _right_title(folder: Path, result: Result) -> None:
    """A title says world, condition and seed, in these words."""
    (seed,) = result.seeds
    title = f"{result.world}, {result.entries[0].condition}, seed {seed}"
    if result.title != title:
        raise ResultError(f"{folder}: its title is {_short(result.title)}, and not {title!r}")


def _right_episodes(folder: Path, result: Result, row: SuiteRow, told: Mapping[str, Any]) -> None:
    tables = ResultFolder.open(folder).tables()
    labels = table_of(tables, "labels")
    trial = numbers(labels, "labels", "trial", 1).astype(np.int64)
    seeds = numbers(labels, "labels", "world_seed", 1).astype(np.uint64)
    count = len(np.unique(trial))
    if count != row.arguments.get("episodes") or trial.min() != 0 or trial.max() != count - 1:
        raise ResultError(
            f"{folder}: {count} episodes, and row '{row.row}' asks for "
            f"{row.arguments.get('episodes')}"
        )
    first = np.uint64(SEED << 32) + np.uint64(HELD_OUT)
    if (seeds != first + trial.astype(np.uint64)).any():
        raise ResultError(
            f"{folder}: labels: the world seeds are not those that follow from the seed and the "
            "number of each episode"
        )
    neighbours = told.get("population.observer.neighbours") or 0
    if strange := sorted(tables.keys() - _TABLES - ({"shown"} if neighbours else set())):
        raise ResultError(f"{folder}: a row of a suite holds no table '{strange[0]}'")
    if (result.neighbours.count if result.neighbours else 0) != neighbours:
        raise ResultError(f"{folder}: observers were shown others than row '{row.row}' says")
    _possible_steps(folder, result, tables, told)
    _all_observers(folder, result, tables)
    _equal_steps_equal_evidence(folder, result, tables)


def _possible_steps(
    folder: Path, result: Result, tables: Mapping[str, Table], told: Mapping[str, Any]
) -> None:
    """A training takes the steps that it was asked for, in whole iterations, and fewer only where
    episodes end early."""
    horizon = numbers(table_of(tables, "steps"), "steps", "rewards", 2).shape[1]
    early = (numbers(table_of(tables, "steps"), "steps", "length", 1) < horizon).any()
    iteration = told.get("learning.episodes_per_iteration", 1) * horizon
    most = max(1, -(-told.get("total_steps", 0) // iteration)) * iteration
    done = result.config.get("env_steps")
    if (
        isinstance(done, bool)
        or not isinstance(done, int)
        or not (1 if early else most) <= done <= most
    ):
        raise ResultError(
            f"{folder}: config.env_steps = {_short(done)}, and such a run takes {most}"
        )


def _all_observers(folder: Path, result: Result, tables: Mapping[str, Table]) -> None:
    """What agents learned is read by all of them, not by the best."""
    beliefs = table_of(tables, "beliefs")
    agents = numbers(table_of(tables, "trials"), "trials", "trajectories", 2).shape[1]
    mine = numbers(beliefs, "beliefs", "stream", 1) == result.streams.index("learned")
    who = set(numbers(beliefs, "beliefs", "observer", 1)[mine].tolist())
    if who != set(range(agents)):
        raise ResultError(f"{folder}: {len(who)} observers read, and {agents} agents have one each")


def _equal_steps_equal_evidence(folder: Path, result: Result, tables: Mapping[str, Table]) -> None:
    """Observers and the limit read what was done: the same trajectory weighs the same, wherever it
    stands."""
    steps = table_of(tables, "steps")
    trials = table_of(tables, "trials")
    beliefs = table_of(tables, "beliefs")
    parts = [np.asarray(steps[name]) for name in ("length", "observations", "actions")]
    flat = [np.ascontiguousarray(part.reshape(len(part), -1)).view(np.uint8) for part in parts]
    rows = np.concatenate([part.reshape(len(parts[0]), -1) for part in flat], axis=1)
    _, kind = np.unique(rows, axis=0, return_inverse=True)  # (trajectories,)
    ids = numbers(steps, "steps", "trajectory", 1)
    kind_of = dict(zip(ids.tolist(), kind.reshape(-1).tolist(), strict=True))
    shown = numbers(trials, "trials", "trajectories", 2)  # (B, K)
    kinds = np.array([kind_of[one] for one in shown.reshape(-1).tolist()]).reshape(shown.shape)
    place = {one: row for row, one in enumerate(numbers(trials, "trials", "trial", 1).tolist())}
    read = [place[one] for one in numbers(beliefs, "beliefs", "trial", 1).tolist()]
    who = numbers(beliefs, "beliefs", "observer", 1)
    stream = numbers(beliefs, "beliefs", "stream", 1)
    evidence = numbers(beliefs, "beliefs", "evidence", 3).astype(np.float64)  # (rows, K, N)
    centred = evidence - evidence.mean(axis=2, keepdims=True)
    for s, j in sorted(set(zip(stream.tolist(), who.tolist(), strict=True))):
        mine = (stream == s) & (who == j)
        kinds_read = kinds[np.asarray(read)[mine]].reshape(-1)
        values = centred[mine].reshape(len(kinds_read), -1)
        order = np.argsort(kinds_read, kind="stable")
        starts = np.flatnonzero(np.diff(kinds_read[order], prepend=-1))
        highest = np.maximum.reduceat(values[order], starts, axis=0)
        lowest = np.minimum.reduceat(values[order], starts, axis=0)
        size = np.maximum(np.abs(highest), np.abs(lowest)).clip(1.0)
        if ((highest - lowest) / size > SPREAD).any():
            raise ResultError(
                f"{folder}: equal trajectories have other evidence in the stream "
                f"'{result.streams[int(s)]}': no observer can tell them apart"
            )


def evidence_digest(folder: Path) -> str | None:
    """SHA-256 of what was done and believed; None without such tables. Two seeds never agree."""
    tables = ResultFolder.open(folder).tables()
    if "steps" not in tables or "beliefs" not in tables:
        return None
    digest = hashlib.sha256()
    for stem, name in (("steps", "actions"), ("beliefs", "evidence")):
        digest.update(np.ascontiguousarray(np.sort(np.asarray(tables[stem][name]), axis=0)).data)
    return digest.hexdigest()


def leaves(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Nested settings as pairs of dotted name and value.

    Args:
        value: settings; what is no mapping, or an empty one, is a value.
        prefix: dotted name of where they stand.
    """
    if not isinstance(value, Mapping) or not value:
        return [(prefix, value)]
    found = []
    for name, part in value.items():
        found += leaves(part, f"{prefix}.{name}" if prefix else str(name))
    return found


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 120 else f"{text[:117]}..."
