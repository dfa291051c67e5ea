"""What the checker says: findings, and the report that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

__all__ = ["Finding", "Opinion", "Played", "Report", "Seen", "Severity"]

Severity = Literal["error", "warning", "note"]
"""error: breaks the contract, corrupts training or stops it; warning: surprises users; note:
good to know."""


class Seen(NamedTuple):
    """What a check yields: one thing it has seen, before the runner makes a finding of it.

    Attributes:
        what: in words.
        agent: the agent it concerns, or None.
        step: the number of steps done, 0 for `reset`, or None.
        seed: the seed of the episode, or None.
    """

    what: str
    agent: object = None
    step: int | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, where it was seen, and what to do.

    Attributes:
        check: the name of the check.
        severity: error, warning or note.
        seen: what was seen.
        remedy: what to do.
        agent: who it concerns, or None.
        step: the number of steps done, 0 for `reset`, or None.
        seed: the seed of the episode, or None.
        times: how often it was seen; the place is the first.
    """

    check: str
    severity: Severity
    seen: str
    remedy: str
    agent: str | None = None
    step: int | None = None
    seed: int | None = None
    times: int = 1

    @property
    def place(self) -> str:
        """Agent, step and seed in words."""
        parts = [f"agent '{self.agent}'" if self.agent is not None else ""]
        parts += [
            f"{name} {value}"
            for name, value in (("step", self.step), ("seed", self.seed))
            if value is not None
        ]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Opinion:
    """What one of PettingZoo's own tests says.

    Attributes:
        test: its name.
        passed: True, False, or None if it could not be asked.
        said: its message and warnings; empty if it said nothing.
    """

    test: str
    passed: bool | None
    said: str


@dataclass(frozen=True)
class Played:
    """What the recorded episodes exercised. A fault in what never happened cannot be seen.

    Attributes:
        episodes: how many.
        steps: joint steps of all of them.
        longest: steps of the longest.
        whole: how many came to their end within the limit of steps.
        terminated: agents that ended by termination.
        truncated: agents that ended by truncation.
        early: agents that ended before the last step of their episode.
        mixed: episodes in which some agents were terminated and others truncated.
        microseconds: median time of a step.
    """

    episodes: int
    steps: int
    longest: int
    whole: int
    terminated: int
    truncated: int
    early: int
    mixed: int
    microseconds: float


@dataclass(frozen=True)
class Report:
    """Everything that was found.

    Attributes:
        name: the environment.
        findings: errors first, then warnings, then notes.
        checks: names of the checks that ran.
        skipped: names of those that did not, with the reason.
        played: what was exercised.
        opinions: PettingZoo's own tests. They decide nothing here.
    """

    name: str
    findings: tuple[Finding, ...]
    checks: tuple[str, ...]
    skipped: Mapping[str, str]
    played: Played | None
    opinions: tuple[Opinion, ...]

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity == severity)

    @property
    def passed(self) -> bool:
        """Whether there is no error."""
        return not self.of("error")

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`."""
        return {**asdict(self), "passed": self.passed}
