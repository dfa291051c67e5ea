"""In what two finished training runs differ, their times apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mirrorenv.results.runs.run_folder import RunFolder

__all__ = ["differences"]

WALL_CLOCK = {"seconds", "env_steps_per_second"}
"""Columns that may differ: they are times."""


def differences(path: Path, whole: Path, *, report: bool = True) -> Iterator[str]:
    """In what two finished runs differ, times apart.

    Args:
        path: a run folder.
        whole: the run folder of an uninterrupted run.
        report: whether a report belongs to it.
    """
    ours, theirs = RunFolder.open(path), RunFolder.open(whole)
    for name, read in (("metrics", RunFolder.metrics), ("evaluations", RunFolder.evaluations)):
        rows = [
            [{k: v for k, v in row.items() if k not in WALL_CLOCK} for row in read(run)]
            for run in (ours, theirs)
        ]
        if rows[0] != rows[1]:
            yield f"{path.name}: {name} differ"
    if ours.status != "finished":
        yield f"{path.name}: status {ours.status}"
    if report and not ours.report_path.is_file():
        yield f"{path.name}: no report"
    names = [[checkpoint.name for checkpoint in run.checkpoints()] for run in (ours, theirs)]
    if names[0] != names[1]:
        yield f"{path.name}: checkpoints {names[0]} and not {names[1]}"
    # weights; optimisers as well
    for name in ("population.safetensors", "training/state.safetensors"):
        if (ours.checkpoints()[-1] / name).read_bytes() != (
            theirs.checkpoints()[-1] / name
        ).read_bytes():
            yield f"{path.name}: {name} differs"
