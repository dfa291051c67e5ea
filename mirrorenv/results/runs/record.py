"""What one run logged, in the order of its training, ready to be drawn.

Shape legend: E evaluations or iterations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from mirrorenv.mirror.arrays import Floats64
from mirrorenv.mirror.intervals import Estimate, finite_number
from mirrorenv.results.runs.evaluation import Evaluation

__all__ = ["RunRecord", "Series", "headlines"]

MetricsRow = Mapping[str, Any]


class Series(NamedTuple):
    """A figure against environment steps, each array (E,); `low` and `high` NaN where unknown."""

    steps: Floats64
    value: Floats64
    low: Floats64
    high: Floats64


@dataclass(frozen=True)
class RunRecord:
    """The evaluations and metrics of one run, ordered by environment steps.

    Attributes:
        evaluations: rows with a usable `env_steps`.
        metrics: rows with a usable `env_steps`.
        name: what to call this run in a legend.
        dropped: rows left out because they have no `env_steps`.
        agents: names of the N agents; empty if they are not known.
    """

    evaluations: list[Evaluation]
    metrics: list[MetricsRow] = field(default_factory=list)
    name: str = "this run"
    dropped: int = 0
    agents: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, evaluations: Sequence[Any], metrics: Sequence[Any] = (), name: str = "this run"
    ) -> RunRecord:
        """Sort rows and leave out those that cannot be placed; shares get the interval that is
        printed of them.

        Args:
            evaluations: rows of `evaluations.jsonl`, from a file that may hold anything.
            metrics: rows of `metrics.jsonl`, likewise.
            name: what to call this run in a legend.
        """
        placed = [Evaluation.from_dict(row).shown() for row in _placed(evaluations)]
        measured = _placed(metrics)
        dropped = len(evaluations) + len(metrics) - len(placed) - len(measured)
        return cls(placed, measured, name, dropped)

    @property
    def last(self) -> Evaluation:
        """The latest evaluation, or an empty one."""
        return self.evaluations[-1] if self.evaluations else Evaluation()

    @property
    def before(self) -> Evaluation | None:
        """The evaluation before training (iteration 0), if there is one."""
        return next((one for one in self.evaluations if one.iteration == 0), None)

    @property
    def num_agents(self) -> int | None:
        """N, from the latest evaluation that says it."""
        return self._latest(lambda one: one.num_agents)

    def names(self, count: int) -> list[str]:
        """What to call `count` agents: by their names, or by their numbers."""
        if len(self.agents) == count:
            return list(self.agents)
        return [f"agent {number}" for number in range(count)]

    @property
    def lineup_size(self) -> int | None:
        """Trajectories in a lineup, by which chance and log N are drawn: N, unless a neighbourhood
        is shown."""
        return self._latest(lambda one: one.lineup_size) or self.num_agents

    @property
    def horizon(self) -> int | None:
        """Steps of an episode, from the latest evaluation that says it."""
        return self._latest(lambda one: one.horizon)

    @property
    def episodes(self) -> int | None:
        """Episodes of an evaluation, from the latest one that says it."""
        return self._latest(lambda one: one.episodes)

    @property
    def fewest_episodes(self) -> int | None:
        """Episodes of the smallest evaluation: those before the last may be smaller than it."""
        return min((one.episodes for one in self.evaluations if one.episodes), default=None)

    @property
    def limit_holds(self) -> bool:
        """Whether the limit is the exact one; False where an evaluation says that this world does
        not allow it."""
        return all(one.limit_valid is not False for one in self.evaluations)

    @property
    def pays(self) -> bool | None:
        """Whether the world ever paid anything; None where nothing says so."""
        found = [one.environment_return for one in self.evaluations]
        paid = [one.value for one in found if one is not None]
        for one in self.evaluations:
            if one.per_agent_return is not None:
                paid += one.per_agent_return[np.isfinite(one.per_agent_return)].tolist()
        training = self.metric("return")
        if training is not None:
            paid += training.value.tolist()
        return any(value != 0 for value in paid) if paid else None

    @property
    def limit_name(self) -> str:
        """What to call the limit."""
        return "exact limit" if self.limit_holds else "limit (not exact here)"

    def _latest(self, read: Callable[[Evaluation], int | None]) -> int | None:
        found = (read(one) for one in reversed(self.evaluations))
        return next((value for value in found if value is not None), None)

    def series(self, read: Callable[[Evaluation], Estimate | float | None]) -> Series | None:
        """A figure over the evaluations that hold it; None if none does.

        Args:
            read: takes the figure from an evaluation, None where it is missing.
        """
        return _series((one.env_steps, read(one)) for one in self.evaluations)

    def metric(self, key: str) -> Series | None:
        """A training metric over the iterations that hold it; None if none does.

        Args:
            key: its name in `metrics.jsonl`.
        """
        return _series((row["env_steps"], Estimate.from_dict(row.get(key))) for row in self.metrics)


def headlines(row: MetricsRow) -> list[str]:
    """The first metric of every auxiliary in a row of metrics, which are named label/metric."""
    found: dict[str, str] = {}
    for key in row:
        label, slash, _ = str(key).partition("/")
        if slash:
            found.setdefault(label, str(key))
    return list(found.values())


def _placed(rows: Sequence[Any]) -> list[MetricsRow]:
    kept = [
        row
        for row in rows
        if isinstance(row, Mapping) and finite_number(row.get("env_steps")) is not None
    ]
    return sorted(kept, key=lambda row: float(row["env_steps"]))


def _series(points: Iterable[tuple[float | None, Estimate | float | None]]) -> Series | None:
    table = []
    for step, found in points:
        if found is None or step is None:
            continue
        one = found if isinstance(found, Estimate) else Estimate(found)
        low, high = (one.low, one.high) if one.bounded else (math.nan, math.nan)
        table.append((float(step), one.value, low, high))
    if not table:
        return None
    steps, value, low_ends, high_ends = np.array(table, dtype=np.float64).T
    return Series(steps, value, low_ends, high_ends)
