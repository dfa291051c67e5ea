"""Levels of goals at growing time scales: each asks the level below for something nearer.

Shape legend: W walks, L nodes of the longest walk, V nodes, Q queries.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field, JsonValue

from mirrorenv.errors import ConfigError, MirrorError
from mirrorenv.goals.hindsight import TARGETS, lessons, scores_of
from mirrorenv.goals.kernels.base import Kernel, KernelSize, build_kernel
from mirrorenv.goals.pivots import Pivots, ends, every, peaks, score_of_nodes
from mirrorenv.goals.walks import Walks
from mirrorenv.mirror.arrays import Floats64, Ints64
from mirrorenv.strict import StrictModel

__all__ = ["MOST_SUBSTEPS", "Hierarchy", "HierarchySettings", "Plan", "PlanError"]

MOST_SUBSTEPS = 16
"""The most substeps that a level may think a way into."""


class PlanError(MirrorError, RuntimeError):
    """A plan does not lead to its goal."""


class HierarchySettings(StrictModel):
    """Settings of a hierarchy of goals."""

    levels: int = Field(default=3, ge=1, le=8)
    """How many levels there are; one is a flat agent."""
    skip: int = Field(default=4, ge=1)
    """Nodes of one level between two of the next."""
    pivots: Literal["every", "visits", "entropy", "narrow", "learned"] = "every"
    """Which nodes are goals above the bottom: every `skip`-th of the level below, or peaks of a
    score."""
    reach: int | None = Field(default=2, ge=1)
    """How many pivots ahead are goals of a level below the top; None: all."""
    top: Literal["ends", "pivots", "all"] = "ends"
    """What the top level takes as goals: the ends of walks, all pivots of its level, or every later
    node (full hindsight)."""
    target: Literal["distance", "gamma", "td"] = "distance"
    """How a lesson is scored."""
    gamma: float = Field(default=0.9, gt=0, lt=1)
    """Discount of a step."""
    kernel: str = "table"
    """What each level remembers with."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """Of the kernel."""
    bottom: Literal["state", "action"] = "state"
    """What the bottom level answers with: the next node, or what to do."""


class Plan(NamedTuple):
    """A way thought out before a step is taken."""

    levels: tuple[tuple[int, ...], ...]
    """Subgoals of every level, from the top down; each ends with the goal."""

    @property
    def path(self) -> tuple[int, ...]:
        """The bottom level's: node by node."""
        return self.levels[-1]


class Hierarchy:
    """Levels that are taught by the same walks, each without the others.

    Args:
        nodes: V.
        settings: of the hierarchy.
        seed: of kernels that have initial weights.
        actions: how many actions there are, if the bottom level answers with them.

    Raises:
        ConfigError: if the bottom is to answer with actions and there are none.
    """

    def __init__(
        self, nodes: int, settings: HierarchySettings, seed: int = 0, actions: int = 0
    ) -> None:
        if settings.bottom == "action" and actions < 1:
            raise ConfigError("a bottom level that answers with actions must be told how many")
        self.nodes = nodes
        self.settings = settings
        self.kernels: list[Kernel] = []
        for level in range(settings.levels):
            answers = actions if settings.bottom == "action" and level == 0 else nodes
            size = KernelSize(nodes, answers, seed * 64 + level)
            self.kernels.append(build_kernel(settings.kernel, size, settings.options))
        self.lesioned: frozenset[int] = frozenset()
        """Levels that are passed over when it acts, 0 at the bottom."""

    # -- learning ----------------------------------------------------------------------------------

    def learn(self, walks: Walks) -> None:
        """Teach all levels by hindsight. No level waits for another: their order is the same to the
        result.

        Raises:
            ConfigError: if even the longest walk is too short for the time scale of the top level.
        """
        pivots = self.pivots(walks)
        for level in range(self.settings.levels):
            self._teach(level, walks, pivots)

    def pivots(self, walks: Walks) -> list[Pivots]:
        """Goals of every level, (W, L) bool each.

        Raises:
            ConfigError: if even the longest walk is too short for the time scale of the top level.
        """
        settings = self.settings
        longest = int(walks.lengths.max())
        span = settings.skip ** (settings.levels - 1)
        if settings.levels > 1 and settings.pivots == "every" and span >= longest:
            raise ConfigError(
                f"{settings.levels} levels that skip {settings.skip} have subgoals {span} steps "
                f"apart at the top, and the longest walk has {longest - 1} steps: take fewer "
                "levels, a smaller skip or longer walks"
            )
        found = [self._pivots_of(level, walks) for level in range(settings.levels - 1)]
        return [*found, self._top(walks)]

    def _pivots_of(self, level: int, walks: Walks) -> Pivots:
        kind = self.settings.pivots
        if kind == "every":
            return every(walks, self.settings.skip ** (level + 1))
        distances = self.distances() if kind == "learned" else None
        score = score_of_nodes(kind, walks, self.nodes, distances)
        found = peaks(walks, score)
        for _ in range(level):  # peaks among the peaks
            found = _peaks_among(walks, found, score)
        return found

    def _top(self, walks: Walks) -> Pivots:
        if self.settings.top == "all":
            return walks.nodes >= 0
        if self.settings.top == "pivots":
            return self._pivots_of(self.settings.levels - 1, walks)
        return ends(walks)

    def _teach(self, level: int, walks: Walks, pivots: list[Pivots]) -> None:
        settings = self.settings
        top = level == settings.levels - 1
        kernel = self.kernels[level]
        batches = lessons(
            walks,
            pivots[level],
            pivots[level - 1] if level else None,
            reach=None if top else settings.reach,
            actions=settings.bottom == "action" and level == 0,
        )
        most = walks.nodes.shape[1]
        for batch in batches:
            known = self._scores(kernel) if settings.target == TARGETS[2] else None
            score = scores_of(batch, settings.target, gamma=settings.gamma, most=most, known=known)
            kernel.learn(batch, score)
        kernel.settle()

    def _scores(self, kernel: Kernel) -> Floats64:
        """(V, V) what a kernel believes of every state and goal, 0 where it knows nothing."""
        states, goals = np.divmod(np.arange(self.nodes**2), self.nodes)
        scores = kernel.infer(states, goals).scores.reshape(self.nodes, self.nodes)
        return np.where(np.isfinite(scores), np.maximum(scores, 0.0), 0.0)

    def distances(self) -> Floats64:
        """(V, V) what the top level's scores order ways by: 1 - score, infinity where no way is
        known, 0 on the diagonal. In steps over the longest walk where the target is a distance."""
        states, goals = np.divmod(np.arange(self.nodes**2), self.nodes)
        scores = self.kernels[-1].infer(states, goals).scores.reshape(self.nodes, self.nodes)
        found = np.where(np.isfinite(scores), 1.0 - scores, np.inf)
        np.fill_diagonal(found, 0.0)
        return found

    # -- acting ------------------------------------------------------------------------------------

    def lesion(self, *levels: int) -> None:
        """Pass over these levels from now on, 0 at the bottom; none: all work again.

        Raises:
            ConfigError: if the bottom is among them, without which nothing acts, or there is no
                such level.
        """
        if wrong := [level for level in levels if not 0 < level < self.settings.levels]:
            raise ConfigError(
                f"level {wrong[0]} cannot be lesioned: levels above the bottom are 1 to "
                f"{self.settings.levels - 1}"
            )
        self.lesioned = frozenset(levels)

    def react(self, states: Ints64, goals: Ints64) -> Ints64:
        """One step down the levels: each turns its goal into a nearer one for the level below.

        Args:
            states: (Q,).
            goals: (Q,).

        Returns:
            (Q,) next nodes or actions, -1 where the bottom level knows no way.
        """
        aim = goals
        for level in range(self.settings.levels - 1, 0, -1):
            if level not in self.lesioned:
                found = self.kernels[level].infer(states, aim).subgoals
                # where a level knows nothing, or is there already, its own goal is handed down
                aim = np.where((found < 0) | (found == states), aim, found)
        answer = self.kernels[0].infer(states, aim).subgoals
        if self.settings.bottom == "state":
            answer = np.where(states == goals, goals, answer)
        return answer

    def think(self, state: int, goal: int) -> Plan:
        """The whole way from the top down before a step is taken.

        Args:
            state: where it begins.
            goal: where it is to end.

        Raises:
            PlanError: if a level knows no way, or needs more than 16 substeps for one.
            ConfigError: if the bottom level answers with actions, which lead to no node.
        """
        if self.settings.bottom == "action":
            raise ConfigError("only sub-states can be unrolled into a plan: set bottom to state")
        aims: tuple[int, ...] = (goal,)
        levels = []
        for level in range(self.settings.levels - 1, -1, -1):
            if level in self.lesioned:
                continue
            here = state
            way = []
            for aim in aims:
                way += self._unroll(level, here, aim)
                here = aim
            aims = tuple(way)
            levels.append(aims)
        return Plan(tuple(levels))

    def _unroll(self, level: int, state: int, goal: int) -> list[int]:
        """Subgoals of one level from a node to a goal, the goal the last of them."""
        kernel = self.kernels[level]
        way: list[int] = []
        here = state
        while here != goal:
            answer = int(kernel.infer(np.array([here]), np.array([goal])).subgoals[0])
            if level and (answer < 0 or answer == here):
                answer = goal  # handed down as it is
            if answer < 0:
                raise PlanError(
                    f"level {level} knows no way from node {here} to node {goal}: no walk it "
                    "learned from went there; let it learn from more or longer walks"
                )
            way.append(answer)
            here = answer
            if len(way) > MOST_SUBSTEPS:
                raise PlanError(
                    f"level {level} did not come from node {state} to node {goal} in "
                    f"{MOST_SUBSTEPS} substeps: give the hierarchy another level, or let it learn "
                    "from more walks"
                )
        return way

    # -- going on ----------------------------------------------------------------------------------

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Everything learned, as arrays by name."""
        found = {}
        for level, kernel in enumerate(self.kernels):
            found.update({f"{level}.{name}": value for name, value in kernel.state().items()})
        return found

    def restore(self, state: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go on from what `state` gave."""
        for level, kernel in enumerate(self.kernels):
            start = f"{level}."
            own = {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}
            kernel.restore(own)


def _peaks_among(walks: Walks, pivots: Pivots, score: Floats64) -> Pivots:
    """Peaks of the score along the pivots only, and the last node."""
    found = np.zeros_like(pivots)
    for row, kept in enumerate(pivots):
        places = np.flatnonzero(kept)
        along = score[walks.nodes[row, places]]
        higher = np.concatenate([[False], along[1:] > along[:-1]])
        lower = np.concatenate([along[:-1] >= along[1:], [True]])
        found[row, places[higher & lower]] = True
    return found | ends(walks)
