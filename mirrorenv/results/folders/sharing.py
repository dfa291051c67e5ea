"""A result's trajectories and lineups without their labels: something for others to solve.

What would give the authors away stays behind: labels, world seeds (whoever plays the world again
sees who started where), beliefs, scores, rewards, the configuration, and the order in which lineups
were shown, which follows from the run's seed. Trajectories keep their ids, so the labels that are
published later fit; their SHA-256 is given now, so that no one can choose them then.

One thing no file can hide: who guesses the seed of the export can play the world again. Export with
one of your own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mirrorenv.errors import ResultError
from mirrorenv.results.folders.lineups import numbers, table_of
from mirrorenv.results.folders.result_folder import ResultFolder
from mirrorenv.results.folders.tables import Form, Table, select, table_file, write_table
from mirrorenv.results.runs.files import atomic_write_json
from mirrorenv.results.runs.manifest import sha256_of, whole_folder

__all__ = ["LINEUPS", "share_unlabelled"]

LINEUPS = "lineups.json"

_HIDDEN = ("rewards",)


def share_unlabelled(folder: Path, out: Path, form: Form = "auto") -> Path:
    """Write `steps`, `trials`, `lineups.json` and a manifest.

    Args:
        folder: a result folder with trajectories.
        out: where the set goes; must not exist, or be empty.
        form: of the tables.

    Raises:
        ResultError: if the result holds no trajectories, or `out` is not empty.
    """
    opened = ResultFolder.open(folder)
    labels_file = table_file(folder, "labels")
    if labels_file is None:
        raise ResultError(
            f"{folder} holds no labelled trajectories; a result of kind '{opened.result.kind}' may "
            "have none"
        )
    if not out.name or (out.exists() and not out.is_dir()):
        raise ResultError(f"'{out}' is no new folder; choose another name")
    if out.exists() and any(out.iterdir()):
        raise ResultError(f"{out} exists and is not empty; choose another folder")
    tables = opened.tables()
    steps = table_of(tables, "steps")
    trials = _trials(tables["labels"])
    order = np.argsort(numbers(steps, "steps", "trajectory", 1), kind="stable")
    shown = {name: column for name, column in select(steps, order).items() if name not in _HIDDEN}
    result = opened.result
    about = {
        "schema": "mirrorenv-lineups",
        "version": 1,
        "world": result.world,
        "world_options": result.world_options,
        "lineups": len(trials["trial"]),
        "lineup_size": int(np.asarray(trials["trajectories"]).shape[1]),
        "question": "each lineup shows every agent once: which trajectories, across lineups, have "
        "the same author?",
        "labels_sha256": sha256_of(labels_file),
    }
    with whole_folder(out, ResultError, "choose a folder you may write to") as partial:
        write_table(partial, "steps", shown, form)
        write_table(partial, "trials", trials, form)
        atomic_write_json(partial / LINEUPS, about)
    return out


def _trials(labels: Table) -> Table:
    """One lineup an episode (and round), slots by id, lineups by their first id: an order that
    tells nothing."""
    ids = numbers(labels, "labels", "trajectory", 1)
    keys = [np.asarray(labels[name]) for name in ("trial", "episode", "round") if name in labels]
    _, row = np.unique(np.stack(keys, axis=1), axis=0, return_inverse=True)
    groups = [np.sort(ids[row.reshape(-1) == one]) for one in range(int(row.max()) + 1)]
    if len({len(group) for group in groups}) != 1:
        raise ResultError("labels: lineups differ in size")
    shown = np.stack(groups)
    shown = shown[np.argsort(shown[:, 0], kind="stable")]
    return {"trial": np.arange(len(shown)), "trajectories": shown}
