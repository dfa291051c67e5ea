"""The moment at which a training run is killed, chosen by lot, and the phase it was in by then.

The killer looks at the run folder alone.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Protocol

from mirrorenv.results.runs.run_folder import RunFolder

__all__ = ["AIMS", "Moment", "Process", "phase_of"]

AIMS = ("the training", "the training", "any time", "a checkpoint", "the report")
"""What the kills are aimed at, in turn. The training: after a uniformly random one of the
iterations that are left. Any time: uniform over the wall-clock length of the uninterrupted run."""

_LOOK = 0.001  # seconds between two looks at the run folder
_LOOK_INTO = 0.02  # seconds between two looks into a file of it
_PATIENCE = 600.0  # seconds that one run may take


class Process(Protocol):
    """A process that trains."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self) -> int: ...
    def kill(self) -> None: ...


class Moment:
    """The moment to kill a run, chosen by lot.

    Args:
        aim: one of :data:`AIMS`, or None: never.
        path: the run folder.
        whole: seconds that the uninterrupted run took.
        iterations: of the whole run.
        rng: draws the lots.
    """

    def __init__(
        self, aim: str | None, path: Path, whole: float, iterations: int, rng: random.Random
    ) -> None:
        self.aim, self.path, self.iterations, self.rng = aim, path, iterations, rng
        self.end = time.monotonic() + (rng.uniform(0, whole) if aim == "any time" else _PATIENCE)
        self.part = rng.random()  # of the iterations that are left
        self.last: float | None = None  # the iteration after which it is time
        self.unharmed = rng.randint(1, 4)  # how many checkpoints pass
        self.seen: set[str] = set()

    def wait(self, process: Process) -> bool:
        """Wait for it; False if the process ended by itself."""
        while process.poll() is None:
            if time.monotonic() >= self.end:
                return True
            if self.aim == "the training":
                self._look_at_metrics(process.pid)
            elif self.aim == "a checkpoint":
                self.seen |= {
                    entry.name for entry in (self.path / "checkpoints").glob(".*.partial")
                }
                if len(self.seen) >= self.unharmed:
                    self._within(0.02)
            elif self.aim == "the report" and _status(self.path) == "finished":
                self._within(3.0)
            time.sleep(_LOOK_INTO if self.aim == "the training" else _LOOK)
        return False

    def _within(self, seconds: float) -> None:
        self.end = min(self.end, time.monotonic() + self.rng.uniform(0, seconds))

    def _look_at_metrics(self, pid: int) -> None:
        if not _trains(self.path, pid):
            return
        metrics = self.path / "metrics.jsonl"
        done = metrics.read_bytes().count(b"\n") if metrics.is_file() else 0
        if self.last is None:
            self.last = done + self.part * (self.iterations - done)
        if done >= self.last:
            self._within(0.1)


def _status(path: Path) -> str:
    return RunFolder.open(path).status if (path / "run.json").is_file() else ""


def _trains(path: Path, pid: int) -> bool:
    """Whether a process is past its start-up: it writes for TensorBoard."""
    return any((path / "tensorboard").glob(f"*.{pid}.*"))


def phase_of(path: Path, pid: int) -> str:
    """Where a killed process was, as far as the run folder tells."""
    if _status(path) == "finished":
        return "report, after the training"
    if not _trains(path, pid):
        return "start-up, before the training"
    if list((path / "checkpoints").glob(".*")):
        return "writing a checkpoint"
    if list(path.glob(".*.tmp")):
        return "writing a file"
    run = RunFolder.open(path)
    rows, evaluations = run.metrics(), run.evaluations()
    if not evaluations:
        return "evaluation before training"
    steps = rows[-1]["env_steps"] if rows else 0
    checkpoints = [int(checkpoint.name) for checkpoint in run.checkpoints()]
    if evaluations[-1]["env_steps"] not in checkpoints:
        return "between an evaluation and its checkpoint"
    return "training or evaluating" if steps else "first iteration"
