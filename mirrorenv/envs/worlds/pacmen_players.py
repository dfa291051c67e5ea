"""Scripted Pac-Men players with full sight of the map: what crowds, coordination and a division of
labour are worth.

They read the world's state, not the observations, and serve as anchors: a learned population's
return is reported as the share of the way from :class:`~mirrorenv.envs.policies.UniformPolicy` to
the specialists. Where the description of the anchors leaves a choice open, the one that reproduces
the reference returns was taken (`benchmarks/studies/pacmen_anchors.py`): of equally near dots the
first in reading order (row by row) is chosen; in the coordinated team agents choose in the order of
their names and an agent that finds no dot left waits; an idle specialist waits where it is.

Shape legend: B batch, N agents, C cells of the grid, M cells where dots may lie (48, in reading
order).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from mirrorenv.envs.worlds.pacmen import DOT, EAT, Pacmen
from mirrorenv.envs.worlds.pacmen_map import PacmenMap, pacmen_map
from mirrorenv.mirror.arrays import Floats32, Ints64

__all__ = ["PLAYERS", "CoordinatedPlayers", "HomogeneousPlayers", "SpecialistPlayers"]

_FAR = np.int16(np.iinfo(np.int16).max)  # the distance to a dot that is not there
_NONE = -1


@cache
def _routes(size: str) -> npt.NDArray[np.int8]:
    """(C, C) the first action on a shortest way from one cell to another; EAT where one is already,
    or cannot go."""
    layout: PacmenMap = pacmen_map(size)
    distance = layout.distance
    cells = np.arange(layout.free.size)
    routes = np.full(distance.shape, EAT, np.int8)
    # the first action wins
    for action, move in reversed(list(enumerate((-layout.width, layout.width, 1, -1)))):
        neighbour = np.clip(cells + move, 0, cells[-1])
        routes[(distance > 0) & (distance[neighbour] == distance - 1)] = action
    return routes


class _Players(ABC):
    """A team that walks to the dots it has chosen. A policy in form, it reads the world, not the
    observations."""

    def __init__(self, world: Pacmen) -> None:
        self.world = world
        self._dot_cells = np.sort(world.map.dot_boxes.ravel())  # (M,)
        self._routes = _routes(world.size)

    def __call__(self, observations: Floats32, t: int) -> Ints64:
        """(B, N) int64 actions: one step along a shortest way, eat on arrival, eat (nothing) while
        waiting."""
        here = self.world.positions  # (B, N)
        chosen = self.choose(self._distances())  # (B, N) index into M, or _NONE
        actions = self._routes[here, self._dot_cells[chosen]].astype(np.int64)
        return np.where(chosen == _NONE, EAT, actions)

    def _distances(self) -> npt.NDArray[np.int16]:
        """(B, N, M) steps to each dot, _FAR where none lies."""
        steps = self.world.map.distance[self.world.positions[:, :, None], self._dot_cells]
        there = self.world.grid[:, self._dot_cells] == DOT  # (B, M)
        return np.where(there[:, None, :], steps, _FAR)

    @abstractmethod
    def choose(self, distances: npt.NDArray[np.int16]) -> Ints64:
        """(B, N) the dot each agent walks to, or _NONE."""


def _nearest(distances: npt.NDArray[np.int16]) -> Ints64:
    """The nearest dot along the last axis, the first of several in reading order; _NONE if there is
    none."""
    return np.where(distances.min(axis=-1) == _FAR, _NONE, distances.argmin(axis=-1))


class HomogeneousPlayers(_Players):
    """Everyone walks to the dot nearest to it: one greedy policy for all."""

    def choose(self, distances: npt.NDArray[np.int16]) -> Ints64:
        """(B, N) the nearest dots."""
        return _nearest(distances)


class CoordinatedPlayers(_Players):
    """One agent after the other takes the nearest dot that no agent has taken: greedy, but never
    two on one dot."""

    def choose(self, distances: npt.NDArray[np.int16]) -> Ints64:
        """(B, N) distinct dots; an agent for which none is left waits."""
        left = distances.copy()  # (B, N, M)
        chosen = np.full(left.shape[:2], _NONE, np.int64)
        for agent in range(left.shape[1]):
            chosen[:, agent] = _nearest(left[:, agent])
            rows = np.flatnonzero(chosen[:, agent] != _NONE)
            left[rows, :, chosen[rows, agent]] = _FAR
        return chosen


class SpecialistPlayers(_Players):
    """One agent for each room, which it never leaves once it is there: the division of labour."""

    _rooms: ClassVar[int] = 4

    def __init__(self, world: Pacmen) -> None:
        super().__init__(world)
        room_of_cell = {
            int(cell): room for room, box in enumerate(world.map.dot_boxes) for cell in box
        }
        rooms = np.array([room_of_cell[int(cell)] for cell in self._dot_cells])  # (M,)
        self._mine = rooms == (np.arange(world.num_agents) % self._rooms)[:, None]  # (N, M)

    def choose(self, distances: npt.NDArray[np.int16]) -> Ints64:
        """(B, N) the nearest dots of one's own room; who finds it empty waits there."""
        return _nearest(np.where(self._mine, distances, _FAR))


PLAYERS: dict[str, type[_Players]] = {
    "homogeneous": HomogeneousPlayers,
    "coordinated": CoordinatedPlayers,
    "specialists": SpecialistPlayers,
}
"""Scripted teams by name; each is made from a world and is a policy for
:func:`~mirrorenv.envs.play_episodes`."""
