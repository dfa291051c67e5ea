"""Folders: Minari data sets, result folders of this package, and folders of logs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mirrorenv.errors import LogError, require
from mirrorenv.instrument.doors.arrays import array_rows
from mirrorenv.instrument.doors.table import DOORS, Place, Rows, door, joined
from mirrorenv.mirror.arrays import AnyArray
from mirrorenv.results.folders.schema import RESULT
from mirrorenv.results.folders.tables import read_table, table_file

__all__ = ["files_of", "folder_rows"]

_MINARI = Path("data") / "main_data.hdf5"
_MOST_FILES = 10_000


def folder_rows(folder: Path) -> Rows | None:
    """A folder that is one log; None if it is a folder of logs.

    Args:
        folder: that exists.

    Raises:
        LogError: if it is one and cannot be read.
    """
    if (folder / _MINARI).is_file():
        return _hdf5(folder / _MINARI)
    if (folder / RESULT).is_file():
        return _result(folder)
    return None


def files_of(folder: Path) -> list[Path]:
    """The files of a folder, and of those in it, that are logs by their endings.

    Args:
        folder: of logs.

    Raises:
        LogError: if there are none, or more than 10,000.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
        if path.suffix.lower() in DOORS and path.is_file() and not hidden:
            found.append(path)
    if not 0 < len(found) <= _MOST_FILES:
        raise LogError(
            f"{folder} has {len(found):,} files that end in {', '.join(sorted(DOORS))}; one to "
            f"{_MOST_FILES:,} are read"
        )
    return found


@door(".hdf5", ".h5")
def _hdf5(path: Path) -> Rows:
    """A Minari data set: groups `episode_0`, `episode_1`, ... of observations and actions."""
    h5py = require("h5py", "data")
    parts = []
    try:
        with h5py.File(path, "r") as file:
            names = sorted(file, key=lambda name: int(name.rpartition("_")[2]))
            for number, name in enumerate(names):
                parts.append(_episode(file[name], number, f"{path}, {name}"))
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, LogError):
            raise
        raise LogError(f"{path} is no Minari data set ({error})") from error
    if not parts:
        raise LogError(f"{path} has no episodes")
    return joined(parts)


def _episode(group: object, number: int, place: str) -> Rows:
    actions = _numbers(group, "actions", place)
    steps = len(actions)
    columns: dict[str, AnyArray] = {
        "episode": np.full(steps, float(number)),
        "step": np.arange(steps, dtype=np.float64),
        "action": actions,
        "observation": _numbers(group, "observations", place)[:steps].reshape(steps, -1),
    }
    return Rows(columns, Place(place))


def _numbers(group: object, name: str, place: str) -> AnyArray:
    """A data set, or the data sets of a group side by side."""
    held = group[name]  # type: ignore[index]
    if hasattr(held, "keys"):
        parts = [_numbers(held, inner, place) for inner in sorted(held)]
        return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
    found = np.asarray(held)
    if found.dtype.kind not in "biuf":
        raise LogError(f"{place}: '{name}' holds {found.dtype}, and numbers are read")
    return found.astype(np.float64)


def _result(folder: Path) -> Rows:
    """Trajectories of a result folder, with the authors that its labels name."""
    steps_file = table_file(folder, "steps")
    labels_file = table_file(folder, "labels")
    if steps_file is None or labels_file is None:
        raise LogError(f"{folder} is a result without steps and labels: nothing to read in it")
    steps = read_table(steps_file)
    labels = read_table(labels_file)
    arrays = {name: np.asarray(column) for name, column in steps.items()}
    order = np.argsort(np.asarray(labels["trajectory"]))
    row = order[np.searchsorted(np.asarray(labels["trajectory"])[order], arrays["trajectory"])]
    time = np.arange(arrays["actions"].shape[1])
    mask = time < arrays["length"][:, None]  # (M, T)
    which, step = np.nonzero(mask)
    held: dict[str, AnyArray] = {
        "agent": np.asarray(labels["agent"])[row][which],
        "episode": np.asarray(labels["trial"])[row][which],
        "step": step,
        "observation": arrays["observations"][which, step],
        "action": arrays["actions"][which, step],
    }
    return array_rows(held, str(folder))
