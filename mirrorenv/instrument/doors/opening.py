"""Logs of any kind, as one record."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from os import PathLike
from pathlib import Path

import numpy as np

from mirrorenv.errors import LogError, MissingExtraError
from mirrorenv.instrument.doors.arrays import AgentEpisode, TeamEpisode, array_rows, rllib_rows
from mirrorenv.instrument.doors.folders import files_of, folder_rows
from mirrorenv.instrument.doors.mapping import ROLES, Mapped, record_of
from mirrorenv.instrument.doors.table import DOORS, Rows, joined
from mirrorenv.instrument.record import ChatRecord, StepRecord
from mirrorenv.mirror.arrays import AnyArray

__all__ = ["Log", "open_log"]

import_module("mirrorenv.instrument.doors.files")  # registers itself

Log = (
    str
    | PathLike[str]
    | Mapping[str, AnyArray]
    | Sequence[TeamEpisode]
    | Sequence[AgentEpisode]
    | StepRecord
    | ChatRecord
)
"""What `mirrorenv.identity` reads."""


def open_log(logs: Sequence[Log], mapped: Mapped) -> StepRecord | ChatRecord:
    """Logs as one record of trajectories with their authors.

    Args:
        logs: paths, arrays by name, RLlib's episodes, or one record.
        mapped: how tables are to be understood.

    Raises:
        LogError: if there is none, or one cannot be read; names file, row and column.
    """
    if not logs:
        raise LogError("give at least one log")
    if len(logs) == 1 and isinstance(logs[0], (StepRecord, ChatRecord)):
        return logs[0]
    parts: list[Rows] = []
    for number, log in enumerate(logs):
        parts += _parts(log, number, mapped)
    return record_of(joined(_alike(parts)), mapped)


def _parts(log: Log, number: int, mapped: Mapped) -> list[Rows]:
    if isinstance(log, (StepRecord, ChatRecord)):
        raise LogError("a record is read by itself; give files, or one record")
    if isinstance(log, Mapping):
        return [_named(array_rows(log, f"log {number}"), f"log{number}", mapped)]
    if not isinstance(log, (str, PathLike)):
        return [rllib_rows(log)]
    path = Path(log)
    if path.is_dir():
        whole = folder_rows(path)
        if whole is not None:
            return [_named(whole, path.name, mapped)]
        return [_from_file(file, mapped, in_folder=True) for file in files_of(path)]
    return [_from_file(path, mapped, in_folder=False)]


def _from_file(path: Path, mapped: Mapped, *, in_folder: bool) -> Rows:
    read = DOORS.get(path.suffix.lower())
    if read is None or not path.is_file():
        raise LogError(
            f"{path} is no log: a file that ends in {', '.join(sorted(DOORS))}, or a folder of such"
        )
    try:
        rows = read(path)
    except (LogError, MissingExtraError):
        raise
    except (OSError, ValueError, csv.Error, zipfile.BadZipFile, EOFError) as error:
        raise LogError(f"{path} cannot be read as {path.suffix} ({error})") from error
    if in_folder and not _has(rows, "episode", mapped) and _has(rows, "agent", mapped):
        # one file for each conversation or game
        names = np.full(len(rows), path.stem, object)
        return Rows({**rows.columns, "episode": names}, rows.place)
    return _named(rows, path.stem, mapped)


def _has(rows: Rows, role: str, mapped: Mapped) -> bool:
    names = {name.lower() for name in rows.columns}
    return role in mapped.columns or bool(names.intersection(ROLES[role]))


def _named(rows: Rows, name: str, mapped: Mapped) -> Rows:
    """With a column of agents: a log that has none is of one agent."""
    if _has(rows, "agent", mapped):
        return rows
    return Rows({**rows.columns, "agent": np.full(len(rows), name, object)}, rows.place)


def _alike(parts: list[Rows]) -> list[Rows]:
    """Episodes of different logs of one agent each are different episodes."""
    if len(parts) < 2:
        return parts
    agents: set[str] = set()
    for part in parts:
        own = np.unique(part.columns.get("agent", np.zeros(0)).astype(str))
        if len(own) != 1:
            return parts
        agents.update(own.tolist())
    if len(agents) < len(parts):
        return parts
    renumbered = []
    for part in parts:
        columns = dict(part.columns)
        if "episode" in columns:
            name = part.columns["agent"][0]
            texts = [f"{name} {value}" for value in columns["episode"]]
            columns["episode"] = np.asarray(texts, object)
        renumbered.append(Rows(columns, part.place))
    return renumbered
