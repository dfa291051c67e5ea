"""A table of the best subgoal so far: a new one is kept only if it scores higher.

Shape legend: M lessons, Q queries, V nodes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from mirrorenv.goals.hindsight import Lessons
from mirrorenv.goals.kernels.base import Answers, Kernel, KernelSize, register_kernel
from mirrorenv.mirror.arrays import Floats64, Ints64
from mirrorenv.strict import StrictModel

__all__ = ["Table", "TableSettings"]


class TableSettings(StrictModel):
    """Settings of the kernel `table`."""

    asymmetric: bool = True
    """Keep the best so far. Otherwise the last lesson counts, however bad."""


@register_kernel("table")
class Table(Kernel):
    """One subgoal and its score for every state and goal."""

    Settings = TableSettings

    def __init__(self, size: KernelSize, settings: TableSettings) -> None:
        self.size = size
        self.settings = settings
        self.subgoals = np.full(size.nodes**2, -1, np.int64)  # (V V)
        self.scores = np.full(size.nodes**2, -np.inf)  # (V V)

    def learn(self, lessons: Lessons, scores: Floats64) -> None:
        """See `Kernel.learn`: as if one lesson came after the other."""
        key = lessons.states.astype(np.int64) * self.size.nodes + lessons.goals  # (M,)
        order = np.arange(len(key))
        if self.settings.asymmetric:
            best = np.full(self.size.nodes**2, -np.inf)
            np.maximum.at(best, key, scores)
            # the first of the best, and only where it beats what is there
            candidates = (scores == best[key]) & (scores > self.scores[key])
            key, order = key[candidates][::-1], order[candidates][::-1]
        last = np.full(self.size.nodes**2, -1, np.int64)
        last[key] = order  # the last assignment of a place stays
        touched = np.flatnonzero(last >= 0)
        self.subgoals[touched] = lessons.subgoals[last[touched]]
        self.scores[touched] = scores[last[touched]]

    def infer(self, states: Ints64, goals: Ints64) -> Answers:
        """See `Kernel.infer`."""
        key = states * self.size.nodes + goals
        return Answers(self.subgoals[key], self.scores[key])

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """See `Kernel.state`."""
        return {"subgoals": self.subgoals.copy(), "scores": self.scores.copy()}

    def restore(self, state: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """See `Kernel.restore`."""
        self.subgoals = state["subgoals"].astype(np.int64)
        self.scores = state["scores"].astype(np.float64)
