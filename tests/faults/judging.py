"""A fault of a training run, what a run with it did, and how to tell what became of it."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mirrorenv.errors import MirrorError
from mirrorenv.results.runs.run_folder import RunFolder

__all__ = [
    "ITERATIONS",
    "Happening",
    "Outcome",
    "RunFault",
    "Verdict",
    "judge",
    "measure",
    "status",
]

Outcome = Literal["survived", "stopped", "silent"]

ITERATIONS = 4
"""Of the small run in `runs.py`; it measures and saves before the first, after the second and after
the last."""


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
