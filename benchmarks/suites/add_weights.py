"""Weights for results that were recorded before weights were kept: the row is trained again.

    python benchmarks/suites/suite.py worlds --out benchmarks/results/worlds --add-weights
        [--only conformity-separate-author/] [--proofs benchmarks/results/proofs.json]

Training is bit-reproducible in one process on a CPU of one kind. So a recorded piece is trained
again from its seed; where every table and the scores come out byte for byte as they were recorded,
the folder gets the weights (where they take less than 100 kB; their hash always) and says on what
machine that was. Tables and scores stay as they are. Where one byte differs nothing is changed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from mirrorenv.errors import ResultError
from mirrorenv.results.board.proofs import record_proofs
from mirrorenv.results.folders.proof import Proved
from mirrorenv.results.folders.result_folder import WEIGHTS
from mirrorenv.results.folders.schema import RESULT, Result, read_result, result_json
from mirrorenv.results.folders.verify import check_files
from mirrorenv.results.runs.files import atomic_write_json
from mirrorenv.results.runs.manifest import MANIFEST, whole_folder

__all__ = ["add_weights", "lacks_weights"]


def lacks_weights(result: Result) -> bool:
    """Whether it is of a training and says nothing of its weights."""
    return result.kind == "population" and result.weights is None


def add_weights(folder: Path, train: Callable[[Path], None], proofs: Path | None = None) -> Result:
    """Train a recorded result again and give it the weights.

    Args:
        folder: the recorded result.
        train: writes the same piece, trained again, into the folder that it is given.
        proofs: file to which it is added that retraining proved the result.

    Returns:
        what the result says now.

    Raises:
        ResultError: if anything came out otherwise; the recorded folder is as it was.
    """
    check_files(folder)
    recorded = read_result(folder)
    with tempfile.TemporaryDirectory(prefix="mirrorenv-weights-") as place:
        again = Path(place) / "again"
        train(again)
        made = read_result(again)
        _same_evidence(folder, again)
        _same_words(folder, recorded, made)
        told = {"version": 2, "machine": made.machine, "weights": made.weights}
        whole = recorded.model_copy(update=told)
        with whole_folder(folder, ResultError, "choose a folder you may write to") as partial:
            for name in _tables(folder):
                shutil.copyfile(folder / name, partial / name)
            if (again / WEIGHTS).is_file():
                shutil.copyfile(again / WEIGHTS, partial / WEIGHTS)
            atomic_write_json(partial / RESULT, result_json(whole))
    if proofs is not None:
        record_proofs(proofs, {folder: Proved.TRAINING}, of_their_rows=False)
    return whole


def _tables(folder: Path) -> Sequence[str]:
    """Tables and scores: everything that rests on what was done and believed."""
    aside = {MANIFEST, RESULT, WEIGHTS}
    return sorted(path.name for path in folder.iterdir() if path.name not in aside)


def _same_evidence(recorded: Path, again: Path) -> None:
    if _tables(recorded) != _tables(again):
        raise ResultError(f"{recorded}: trained again it has other tables: {_tables(again)}")
    for name in _tables(recorded):
        if (recorded / name).read_bytes() != (again / name).read_bytes():
            raise ResultError(
                f"{recorded}: trained again from its seed, {name} comes out otherwise; no weights "
                "were added"
            )


def _same_words(folder: Path, recorded: Result, made: Result) -> None:
    """The same row, read by the same readers; versions, commit, date and links are of their time,
    and settings of an older version are held to the row by `mirrorenv board check`."""
    for name in ("kind", "title", "world", "world_options", "entries", "figures", "seeds", "suite"):
        if getattr(recorded, name) != getattr(made, name):
            raise ResultError(f"{folder}: trained again it says another {name}")
    for name in ("streams", "readers", "neighbours"):
        if getattr(recorded, name) != getattr(made, name):
            raise ResultError(f"{folder}: trained again it says other {name}")
    for name in ("env_steps", "episodes", "seed"):
        if recorded.config.get(name) != made.config.get(name):
            raise ResultError(f"{folder}: trained again it says another config.{name}")
