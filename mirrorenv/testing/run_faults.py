"""What happens to real runs, injected on purpose: each fault of a training run, and how to tell
what became of it."""

from __future__ import annotations

import logging
import math
import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mirrorenv.errors import MirrorError
from mirrorenv.results import RunFolder
from mirrorenv.testing.kills import differences

__all__ = [
    "Happening",
    "RunFault",
    "Verdict",
    "attempt",
    "attempt_again",
    "cut_run",
    "judge",
    "listening",
    "measure",
    "run_fault",
    "run_faults",
    "small_run",
    "status",
    "trouble_run",
]

Outcome = Literal["survived", "stopped", "silent"]

ITERATIONS = 4
"""Of :func:`small_run`; it measures and saves before the first, after the second and after the
last."""


@dataclass
class Happening:
    """What a run with a fault did.

    Attributes:
        folder: its run folder.
        error: how it ended early, in its own words; empty if it came to its end.
        typed: whether that was an error of ours and not a traceback or a silent death.
        said: all that was logged or printed on the way.
        claims: what its run folder said of its status then; empty if it was gone or torn.
        problem: what else went wrong, e.g. that the run, started again, did not end as an
            uninterrupted one.
    """

    folder: Path
    error: str = ""
    typed: bool = True
    said: str = ""
    claims: str = ""
    problem: str = ""


class Verdict(NamedTuple):
    """The row of the table.

    Attributes:
        outcome: "survived" (came to its end, with samples in every iteration, and said what
            happened), "stopped" (with an error that names what it must), or "silent" for everything
            else.
        line: the first line of the message.
        why: what was missing, for a silent one.
    """

    outcome: Outcome
    line: str
    why: str = ""


@dataclass(frozen=True)
class RunFault:
    """A fault of a run.

    Attributes:
        name: its kind.
        where: where it is injected.
        wanted: what must become of the run.
        says: regular expressions that the error (if stopped) or the log (if survived) must match,
            all of them.
        happen: trains in a fresh folder, with the fault.
        slow: whether it takes more than about 3 s.
    """

    name: str
    where: str
    wanted: Outcome
    says: tuple[str, ...]
    happen: Callable[[Path], Happening]
    slow: bool = False


_FAULTS: list[RunFault] = []


def run_fault(
    name: str, where: str, wanted: Outcome, *says: str, slow: bool = False
) -> Callable[[Callable[[Path], Happening]], Callable[[Path], Happening]]:
    """Register a function that injects a fault."""

    def add(happen: Callable[[Path], Happening]) -> Callable[[Path], Happening]:
        _FAULTS.append(RunFault(name, where, wanted, says, happen, slow))
        return happen

    return add


def run_faults() -> tuple[RunFault, ...]:
    """All of them."""
    from mirrorenv.testing import run_faults_of_files, run_faults_of_processes, run_faults_of_worlds

    assert run_faults_of_worlds
    assert run_faults_of_processes
    assert run_faults_of_files
    return tuple(_FAULTS)


def small_run(*changes: str, world: str = "mirrorenv.testing.flawless:Flawless") -> Any:
    """`RunSettings` of a run of four iterations of 8 episodes of 8 steps."""
    from mirrorenv.rllib.settings import load_settings

    small = [
        f"total_steps={ITERATIONS * 64}",
        "learning.episodes_per_iteration=8",
        "learning.minibatch_episodes=8",
        "learning.epochs=1",
        "evaluation.episodes=8",
        "evaluation.checkpoints=2",
        "evaluation.baselines=false",
    ]
    return load_settings(world, (), [*small, *changes])


def trouble_run(what: str, *changes: str) -> Any:
    """`small_run` in :class:`~mirrorenv.testing.trouble.Trouble`."""
    return small_run(
        f"world_options.what={what!r}", *changes, world="mirrorenv.testing.trouble:Trouble"
    )


def attempt(settings: Any, path: Path, **options: Any) -> Happening:
    """Train in this process and catch what it says.

    Args:
        settings: `RunSettings`.
        path: the run folder.
        **options: of `mirrorenv.rllib.train`.
    """
    from mirrorenv.rllib.run import train

    happening = Happening(path)
    with listening() as said:
        try:
            train(settings, path, **options)
        except Exception as error:
            happening.error = str(error) or type(error).__name__
            happening.typed = isinstance(error, MirrorError)
    happening.said, happening.claims = "\n".join(said), status(path)
    return happening


class _PowerCut(BaseException):
    """Ends a run at once."""


def cut_run(path: Path) -> Any:
    """Train `small_run` and cut it in its third iteration, one after its second checkpoint; its
    settings."""
    from mirrorenv.rllib.run import Progress, train

    def cut(row: dict[str, Any]) -> None:
        if row["iteration"] == 3:
            raise _PowerCut

    settings = small_run()
    with suppress(_PowerCut):
        train(settings, path, progress=Progress(iteration=cut))
    return settings


def attempt_again(settings: Any, path: Path) -> Happening:
    """`attempt`; the run must then be that of an uninterrupted one, bit for bit."""
    happening = attempt(settings, path)
    if not happening.error:
        whole = path.with_name("whole")
        attempt(settings, whole)
        happening.problem = "; ".join(differences(path, whole, report=False))
    return happening


@contextmanager
def listening() -> Iterator[list[str]]:
    """What is logged and warned of meanwhile, line by line."""
    said: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    ear, logger = Ear(logging.WARNING), logging.getLogger("mirrorenv")
    logger.addHandler(ear)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = lambda message, *_, **__: said.append(str(message))
            yield said
    finally:
        logger.removeHandler(ear)


def judge(fault: RunFault, happening: Happening) -> Verdict:
    """What became of the run, believing nothing but what it left behind."""
    text = happening.error or happening.said
    line = next((line for line in text.splitlines() if line.strip()), "")
    unsaid = [pattern for pattern in fault.says if not re.search(pattern, text)]
    if happening.problem:
        return Verdict("silent", line, happening.problem)
    if unsaid:
        return Verdict("silent", line, f"does not say {', '.join(unsaid)}")
    if happening.error:
        if not happening.typed:
            return Verdict("silent", line, "no error of ours")
        if happening.claims == "finished":
            return Verdict("silent", line, "the run folder says finished")
        return Verdict("stopped", line)
    dishonest = dishonesty(happening.folder)
    return Verdict("silent", line, dishonest) if dishonest else Verdict("survived", line)


def dishonesty(path: Path) -> str:
    """What is wrong with a run that claims to have finished; empty if nothing is."""
    run = RunFolder.open(path)
    rows = run.metrics()
    if run.status != "finished":
        return f"status {run.status}"
    if [row["iteration"] for row in rows] != list(range(1, ITERATIONS + 1)):
        return "iterations are missing"
    steps = [0, *(row["env_steps"] for row in rows)]
    if any(after <= before for before, after in pairwise(steps)):
        return "an iteration without samples is reported as a success"
    for row in rows:
        for name in ("return", "mirror_return", "policy_loss", "observer_loss", "entropy"):
            if row[name] is None or not math.isfinite(row[name]):
                return f"{name} is {row[name]} in iteration {row['iteration']}"
    return ""


def measure(fault: RunFault, place: Path) -> dict[str, Any]:
    """Let it happen and judge: one row of the table."""
    began = time.perf_counter()
    verdict = judge(fault, fault.happen(place / "run"))
    return {
        "kind": fault.name,
        "where": fault.where,
        "wanted": fault.wanted,
        "outcome": verdict.outcome,
        "message": verdict.line,
        "why": verdict.why,
        "seconds": time.perf_counter() - began,
    }


def status(path: Path) -> str:
    """What a run folder says of its status; empty if it is gone or torn."""
    try:
        return str(RunFolder.open(path).status)
    except MirrorError:
        return ""
