"""What runs contribute to a comparison, read from their folders.

The seed is the unit here. Each run gives one number, read at its last evaluation (or at a step
count fixed beforehand), never at its best one. A run that has not finished is an error and not a
gap: leaving out the seeds that went wrong is the easiest way to a good average. Values by seed are
what :func:`~mirrorenv.results.stats.estimates.over_seeds` and
:func:`~mirrorenv.results.stats.estimates.compare_with` take.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrorenv.errors import RunFolderError
from mirrorenv.results.runs.evaluation import Evaluation
from mirrorenv.results.runs.json_values import flatten
from mirrorenv.results.runs.record import RunRecord
from mirrorenv.results.runs.run_folder import RunFolder

__all__ = ["RunResult", "read_results", "varying_keys"]


@dataclass(frozen=True)
class RunResult:
    """What one run contributes to a comparison.

    Attributes:
        path: its folder.
        seed: its seed.
        settings: the configuration as dotted keys.
        evaluation: the one that counts.
    """

    path: Path
    seed: int
    settings: dict[str, Any]
    evaluation: Evaluation

    @property
    def env_steps(self) -> float:
        """Environment steps at which the run was read."""
        return float(self.evaluation.env_steps or 0.0)

    def value(self, key: str) -> float | None:
        """A figure without its interval.

        Args:
            key: dotted name in the evaluation, e.g. `"learned.top1"`.

        Returns:
            the figure; None if it is missing or null.
        """
        found = self.evaluation.figure(key)
        return None if found is None else found.value


def read_results(
    paths: Iterable[str | os.PathLike[str]],
    *,
    at_steps: int | None = None,
    allow_unfinished: bool = False,
) -> list[RunResult]:
    """Read runs for a comparison.

    Args:
        paths: run folders.
        at_steps: read the latest evaluation at or before this many environment steps; by default
            the last one.
        allow_unfinished: also take runs that are running or failed.

    Raises:
        RunFolderError: if a folder is damaged, a run has not finished or has no evaluation to read.
    """
    return [_read(RunFolder.open(path), at_steps, allow_unfinished) for path in paths]


def _read(run: RunFolder, at_steps: int | None, allow_unfinished: bool) -> RunResult:
    if run.status != "finished" and not allow_unfinished:
        raise RunFolderError(
            f"{run.path} is {run.status}, not finished; finish it, or allow unfinished runs and "
            "say so beside the table"
        )
    rows = RunRecord.of(run.evaluations()).evaluations
    if at_steps is not None:
        rows = [row for row in rows if row.env_steps is not None and row.env_steps <= at_steps]
    if not rows:
        raise RunFolderError(
            f"{run.path} has no evaluation to read; run it longer or leave it out of the list"
        )
    seed = run.info.get("seed")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise RunFolderError(f"{run.path} does not say its seed in run.json")
    return RunResult(run.path, seed, dict(flatten(run.config)), rows[-1])


def varying_keys(results: Sequence[RunResult]) -> tuple[str, ...]:
    """Configuration keys in which the runs differ, without seeds."""
    keys = {key for result in results for key in result.settings if key.split(".")[-1] != "seed"}

    def varies(key: str) -> bool:
        return len({repr(result.settings.get(key)) for result in results}) > 1

    return tuple(key for key in sorted(keys) if varies(key))
