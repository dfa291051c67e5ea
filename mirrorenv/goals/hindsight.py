"""What a walk without a goal teaches, seen from its end: each later node was a goal one was on the
way to.

Shape legend: W walks, L nodes of the longest walk, M lessons.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ConfigError
from mirrorenv.goals.pivots import Pivots
from mirrorenv.goals.walks import Walks
from mirrorenv.mirror.arrays import Floats64

__all__ = ["TARGETS", "Lessons", "lessons", "next_pivots", "scores_of"]

TARGETS = ("distance", "gamma", "td")
"""How a lesson is scored: 1 - steps / most steps; gamma to the steps; or gamma to the steps of what
is known of the way onward (a temporal difference)."""


Whole = npt.NDArray[np.integer[Any]]


class Lessons(NamedTuple):
    """M times: from this state, on the way to this goal, that was the next subgoal. Whole numbers,
    32 bits each where they are made here: what is learned from is read once, and large."""

    states: Whole
    """(M,)."""
    goals: Whole
    """(M,)."""
    subgoals: Whole
    """(M,) nodes, or actions."""
    steps: Whole
    """(M,) from the state to the goal."""
    ahead: Whole
    """(M,) steps from the state to the subgoal."""
    following: Whole
    """(M,) nodes: the subgoal, or where the action led."""


def next_pivots(pivots: Pivots, ahead: int = 1) -> Whole:
    """(W, L) the place of the first pivot at least `ahead` after each place; L if there is none."""
    count, longest = pivots.shape
    place = np.full((count, longest + ahead), longest, np.int32)
    np.copyto(place[:, :longest], np.arange(longest, dtype=np.int32), where=pivots)
    nearest = np.minimum.accumulate(place[:, ::-1], axis=1)[:, ::-1]  # at or after each place
    found: Whole = nearest[:, ahead:]
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
    # places of all walks in one row, each walk followed by one that is past its end
    width = longest + 1
    padded = np.full((count, width), -1, np.int32)
    padded[:, :longest] = walks.nodes
    nodes = padded.ravel()
    goal_after = _places_after(goals, width)
    onward = None if subgoals is None else _places_after(subgoals, width)
    done = None
    if actions and walks.actions is not None:
        done = np.concatenate([walks.actions, np.full((count, 1), -1)], axis=1).ravel()
    here = np.flatnonzero(nodes >= 0).astype(np.int32)
    goal = goal_after.take(here)
    taught = 0
    while reach is None or taught < reach:
        live = nodes.take(goal) >= 0
        here, goal = here[live], goal[live]
        if not len(here):
            return
        # a goal that comes before the next subgoal is its own subgoal
        way = here + 1 if onward is None else np.minimum(onward.take(here), goal)
        following = nodes.take(way)
        chosen = following if done is None else done.take(here)
        state = nodes.take(here)
        final = nodes.take(goal)
        lesson = Lessons(state, final, chosen, goal - here, way - here, following)
        away = state != final
        if not away.all():
            lesson = Lessons(*(part[away] for part in lesson))
        yield lesson
        goal = goal_after.take(goal)
        taught += 1


def _places_after(pivots: Pivots, width: int) -> Whole:
    """(W width,) the next pivot's place among those of all walks, behind the end if there is
    none."""
    count = len(pivots)
    within = np.full((count, width), width - 1, np.int32)
    within[:, :-1] = next_pivots(pivots)
    within += width * np.arange(count, dtype=np.int32)[:, None]
    return within.ravel()


def scores_of(
    taught: Lessons,
    target: str,
    *,
    gamma: float = 0.9,
    most: int = 32,
    known: Floats64 | None = None,
) -> Floats64:
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
        found: Floats64 = 1.0 - taught.steps / most
        return found
    seen: Floats64 = gamma ** taught.steps.astype(np.float64)
    if target == "gamma":
        return seen
    if target != "td" or known is None:
        raise ConfigError(
            f"the target of hindsight is one of {', '.join(TARGETS)} (td with what is known so "
            f"far), not {target!r}"
        )
    onward = np.where(taught.following == taught.goals, 1.0, known[taught.following, taught.goals])
    return np.maximum(seen, gamma ** taught.ahead.astype(np.float64) * onward)
