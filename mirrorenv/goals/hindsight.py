"""What a walk without a goal teaches, seen from its end: each later node was a goal one was on the
way to.

Shape legend: W walks, L nodes of the longest walk, M lessons.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ConfigError
from mirrorenv.goals.pivots import Pivots
from mirrorenv.goals.walks import Walks

__all__ = ["TARGETS", "Lessons", "lessons", "next_pivots", "scores_of"]

TARGETS = ("distance", "gamma", "td")
"""How a lesson is scored: 1 - steps / most steps; gamma to the steps; or gamma to the steps of what
is known of the way onward (a temporal difference)."""


class Lessons(NamedTuple):
    """M times: from this state, on the way to this goal, that was the next subgoal."""

    states: npt.NDArray[np.int64]
    """(M,)."""
    goals: npt.NDArray[np.int64]
    """(M,)."""
    subgoals: npt.NDArray[np.int64]
    """(M,) nodes, or actions."""
    steps: npt.NDArray[np.int64]
    """(M,) from the state to the goal."""
    ahead: npt.NDArray[np.int64]
    """(M,) steps from the state to the subgoal."""
    following: npt.NDArray[np.int64]
    """(M,) nodes: the subgoal, or where the action led."""


def next_pivots(pivots: Pivots, ahead: int = 1) -> npt.NDArray[np.int64]:
    """(W, L) the place of the first pivot at least `ahead` after each place; L if there is none."""
    count, longest = pivots.shape
    place = np.where(pivots, np.arange(longest), longest)
    nearest = np.minimum.accumulate(place[:, ::-1], axis=1)[:, ::-1]  # at or after each place
    padded = np.concatenate([nearest, np.full((count, ahead), longest)], axis=1)
    found: npt.NDArray[np.int64] = padded[:, ahead:]
    return found


def lessons(
    walks: Walks,
    goals: Pivots,
    subgoals: Pivots | None = None,
    *,
    reach: int | None = None,
    actions: bool = False,
) -> Iterator[Lessons]:
    """Lessons of one level, in batches: the next pivot as goal, the one after it, and so on.

    Args:
        walks: what was walked.
        goals: (W, L) which nodes are taken as goals.
        subgoals: (W, L) which nodes are subgoals, the pivots of the level below; None: every node.
        reach: how many goals ahead are taught of, from each node; None: all of them. (A mask of the
            last two pivots in the reverse direction is reach 2.)
        actions: whether the action at a node is learned in place of the next node.

    Raises:
        ConfigError: if actions are wanted of walks without any, or above the bottom level.
    """
    if actions and (walks.actions is None or subgoals is not None):
        raise ConfigError(
            "sub-actions are learned at the bottom level, of walks that recorded what was done"
        )
    count, longest = walks.nodes.shape
    row = np.arange(count)[:, None]
    goal_after = np.concatenate(
        [next_pivots(goals), np.full((count, 1), longest)], axis=1
    )  # (W, L + 1), so that what lies after the last goal stays there
    if subgoals is None:
        onward = np.broadcast_to(np.arange(1, longest + 1), (count, longest))
    else:
        onward = next_pivots(subgoals)
    here = np.broadcast_to(np.arange(longest), (count, longest))
    goal = goal_after[:, :longest]
    taught = 0
    while reach is None or taught < reach:
        valid = (goal < longest) & (walks.nodes >= 0)
        if not valid.any():
            return
        walk, start = np.nonzero(valid)
        end = goal[walk, start]
        # a goal that comes before the next subgoal is its own subgoal
        way = np.minimum(onward[walk, start], end)
        following = walks.nodes[walk, way]
        chosen = following
        if actions and walks.actions is not None:
            chosen = walks.actions[walk, start]
        state = walks.nodes[walk, start]
        final = walks.nodes[walk, end]
        away = state != final
        lesson = Lessons(state, final, chosen, end - start, way - here[walk, start], following)
        yield Lessons(*(part[away] for part in lesson))
        goal = goal_after[row, goal]
        taught += 1


def scores_of(
    taught: Lessons,
    target: str,
    *,
    gamma: float = 0.9,
    most: int = 32,
    known: npt.NDArray[np.float64] | None = None,
) -> npt.NDArray[np.float64]:
    """(M,) how good each lesson is, larger is nearer.

    Args:
        taught: lessons.
        target: one of `TARGETS`.
        gamma: discount of a step.
        most: steps that score 0 as a distance.
        known: (V, V) scores known so far from row to column, for "td"; a goal scores 1 at itself.

    Raises:
        ConfigError: for another target, or "td" without what is known.
    """
    if target == "distance":
        found: npt.NDArray[np.float64] = 1.0 - taught.steps / most
        return found
    seen: npt.NDArray[np.float64] = gamma ** taught.steps.astype(np.float64)
    if target == "gamma":
        return seen
    if target != "td" or known is None:
        raise ConfigError(
            f"the target of hindsight is one of {', '.join(TARGETS)} (td with what is known so "
            f"far), not {target!r}"
        )
    onward = np.where(taught.following == taught.goals, 1.0, known[taught.following, taught.goals])
    return np.maximum(seen, gamma ** taught.ahead.astype(np.float64) * onward)
