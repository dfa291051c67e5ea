"""How many iterations a run has, after which of them it is evaluated, and on how many episodes."""

from __future__ import annotations

from dataclasses import dataclass

from mirrorenv.rllib.settings import RunSettings

__all__ = ["Schedule", "schedule"]

SHARE = 16
"""One held-out episode for so many that are trained on: evaluations on the way then take less than
15 % of a run, as docs/speed.md has measured."""
FEWEST = 16
"""Fewer have no interval worth drawing."""


@dataclass(frozen=True)
class Schedule:
    """What follows from a run's settings and its world before anything is played.

    Attributes:
        iterations: in all, at least 1.
        due: the iterations after which the run is evaluated; the last one is among them.
        episodes: held-out episodes in the last evaluation.
        before_last: held-out episodes in every other one, at most as many.
    """

    iterations: int
    due: frozenset[int]
    episodes: int
    before_last: int


def schedule(settings: RunSettings, horizon: int) -> Schedule:
    """The schedule of a run.

    Args:
        settings: of the run.
        horizon: steps of an episode of its world at most.
    """
    evaluation = settings.evaluation
    per_iteration = settings.learning.episodes_per_iteration
    iterations = max(1, -(-settings.total_steps // (per_iteration * horizon)))
    checkpoints = min(evaluation.checkpoints, iterations)
    due = frozenset(round(iterations * k / checkpoints) for k in range(1, checkpoints + 1))
    few = evaluation.episodes_before_last
    if few is None:
        few = max(FEWEST, iterations * per_iteration // checkpoints // SHARE)
    few = min(few or evaluation.episodes, evaluation.episodes)
    return Schedule(iterations, due, evaluation.episodes, few)
