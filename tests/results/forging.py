"""A row of a suite in a stranger's hands: folders that are changed and signed anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mirrorenv.results.folders.result_folder import WEIGHTS, write_result
from mirrorenv.results.folders.schema import Result, read_result
from mirrorenv.results.folders.tables import Table, read_table, table_file
from mirrorenv.results.runs.manifest import write_manifest

Tables = dict[str, Table]


def seeds_of(row: Path) -> list[Path]:
    """The folders of a row, in the order of their seeds."""
    return sorted(row.glob("seed*"), key=lambda one: int(one.name.removeprefix("seed")))


def tables_of(folder: Path) -> Tables:
    """Every table but the computed one."""
    found = {}
    for stem in ("steps", "trials", "shown", "beliefs", "evidence", "labels"):
        if (path := table_file(folder, stem)) is not None:
            found[stem] = read_table(path)
    return found


def rewrite(
    folder: Path,
    change: Callable[[Tables], object] = lambda tables: None,
    **said: Any,
) -> None:
    """Change tables and words; rows, scores and the manifest are made to fit."""
    tables = tables_of(folder)
    change(tables)
    result = Result(**{**vars(read_result(folder)), **said})
    held = (folder / WEIGHTS).read_bytes() if (folder / WEIGHTS).is_file() else None
    files = {} if held is None else {WEIGHTS: held}
    write_result(folder, result, tables, overwrite=True, files=files)


def say(folder: Path, how: Callable[[dict[str, Any]], object]) -> None:
    """Change what result.json says; the manifest is made to fit."""
    path = folder / "result.json"
    result = json.loads(path.read_text("utf-8"))
    how(result)
    path.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    write_manifest(folder)


def put_in_place(folder: Path, other: Path, **said: Any) -> None:
    """The tables of another result under this one's words."""
    words = {**vars(read_result(folder)), **said}
    tables = tables_of(other)
    write_result(folder, Result(**words), tables, overwrite=True)


def copied(row: Path, place: Path, *, weights: bool = False) -> Path:
    """A row, or one result, to change: without its weights, as it was before they were kept."""
    shutil.copytree(row, place)
    for folder in [] if weights else [one.parent for one in place.rglob("result.json")]:
        (folder / WEIGHTS).unlink(missing_ok=True)
        say(folder, _of_version_1)
    return place


def _of_version_1(result: dict[str, Any]) -> None:
    for name in ("machine", "weights"):
        result.pop(name, None)
    result["version"] = 1


def authors(tables: Tables) -> np.ndarray[Any, Any]:
    """Who stands in each slot, (B, K), in the order of `trials`."""
    labels = tables["labels"]
    who = dict(zip(labels["trajectory"], labels["agent"], strict=True))
    shown = np.asarray(tables["trials"]["trajectories"])
    return np.array([who[one] for one in shown.reshape(-1)]).reshape(shown.shape)


def certain(tables: Tables, stream: int | None = None) -> None:
    """Evidence of fifty nats for the truth."""
    truth = authors(tables)
    place = {int(one): row for row, one in enumerate(tables["trials"]["trial"])}
    beliefs = tables["beliefs"]
    evidence = np.array(beliefs["evidence"])
    for row, trial in enumerate(beliefs["trial"]):
        if stream is None or beliefs["stream"][row] == stream:
            evidence[row] = 50.0 * (truth[place[int(trial)]][:, None] == np.arange(truth.shape[1]))
    beliefs["evidence"] = evidence


def played(tables: Tables, world: str, act: Callable[[np.ndarray[Any, Any]], Any]) -> None:
    """Other actions from the same seeds; what is seen and paid follows from the world."""
    from mirrorenv.envs import make_batch, play_episodes

    labels, steps = tables["labels"], tables["steps"]
    trials = np.asarray(labels["trial"])
    seeds = [int(np.asarray(labels["world_seed"])[trials == one][0]) for one in np.unique(trials)]
    batch = make_batch(world, len(seeds))
    record = play_episodes(batch, lambda seen, t: act(seen), seeds)
    row_of = {int(one): row for row, one in enumerate(steps["trajectory"])}
    made = {name: np.array(steps[name]) for name in ("observations", "actions", "rewards")}
    for trajectory, agent, trial in zip(labels["trajectory"], labels["agent"], trials, strict=True):
        row = row_of[int(trajectory)]
        flat = record.observations[trial, :, agent].reshape(record.horizon, -1)
        made["observations"][row] = flat
        made["actions"][row] = record.actions[trial, :, agent]
        made["rewards"][row] = record.rewards[trial, :, agent]
    steps.update(made)
