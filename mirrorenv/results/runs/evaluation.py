"""One row of `evaluations.jsonl`: what a population was measured to be worth.

:func:`mirrorenv.population.evaluate` makes it, :meth:`Evaluation.to_dict` is what a run folder
holds, and :meth:`Evaluation.from_dict` is the one place where a recorded row is read. Recorded
rows are input like any other: what is missing, null or of the wrong shape is None, never an error.

Shape legend: N agents, J observers, K lineup slots, T time steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from mirrorenv.mirror.arrays import Floats64
from mirrorenv.mirror.bounded import rebounded
from mirrorenv.mirror.intervals import Estimate, finite_number
from mirrorenv.mirror.score import Score
from mirrorenv.results.runs.json_values import curve, matrix, nulls

__all__ = ["NOT_GIVEN", "Evaluation", "EvidenceOverTime", "RecordedScore"]


@dataclass(frozen=True)
class RecordedScore:
    """The figures of one reader, as a file holds them: each may be None.

    The names and their meaning are those of :class:`mirrorenv.mirror.score.Score`; a file keeps
    value and interval, and neither the clusters nor the method.

    Attributes:
        others: figures under names this version does not know.
        given: whether there is such a reader at all.
    """

    top1: Estimate | None = None
    exact: Estimate | None = None
    expected_right: Estimate | None = None
    self_dprime: Estimate | None = None
    self_criterion: Estimate | None = None
    calibration_error: Estimate | None = None
    brier: Estimate | None = None
    information: Estimate | None = None
    joint_information: Estimate | None = None
    effective_agents: Estimate | None = None
    efficiency: Estimate | None = None
    self_advantage: Estimate | None = None
    time_to_identify: Estimate | None = None
    handshake_index: Estimate | None = None
    others: Mapping[str, Estimate | None] = field(default_factory=dict)
    given: bool = True

    @classmethod
    def of(cls, score: Score) -> RecordedScore:
        """What a file will hold of a score."""
        return cls(**{name: getattr(score, name) for name in _FIGURES})

    @classmethod
    def from_dict(cls, recorded: object) -> RecordedScore:
        """Read what :meth:`to_dict` wrote; anything but an object is a reader that is not given."""
        if not isinstance(recorded, Mapping):
            return NOT_GIVEN
        found = {str(name): Estimate.from_dict(value) for name, value in recorded.items()}
        known: dict[str, Any] = {name: found.pop(name) for name in _FIGURES if name in found}
        return cls(**known, others=found)

    def figures(self) -> dict[str, Estimate | None]:
        """Every figure by name, those of this version first."""
        return {name: getattr(self, name) for name in _FIGURES} | dict(self.others)

    def shown(self, episodes: int, slots: int) -> RecordedScore:
        """The same with the interval that is printed of shares: one rule, see
        :mod:`mirrorenv.mirror.bounded`.

        Args:
            episodes: that were played.
            slots: trajectories in a lineup.
        """
        return replace(
            self,
            top1=rebounded(self.top1, episodes),
            exact=rebounded(self.exact, episodes),
            expected_right=rebounded(self.expected_right, episodes, float(slots)),
        )

    def to_dict(self) -> dict[str, dict[str, float | None] | None]:
        """`{name: {"value", "low", "high"}}`, None for what is undefined; ready for JSON."""
        return {name: _recorded(one) for name, one in self.figures().items()}


_FIGURES = tuple(one.name for one in fields(RecordedScore) if one.name not in ("others", "given"))
NOT_GIVEN = RecordedScore(given=False)
"""The score of a reader that is not there."""


@dataclass(frozen=True, eq=False)
class EvidenceOverTime:
    """Information after every step of an episode.

    Attributes:
        learned: (T,) nats of the learned observers, mean over episodes; None if not given.
        limit: (T,) nats of the exact limit; None if not given.
    """

    learned: Floats64 | None = None
    limit: Floats64 | None = None

    @classmethod
    def from_dict(cls, recorded: object) -> EvidenceOverTime:
        """Read what :meth:`to_dict` wrote."""
        held: Mapping[Any, Any] = recorded if isinstance(recorded, Mapping) else {}
        return cls(curve(held.get("learned")), curve(held.get("limit")))

    def to_dict(self) -> dict[str, Any]:
        """Lists for JSON."""
        return {"learned": _listed(self.learned), "limit": _listed(self.limit)}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a population was measured to be worth, at one point of its training.

    Intervals are over the evaluation's episodes: they say nothing about another seed.

    Attributes:
        iteration: of the training, 0 before it; None outside of a run.
        env_steps: environment steps trained so far; None outside of a run.
        seconds: since the training began; None outside of a run.
        num_agents: N.
        lineup_size: trajectories in a lineup; N, or fewer where a neighbourhood is shown.
        horizon: steps of an episode.
        episodes: that were played.
        learned: the observers, slot by slot.
        learned_joint: the observers, whole lineups at once.
        limit: the exact limit.
        limit_valid: whether the limit is the exact one in this world.
        limit_reason: why it is not; empty if it is.
        baselines: simple readers by name.
        environment_return: of an agent and episode (`return` in the file).
        mirror_return: what recognition pays in an episode, before its weight, in nats.
        per_agent_return: (N,) environment return by agent.
        recognition_matrix: (J, N) mean belief of observer j in the true author n; NaN for what
            was never shown.
        confusion: (N, N) mean verdict by true author (rows); NaN likewise.
        evidence_over_time: information after every step.
        log_e_value: evidence that the observers know more than the limit allows, in nats.
        lagged_top1: top-1 of earlier observers on today's agents.
        persistence: share of agents that kept their identity since the last evaluation.
        others: what else the row holds, unread.
    """

    iteration: int | None = None
    env_steps: float | None = None
    seconds: float | None = None
    num_agents: int | None = None
    lineup_size: int | None = None
    horizon: int | None = None
    episodes: int | None = None
    learned: RecordedScore = NOT_GIVEN
    learned_joint: RecordedScore = NOT_GIVEN
    limit: RecordedScore = NOT_GIVEN
    limit_valid: bool | None = None
    limit_reason: str | None = None
    baselines: Mapping[str, RecordedScore] = field(default_factory=dict)
    environment_return: Estimate | None = None
    mirror_return: Estimate | None = None
    per_agent_return: Floats64 | None = None
    recognition_matrix: Floats64 | None = None
    confusion: Floats64 | None = None
    evidence_over_time: EvidenceOverTime = field(default_factory=EvidenceOverTime)
    log_e_value: float | None = None
    lagged_top1: Estimate | None = None
    persistence: float | None = None
    others: Mapping[str, Any] = field(default_factory=dict)

    def placed(self, *, iteration: int, env_steps: int, seconds: float) -> Evaluation:
        """The same evaluation with its place in a run.

        Args:
            iteration: of the training, 0 before it.
            env_steps: environment steps trained so far.
            seconds: since the training began.
        """
        return replace(self, iteration=iteration, env_steps=env_steps, seconds=seconds)

    def shown(self) -> Evaluation:
        """The same with the intervals that are printed of shares; files keep what they hold. As it
        is where the row does not say how many episodes were played or shown."""
        slots = self.lineup_size or self.num_agents
        if not self.episodes or not slots:
            return self
        return replace(
            self,
            learned=self.learned.shown(self.episodes, slots),
            learned_joint=self.learned_joint.shown(self.episodes, slots),
            limit=self.limit.shown(self.episodes, slots),
            baselines={
                name: score.shown(self.episodes, slots) for name, score in self.baselines.items()
            },
            lagged_top1=rebounded(self.lagged_top1, self.episodes),
        )

    @property
    def chance(self) -> float | None:
        """Top-1 of guessing, 1 / K; None if the row does not say how many are shown."""
        shown = self.lineup_size or self.num_agents
        return 1.0 / shown if shown else None

    def figure(self, key: str) -> Estimate | None:
        """A figure by the dotted name that a user types, e.g. `"learned.top1"`.

        Returns:
            the figure, without an interval if it is a bare number; None if it is missing or null.
        """
        found: Any = self.to_dict()
        for part in key.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return Estimate.from_dict(found)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Evaluation:
        """Read a recorded row, whatever it holds."""
        scores = row.get("baselines")
        baselines = scores if isinstance(scores, Mapping) else {}
        valid = row.get("limit_valid")
        reason = row.get("limit_reason")
        return cls(
            iteration=_whole(row.get("iteration")),
            env_steps=_as_written(row.get("env_steps")),
            seconds=_as_written(row.get("seconds")),
            num_agents=_count(row.get("num_agents")),
            lineup_size=_count(row.get("lineup_size")),
            horizon=_count(row.get("horizon")),
            episodes=_count(row.get("episodes")),
            learned=RecordedScore.from_dict(row.get("learned")),
            learned_joint=RecordedScore.from_dict(row.get("learned_joint")),
            limit=RecordedScore.from_dict(row.get("limit")),
            limit_valid=valid if isinstance(valid, bool) else None,
            limit_reason=str(reason) if reason or reason == "" else None,
            baselines={str(name): RecordedScore.from_dict(one) for name, one in baselines.items()},
            environment_return=Estimate.from_dict(row.get("return")),
            mirror_return=Estimate.from_dict(row.get("mirror_return")),
            per_agent_return=curve(row.get("per_agent_return")),
            recognition_matrix=matrix(row.get("recognition_matrix")),
            confusion=matrix(row.get("confusion")),
            evidence_over_time=EvidenceOverTime.from_dict(row.get("evidence_over_time")),
            log_e_value=finite_number(row.get("log_e_value")),
            lagged_top1=Estimate.from_dict(row.get("lagged_top1")),
            persistence=finite_number(row.get("persistence")),
            others={str(key): value for key, value in row.items() if key not in _KEYS},
        )

    def to_dict(self) -> dict[str, Any]:
        """The row as a run folder holds it, in its order.

        `iteration`, `env_steps` and `seconds` are left out outside of a run.
        """
        place = {"iteration": self.iteration, "env_steps": self.env_steps, "seconds": self.seconds}
        return {
            **{name: value for name, value in place.items() if value is not None},
            "num_agents": self.num_agents,
            "lineup_size": self.lineup_size,
            "horizon": self.horizon,
            "episodes": self.episodes,
            "learned": self.learned.to_dict(),
            "learned_joint": self.learned_joint.to_dict(),
            "limit": self.limit.to_dict(),
            "limit_valid": self.limit_valid,
            "limit_reason": self.limit_reason,
            "baselines": {name: score.to_dict() for name, score in self.baselines.items()},
            "return": _recorded(self.environment_return),
            "mirror_return": _recorded(self.mirror_return),
            "per_agent_return": _listed(self.per_agent_return),
            "recognition_matrix": _listed(self.recognition_matrix),
            "confusion": _listed(self.confusion),
            "evidence_over_time": self.evidence_over_time.to_dict(),
            "log_e_value": self.log_e_value,
            "lagged_top1": _recorded(self.lagged_top1),
            "persistence": self.persistence,
            **self.others,
        }


_KEYS = frozenset(
    "return" if one.name == "environment_return" else one.name
    for one in fields(Evaluation)
    if one.name != "others"
)


def _recorded(one: Estimate | None) -> dict[str, float | None] | None:
    return None if one is None else one.to_dict()


def _listed(values: Floats64 | None) -> list[Any] | None:
    return None if values is None else nulls(values)


def _as_written(value: Any) -> float | None:
    """A finite number that stays an int if it is one, as a file is to be written again."""
    return value if finite_number(value) is not None else None


def _whole(value: Any) -> int | None:
    found = finite_number(value)
    return None if found is None or found != int(found) else int(found)


def _count(value: Any) -> int | None:
    """A whole number from one on; a fraction is rounded down."""
    found = finite_number(value)
    return None if found is None or found < 1 else int(found)
