"""Is a result folder what it says? Files against the manifest, scores against the tables, the world
against its seeds.

Whether the evidence was really produced by the observers that are named, this room cannot tell:
only who has their weights can, and is asked as a `Prover`. A table result says how its rows came
about in its configuration, and the command that made them makes them again.
"""

from __future__ import annotations

import json
import math
import os
import reprlib
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mirrorenv.errors import MirrorError, ResultError
from mirrorenv.results.folders.lineups import lineups, recorded_episodes
from mirrorenv.results.folders.neighbours import check_neighbours
from mirrorenv.results.folders.proof import Proved, Prover
from mirrorenv.results.folders.rescore import (
    episode_rows,
    reading_rows,
    scores_of,
    scores_to_json,
)
from mirrorenv.results.folders.resimulate import resimulate, unreplayable
from mirrorenv.results.folders.result_folder import SCORES, TABLES, WEIGHTS, ResultFolder
from mirrorenv.results.folders.schema import RESULT, Result
from mirrorenv.results.folders.sharing import LINEUPS
from mirrorenv.results.folders.tables import Table
from mirrorenv.results.folders.voices import voice_rows
from mirrorenv.results.runs.files import MAX_BYTES, read_json, to_json
from mirrorenv.results.runs.json_values import number
from mirrorenv.results.runs.manifest import MANIFEST, sha256_of

__all__ = ["Verification", "check_files", "verify_result"]

DAMAGE = (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, AssertionError)
KNOWN = frozenset(
    {RESULT, SCORES, WEIGHTS} | {f"{stem}.{form}" for stem in TABLES for form in ("parquet", "npz")}
)
"""Every file that a result may hold beside its manifest: nothing to open in a browser among it."""
_CLOSE = 1e-6  # relative: another machine's sums


@dataclass(frozen=True)
class Verification:
    """What was found true.

    Attributes:
        path: the folder.
        title: of the result.
        checks: in words, one a line.
        unchecked: what could not be checked, and why.
        proved: how far it was proved.
    """

    path: Path
    title: str
    checks: tuple[str, ...]
    unchecked: tuple[str, ...]
    proved: Proved


def verify_result(
    path: str | os.PathLike[str],
    *,
    world: str | None = None,
    provers: Sequence[Prover] = (),
    config_reader: Callable[[Result], None] = lambda result: None,
) -> Verification:
    """Check a result folder from end to end.

    Args:
        path: the folder, from anybody. Nothing in it is run or unpickled.
        world: the name of its world, if that is code the caller wants to run; see `unreplayable`.
        provers: who looks further than this room can, one after the other, at population results
            whose steps were played again.
        config_reader: reads the configuration of a result, which this room does not know, and
            raises a MirrorError where it holds what no version writes.

    Returns:
        What was checked and what was not.

    Raises:
        ResultError: at the first thing that is wrong; the message names it.
    """
    path = Path(path)
    try:
        return _verified(path, world, provers, config_reader)
    except MirrorError as error:
        raise ResultError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    except DAMAGE as error:  # tables from anybody can fail to fit together in any way
        raise ResultError(
            f"{path}: its tables do not fit together ({type(error).__name__}: {error}); get a "
            "fresh copy"
        ) from error


def _verified(
    path: Path,
    world: str | None,
    provers: Sequence[Prover],
    config_reader: Callable[[Result], None],
) -> Verification:
    count = check_files(path)
    folder = ResultFolder.open(path)
    result = folder.result
    config_reader(result)
    _weights_named(path, result)
    tables = folder.tables()
    checks = [f"{count} files match the manifest"]
    unchecked: list[str] = []
    proved = Proved.SCORES
    if result.kind == "population":
        _same_rows(tables.get("episodes", {}), episode_rows(result, tables))
        checks.append(
            f"{len(tables['episodes']['episode'])} rows recomputed from trajectories, lineups and "
            "evidence"
        )
        checks += check_neighbours(result, tables)
    elif result.kind == "debate":
        held = tables.get("episodes", {})
        found = reading_rows(tables, result.seeds[0])
        _same_rows({name: column for name, column in held.items() if name in found}, found)
        checks.append(
            f"hits and nats of {len(found['hits'])} games and readers recomputed from lineups and "
            "verdicts"
        )
    elif result.kind == "preference":
        held = tables.get("episodes", {})
        found = voice_rows(tables, result.seeds[0])
        _same_rows({name: column for name, column in held.items() if name in found}, found)
        checks.append(
            f"hits, nats and own-over-other of {len(found['hits'])} readings recomputed from "
            "likelihoods"
        )
    scores = scores_of(result, tables)
    _same(read_json(path / SCORES), to_json(scores_to_json(result, scores)), SCORES)
    checks.append(f"{sum(len(one) for one in scores.values())} scores recomputed")
    if result.kind == "population":
        if (reason := unreplayable(result, world)) is not None:
            unchecked.append(f"the world was not played again: {reason}")
        else:
            checks.append(f"{_replayed(result, tables):,} steps of {result.world} played again")
            proved = Proved.STEPS
            for prover in provers:
                proof = prover(folder, tables)
                checks += proof.checks
                unchecked += proof.unchecked
                proved = max(proved, proof.level or proved)
        unchecked += _unproved(result, proved)
    elif result.kind == "debate":
        unchecked.append(
            "figures of peers and of the self rest on the rules of the game; 'mirrorenv debate "
            "score' on its run"
        )
    elif result.kind == "preference":
        unchecked.append(
            "the likelihoods, and how far voices moved: only the models' weights can say them again"
        )
    else:
        unchecked.append(
            "the rows are what the sender measured; the command in result.json measures again"
        )
    return Verification(path, result.title, tuple(checks), tuple(unchecked), proved)


def _weights_named(path: Path, result: Result) -> None:
    """The folder holds the weights that the result names, and none that it does not."""
    held = (path / WEIGHTS).is_file()
    named = result.weights is not None and result.weights.held
    if held != named:
        what = "is missing" if named else "is there, and the result names no weights that it holds"
        raise ResultError(f"{path / WEIGHTS} {what}; export the result again")
    if result.weights is not None and held:
        if (path / WEIGHTS).stat().st_size != result.weights.bytes:
            raise ResultError(f"{path / WEIGHTS} is not as long as the result says")
        if sha256_of(path / WEIGHTS) != result.weights.sha256:
            raise ResultError(f"{path / WEIGHTS} does not hold the weights that the result names")


def _unproved(result: Result, proved: Proved) -> list[str]:
    """What a population result leaves to belief, by how far it was proved."""
    left = []
    if proved < Proved.WEIGHTS:
        held = result.weights is not None and result.weights.held
        why = "its weights were not read" if held else "the folder holds no weights"
        left.append(f"unproved: actions and evidence are what the sender says, since {why}")
    if proved < Proved.TRAINING:
        left.append("unproved: that this training made these agents; 'mirrorenv verify --retrain'")
    return left


def check_files(folder: Path) -> int:
    """Compare every file with the manifest, and the manifest with its one way of being written.

    Returns:
        How many files there are, the manifest not counted.

    Raises:
        ResultError: if a file is missing, changed, unnamed, or not a plain file.
    """
    if not folder.is_dir():
        wrong = "is a file, and a result is a folder" if folder.exists() else "does not exist"
        raise ResultError(f"{folder} {wrong}")
    if (folder / LINEUPS).is_file():
        raise ResultError(
            f"{folder} is a riddle without labels ({LINEUPS}); its scores are with whoever shared "
            "it"
        )
    if not (folder / MANIFEST).is_file():
        if next(folder.glob(f"*/**/{RESULT}"), None) is not None:
            raise ResultError(
                f"{folder} is no result but holds some; 'mirrorenv board check {folder}' verifies "
                "them all"
            )
        raise ResultError(
            f"{folder} has no {MANIFEST}; 'mirrorenv results export RUN' makes a whole folder"
        )
    _plain_file(str(folder / MANIFEST))
    entries = read_json(folder / MANIFEST).get("files")
    if not isinstance(entries, dict):
        raise ResultError(f"{folder / MANIFEST} does not list any files")
    held = _files_below(str(folder))
    held.pop(MANIFEST)
    for name in sorted({*entries, *held}):
        if name not in held:
            raise ResultError(f"{folder}: the manifest names '{name}', which is missing")
        if name not in entries:
            raise ResultError(
                f"{held[name]} is not in the manifest; remove it or export the result again"
            )
        if name not in KNOWN:
            raise ResultError(
                f"{held[name]} is no file of a result; remove it, or export the result again"
            )
        _plain_file(held[name])
        found = {"bytes": os.path.getsize(held[name]), "sha256": sha256_of(held[name])}
        if entries[name] != found:
            raise ResultError(
                f"{held[name]} does not match its checksum: it was changed after the result was "
                "made"
            )
    written = {"algorithm": "sha256", "files": {name: entries[name] for name in sorted(entries)}}
    if (folder / MANIFEST).read_bytes() != (json.dumps(written, indent=2) + "\n").encode():
        raise ResultError(f"{folder / MANIFEST} was changed after the result was made")
    return len(held)


def _plain_file(path: str) -> None:
    """A result holds files only: a link shows what lies elsewhere under this name.

    Raises:
        ResultError: for a link, a file of several names, or something that is no file.
    """
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        raise ResultError(f"{path} is a link or no plain file; a result holds files only")
    if found.st_size > MAX_BYTES:
        raise ResultError(f"{path} has {found.st_size:,} bytes; no file of a result is so large")
    if found.st_nlink > 1:
        raise ResultError(
            f"{path} is a hard link: the same file has {found.st_nlink} names; copy the folder"
        )


def _files_below(folder: str) -> dict[str, str]:
    """Name with `/` -> path of everything that is no folder; a link to a folder counts as a
    file."""
    found = {}
    for place, folders, names in os.walk(folder):
        for name in (*names, *(one for one in folders if os.path.islink(os.path.join(place, one)))):
            path = os.path.join(place, name)
            found[
                os.path.relpath(path, folder).replace(os.sep, "/") if place != folder else name
            ] = path
    return found


def _replayed(result: Result, tables: dict[str, Table]) -> int:
    seen = lineups(tables)
    labels = tables["labels"]
    trial = np.asarray(labels["trial"])
    seed = np.asarray(labels["world_seed"]).astype(np.uint64)
    seeds = np.zeros(len(seen.trials), np.uint64)
    for index, one in enumerate(seen.trials):
        held = np.unique(seed[trial == one])
        if len(held) != 1:
            raise ResultError(
                f"labels: episode {one} has {len(held)} world seeds where one belongs"
            )
        seeds[index] = held[0]
    return resimulate(result, recorded_episodes(tables, seen), seeds)


def _same_rows(held: Table, found: Table) -> None:
    if held.keys() != found.keys():
        raise ResultError(f"episodes: columns {', '.join(held)} where {', '.join(found)} belong")
    for name, column in found.items():
        ours = np.asarray(column)
        theirs = np.asarray(held[name])
        if ours.shape != theirs.shape or not np.allclose(
            ours, theirs, rtol=_CLOSE, atol=1e-9, equal_nan=True
        ):
            raise ResultError(
                f"episodes: the column '{name}' is not what the trajectories and the evidence give"
            )


def _short(value: Any) -> str:
    return reprlib.repr(value)


def _same(held: Any, found: Any, where: str) -> None:
    """Compare two JSON values; numbers may differ by what another machine's sums do."""
    if isinstance(found, dict) and isinstance(held, dict) and found.keys() == held.keys():
        for key in found:
            _same(held[key], found[key], f"{where}, {key}")
    elif isinstance(found, list) and isinstance(held, list) and len(found) == len(held):
        for index, (one, other) in enumerate(zip(held, found, strict=True)):
            _same(one, other, f"{where}, {index}")
    elif isinstance(found, float) and (said := number(held)) is not None:
        if not math.isclose(found, said, rel_tol=_CLOSE, abs_tol=1e-9):
            raise ResultError(f"{where}: says {_short(held)}, but the tables give {_short(found)}")
    elif type(found) is not type(held) or found != held:
        raise ResultError(f"{where}: says {_short(held)}, but the tables give {_short(found)}")
