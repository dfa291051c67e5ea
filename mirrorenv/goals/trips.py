"""How well a hierarchy gets about: it is sent from nodes to goals, and its steps are counted.

Shape legend: Q trips, V nodes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mirrorenv.goals.hierarchy import Hierarchy, PlanError
from mirrorenv.mirror.arrays import Bools, Ints64

__all__ = ["Trips", "all_pairs", "react_trips", "think_trips"]


class Trips(NamedTuple):
    """What became of Q trips."""

    arrived: Bools
    """(Q,)."""
    steps: Ints64
    """(Q,) taken until it arrived, or until it was stopped."""
    shortest: Ints64
    """(Q,) the fewest steps."""

    @property
    def success(self) -> float:
        """Share of trips that arrived."""
        return float(self.arrived.mean())

    @property
    def over_optimum(self) -> float:
        """Steps over the fewest steps, both summed over the trips that arrived; nan if none did."""
        if not self.arrived.any():
            return float("nan")
        return float(self.steps[self.arrived].sum() / self.shortest[self.arrived].sum())


def all_pairs(lengths: Ints64) -> tuple[Ints64, ...]:
    """States and goals of every trip that can be made.

    Args:
        lengths: (V, V) fewest steps, -1 where there is no way.
    """
    states, goals = np.nonzero(lengths > 0)
    return states, goals


def react_trips(
    hierarchy: Hierarchy,
    edges: Bools,
    lengths: Ints64,
    *,
    most: int | None = None,
    rng: np.random.Generator | None = None,
) -> Trips:
    """Every pair, one step at a time; a step where no edge leads is a stay.

    Args:
        hierarchy: who goes.
        edges: (V, V) bool.
        lengths: (V, V) fewest steps.
        most: steps after which a trip is stopped; V if not given.
        rng: where the hierarchy knows no step, a random edge is taken. None: it stays.
    """
    states, goals = all_pairs(lengths)
    here = states.copy()
    steps = np.zeros(len(states), np.int64)
    for _ in range(len(edges) if most is None else most):
        going = np.flatnonzero(here != goals)
        if not len(going):
            break
        chosen = hierarchy.react(here[going], goals[going])
        if rng is not None:
            lost = chosen < 0
            draws = np.where(edges[here[going]], rng.random((len(going), len(edges))), -1.0)
            chosen = np.where(lost, draws.argmax(axis=1), chosen)
        leads = (chosen >= 0) & edges[here[going], np.maximum(chosen, 0)]
        here[going] = np.where(leads, chosen, here[going])
        steps[going] += 1
    return Trips(here == goals, steps, lengths[states, goals])


def think_trips(hierarchy: Hierarchy, edges: Bools, lengths: Ints64) -> Trips:
    """Every pair, thought out before: a plan that does not come about, or takes a step where no
    edge leads, does not arrive.

    Args:
        hierarchy: who thinks.
        edges: (V, V) the graph.
        lengths: (V, V) its shortest ways.
    """
    states, goals = all_pairs(lengths)
    arrived = np.zeros(len(states), bool)
    steps = np.zeros(len(states), np.int64)
    for trip, (state, goal) in enumerate(zip(states.tolist(), goals.tolist(), strict=True)):
        try:
            path = hierarchy.think(state, goal).path
        except PlanError:
            continue
        steps[trip] = len(path)
        arrived[trip] = edges[np.array([state, *path[:-1]]), np.array(path)].all()
    return Trips(arrived, steps, lengths[states, goals])
