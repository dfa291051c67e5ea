"""A result folder: what a run found, in a form that a stranger can recompute.

```text
result/
├── result.json       what was done, by which agents, with which versions and seeds (`schema`)
├── episodes.parquet  rows of figures, one for each episode
├── steps, trials, beliefs, evidence, labels   trajectories, lineups, what was believed, who it was
├── scores.json       every score, computed from the tables above
├── weights.safetensors   of the trained agents and observers, where they are small
└── manifest.json     length and SHA-256 of every file
```
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrorenv.errors import ResultError
from mirrorenv.results.folders.rescore import Scores, episode_rows, scores_of, scores_to_json
from mirrorenv.results.folders.schema import RESULT, Result, read_result, result_json
from mirrorenv.results.folders.tables import Form, Table, read_table, table_file, write_table
from mirrorenv.results.runs.files import atomic_write_bytes, atomic_write_json, read_json
from mirrorenv.results.runs.manifest import MANIFEST, whole_folder

__all__ = ["SCORES", "TABLES", "WEIGHTS", "ResultFolder", "read_scores", "write_result"]

SCORES = "scores.json"
WEIGHTS = "weights.safetensors"
TABLES = ("episodes", "steps", "trials", "shown", "beliefs", "evidence", "labels")


@dataclass(frozen=True)
class ResultFolder:
    """An opened result folder.

    Attributes:
        path: the folder.
        result: content of `result.json`.
    """

    path: Path
    result: Result

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> ResultFolder:
        """Read `result.json`; tables are read when they are asked for.

        Raises:
            ResultError: if it is no result folder.
        """
        return cls(Path(path), read_result(Path(path)))

    def tables(self) -> dict[str, Table]:
        """Every table that is there.

        Raises:
            ResultError: if one is damaged.
        """
        found = {stem: table_file(self.path, stem) for stem in TABLES}
        return {stem: read_table(path) for stem, path in found.items() if path is not None}

    def scores(self) -> list[dict[str, Any]]:
        """The rows of `scores.json`: condition, agents, seed and figures."""
        return read_scores(self.path)


def read_scores(folder: Path) -> list[dict[str, Any]]:
    """The rows of `scores.json`.

    Raises:
        ResultError: if they are missing or malformed.
    """
    rows = read_json(folder / SCORES).get("scores")
    keys = {"condition", "agents", "seed", "figures"}
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and keys <= row.keys() for row in rows
    ):
        raise ResultError(
            f"{folder / SCORES} is damaged: it needs rows with condition, agents, seed and figures"
        )
    return rows


def write_result(
    path: str | os.PathLike[str],
    result: Result,
    tables: Mapping[str, Table],
    *,
    form: Form = "auto",
    overwrite: bool = False,
    files: Mapping[str, bytes] | None = None,
) -> Scores:
    """Write a result folder, whole or not at all; its scores are computed from the tables.

    Args:
        path: the folder; made with its parents.
        result: what goes into `result.json`.
        tables: by name, one of `TABLES`; `episodes` of a population result is computed.
        form: of the tables.
        overwrite: replace a result that is already there.
        files: further files by name, see `WEIGHTS`.

    Returns:
        The scores.

    Raises:
        ResultError: if the folder exists, or the tables do not bear the figures out.
    """
    path = Path(path)
    refuse_existing(path, overwrite=overwrite)
    if unknown := sorted(tables.keys() - set(TABLES)):
        raise ResultError(f"a result has no table '{unknown[0]}'; there are: {', '.join(TABLES)}")
    held = dict(tables)
    if result.kind == "population":
        held["episodes"] = episode_rows(result, held)
    scores = scores_of(result, held)
    with whole_folder(path, ResultError, "choose a folder you may write to") as partial:
        atomic_write_json(partial / RESULT, result_json(result))
        for stem, table in held.items():
            write_table(partial, stem, table, form)
        atomic_write_json(partial / SCORES, scores_to_json(result, scores))
        for name, data in (files or {}).items():
            atomic_write_bytes(partial / name, data)
    return scores


def refuse_existing(path: Path, *, overwrite: bool = False) -> None:
    """Let nothing be written over by a result but a result.

    Args:
        path: where one shall be written.
        overwrite: a result that is there may be replaced.

    Raises:
        ResultError: if something else stands there, or a result that may not be replaced.
    """
    if not path.name:
        raise ResultError(f"'{path}' names no new folder; a result is written beside it first")
    if not path.exists():
        return
    if not path.is_dir():
        raise ResultError(f"{path} is a file; a result is a folder: choose another place")
    if (path / RESULT).is_file():
        if not overwrite:
            raise ResultError(
                f"{path} holds a result already; --overwrite (overwrite=True) replaces it, or "
                "choose another folder"
            )
    elif any(path.iterdir()):
        raise ResultError(f"{path} exists, is not empty and holds no result; choose another folder")


def is_result(path: Path) -> bool:
    """Whether a folder says that it holds a result."""
    return (path / RESULT).is_file() and (path / MANIFEST).is_file()
