"""Goal agents in keydoor-v0: solvable with a memory only.

What is learned: ways between cells, by hindsight (sub-actions); and whether the goal opens to who
has been at what was shown at first, from the rewards of wandering. What is built in: that
something shown in one step only stands out, and is kept under a tag.

Shapes: B batch, N agents, T time, V cells.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mirrorenv.envs.episodes import play_episodes
from mirrorenv.envs.worlds.rooms import KeyDoor
from mirrorenv.goals.hierarchy import Hierarchy, HierarchySettings
from mirrorenv.goals.hippocampus import Hippocampus, PlaceBook
from mirrorenv.goals.walks import Walks
from mirrorenv.memory.base import EpisodicStore
from mirrorenv.memory.stores import open_store
from mirrorenv.mirror.arrays import Floats32, Ints64

__all__ = ["Lesson", "Seekers", "wander_for_keys"]

_TAG = "shown"
_SHOWN = 6  # the column of the flag


class Lesson(NamedTuple):
    """What wandering taught."""

    ways: Hierarchy
    """A flat one whose answers are actions, over cells."""
    opened: tuple[float, float]
    """Share of visits to the goal that were paid, without and with having been at what was
    shown."""

    @property
    def first_there(self) -> bool:
        """Whether what was shown has to be visited first."""
        without, having = self.opened
        return having > without


def wander_for_keys(world: KeyDoor, episodes: int, seed: int) -> Lesson:
    """Random steps, and what they teach.

    Args:
        world: played in batches of its size.
        episodes: at least this many.
        seed: of the steps and of the episodes.
    """
    rng = np.random.default_rng(seed)
    cells = world.cells
    nodes = len(cells)
    ways = Hierarchy(
        nodes, HierarchySettings(levels=1, top="all", bottom="action"), seed, actions=5
    )

    def step(observations: Floats32, t: int) -> Ints64:
        return rng.integers(5, size=observations.shape[:2])

    visits = np.zeros((2, 2))  # been there or not; visits, and those that were paid
    for first in range(0, episodes, world.num_envs):
        record = play_episodes(world, step, seed * 1_000_003 + first + np.arange(world.num_envs))
        scale = world.side - 1
        seen = np.rint(record.observations[..., :6] * scale).astype(np.int64)
        at = np.where(record.mask, world.index_of(seen[..., :2]), -1)  # (B, T, N)
        rows = at.transpose(0, 2, 1).reshape(-1, at.shape[1])  # (B N, T)
        done = record.actions.transpose(0, 2, 1).reshape(rows.shape)
        ways.learn(Walks(rows, (rows >= 0).sum(axis=1), done))
        shown = world.index_of(seen[:, :1, :, 4:6])  # (B, 1, N)
        door = world.index_of(seen[..., 2:4])
        had = (at == shown).cumsum(axis=1) > 0
        # a paid step ends an agent's episode, so what counts is where the step leads
        leads = np.roll(at, -1, axis=1)
        leads[:, -1] = -1
        paid = record.rewards > 0
        come = paid | ((leads == door) & record.mask)
        for having in (False, True):
            visits[int(having)] += [(come & (had == having)).sum(), (paid & (had == having)).sum()]
    shares = visits[:, 1] / np.maximum(visits[:, 0], 1.0)
    return Lesson(ways, (float(shares[0]), float(shares[1])))


class Seekers:
    """A team in keydoor-v0: a cortex for all, a hippocampus for each.

    Args:
        world: to act in.
        lesson: what was learned.
        ring: whether each has a ring of recent places.
        store: whether there is an episodic store.
    """

    def __init__(
        self, world: KeyDoor, lesson: Lesson, *, ring: bool = True, store: bool = True
    ) -> None:
        self._world = world
        self._lesson = lesson
        self._book = PlaceBook(world.cells)
        kept: EpisodicStore | None = None
        if store:
            kept = open_store("numpy", None, Hippocampus.width(self._book))
        recent = world.horizon if ring else 0
        self._memories = [
            Hippocampus(self._book, kept, recent=recent, agent=agent)
            for agent in range(world.num_envs * world.num_agents)
        ]
        self._episode = -1

    def __call__(self, observations: Floats32, t: int) -> Ints64:
        """(B, N) int64 actions."""
        rows = observations.reshape(-1, observations.shape[-1])
        scale = self._world.side - 1
        seen = np.rint(rows[:, :6] * scale).astype(np.int64)
        if t == 0:
            self._episode += 1
        here = self._world.index_of(seen[:, :2])
        aim = self._world.index_of(seen[:, 2:4])
        for number, memory in enumerate(self._memories):
            if t == 0:
                memory.begin(self._episode)
            if rows[number, _SHOWN] > 0:  # it was not there before, and will not be again
                memory.tag(_TAG, seen[number, 4:6])
            memory.visit(seen[number, :2])
            aim[number] = self._aim(memory, int(aim[number]))
            memory.pursue(int(aim[number]))
        chosen = self._lesson.ways.react(here, aim)
        there = here == aim
        chosen = np.where(there | (chosen < 0), 0, chosen)
        return chosen.reshape(observations.shape[:2])

    def _aim(self, memory: Hippocampus, door: int) -> int:
        """Where to go: to what was shown, until one has been there, if that was found to matter."""
        if not self._lesson.first_there:
            return door
        code = memory.recall(_TAG)
        if code is None or memory.been_at(code):
            return door
        return memory.book.decode(code)
