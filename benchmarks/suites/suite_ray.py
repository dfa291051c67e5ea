"""Pieces of a suite as tasks of Ray, one core each: `benchmarks/suites/suite.py NAME --ray-address
ADDRESS`.

Every node needs this package. The folder `benchmarks` without its results travels to the nodes
and results travel back, so no disk is shared. Ray begins a piece again that a lost node took with
it. A piece that fails keeps no other from ending.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import ray

from mirrorenv.errors import ResultError
from mirrorenv.ray_up import bring_ray_up
from mirrorenv.results.board.suite import Suite
from mirrorenv.results.folders.schema import RESULT
from mirrorenv.results.runs.files import atomic_write_bytes

if TYPE_CHECKING:  # suite.py is the command, and imports this module
    from benchmarks.suites.suite import Piece

SCRIPTS = Path(__file__).resolve().parents[1]


def spread(
    suite: Suite, pieces: Sequence[Piece], smoke: bool, address: str
) -> Iterator[tuple[Piece, float]]:
    """Run pieces side by side; yields each, its result in its folder, and the seconds it took, as
    they end.

    Args:
        suite: whose they are.
        pieces: what to run.
        smoke: as little as shows that it works.
        address: of a cluster, `auto` for the one of this machine, `local` for this machine's
            own cores.

    Raises:
        TrainingError: if Ray does not start.
        ResultError: when all others have ended, if pieces failed; the first is named with its
            reason.
    """
    bring_ray_up(None if address == "local" else address, 0, scripts=SCRIPTS)
    try:
        task = ray.remote(num_cpus=1, max_retries=3)(_made)
        waiting = {task.remote(suite, piece.row.row, piece.seeds, smoke): piece for piece in pieces}
        failed: list[str] = []
        while waiting:
            (done,), _ = ray.wait(list(waiting))
            piece = waiting.pop(done)
            try:
                files, seconds = ray.get(done)
                _put(piece.folder, files)
            except (ray.exceptions.RayError, ResultError) as error:
                failed.append(f"{piece.folder}: {_reason(error)}")
                continue
            yield piece, seconds
    finally:
        ray.shutdown()
    if failed:
        raise ResultError(
            f"{len(failed)} of {len(pieces)} pieces failed; the same command tries them again. "
            f"{failed[0]}"
        )


def _made(
    suite: Suite, row: str, seeds: tuple[int, ...], smoke: bool
) -> tuple[dict[str, bytes], float]:
    """On a node: the files of a piece's result, by name, and the seconds that it took."""
    # what `_root` does for a script: on a node nothing has looked into this shelf
    sys.path.append(str(Path(__file__).resolve().parent))
    from benchmarks.suites.suite import runner_of

    begun = time.perf_counter()
    found = next(one for one in suite.rows if one.row == row)
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room) / row
        runner_of(suite, found.runner)(found, seeds, suite.mark(row, smoke), folder)
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return files, time.perf_counter() - begun


def _put(folder: Path, files: Mapping[str, bytes]) -> None:
    """Whole or not at all, in place of the result that was there, and of nothing else."""
    if folder.exists() and any(folder.iterdir()) and not (folder / RESULT).is_file():
        raise ResultError(
            f"{folder} exists, is not empty and holds no result; choose another --out"
        )
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, content in files.items():
        atomic_write_bytes(partial / name, content)
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)


def _reason(error: BaseException) -> str:
    cause = getattr(error, "cause", None) or error
    return str(cause).strip().splitlines()[-1] if str(cause).strip() else type(cause).__name__
