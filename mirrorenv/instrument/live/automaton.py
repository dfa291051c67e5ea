"""A world as a finite automaton: what an agent can have seen after t steps, and where each move
leads.

Found by playing: all moves from all that was met, step by step. So it is exact for worlds without
chance in which agents do not meet, and others are refused.

Shape legend: T time, S states met at a time, A moves, D numbers in an observation, N agents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mirrorenv.envs.base import ArrayWorld
from mirrorenv.errors import WorldError
from mirrorenv.mirror.arrays import Floats32, Ints64

__all__ = ["Automaton", "explored"]

MOST = 20_000
"""States of a time, times moves, that are played at most."""


@dataclass(frozen=True, eq=False)
class Automaton:
    """States of one agent.

    Args:
        seen: T arrays (S, D) float32: what an agent in each state sees.
        leads: T arrays (S, A) int64: the state at the next time, after each move.
        moves: A.
    """

    seen: tuple[Floats32, ...]
    leads: tuple[Ints64, ...]
    moves: int

    @property
    def horizon(self) -> int:
        """T."""
        return len(self.seen)


def explored(make: Callable[[int], ArrayWorld], moves: int) -> Automaton:
    """Every state that an agent can be in, by playing.

    States that are seen alike count as one.

    Args:
        make: a world of so many rows. Its first agent is looked at; the others make their first
            move throughout, and once their last, to see whether that matters.
        moves: A; the world's actions are one choice among so many.

    Raises:
        WorldError: if the start is drawn by lot, agents meet, or there are too many states.
    """
    horizon = make(1).horizon
    ways = np.zeros((1, 0), np.int64)  # (S, t) one way to each state
    seen = [_first(make)]
    leads = []
    for time in range(horizon):
        if len(ways) * moves > MOST:
            raise WorldError(
                f"at time {time} there are {len(ways):,} states, more than {MOST:,} in all moves"
            )
        longer = np.concatenate(
            [np.repeat(ways, moves, axis=0), np.tile(np.arange(moves), len(ways))[:, None]], axis=1
        )  # (S * A, t + 1)
        met = _played(make, longer, 0)
        if not np.array_equal(met, _played(make, longer, moves - 1)):
            raise WorldError("what an agent sees depends on what others do: no automaton of one")
        different, first, which = np.unique(met, axis=0, return_index=True, return_inverse=True)
        leads.append(which.reshape(len(ways), moves).astype(np.int64))
        ways = longer[first]
        seen.append(different)
    return Automaton(tuple(seen[:horizon]), tuple(leads), moves)


def _first(make: Callable[[int], ArrayWorld]) -> Floats32:
    starts = make(4).reset(np.arange(4, dtype=np.uint64))[:, 0]
    if (starts != starts[0]).any():
        raise WorldError("episodes start by lot: no automaton")
    return np.asarray(starts[:1].reshape(1, -1), np.float32)


def _played(make: Callable[[int], ArrayWorld], ways: Ints64, others: int) -> Floats32:
    """(rows, D) what the first agent sees after each way (rows, t)."""
    world = make(len(ways))
    observations = world.reset(np.zeros(len(ways), np.uint64))
    for time in range(ways.shape[1]):
        actions = np.full((len(ways), world.num_agents), others, np.int64)
        actions[:, 0] = ways[:, time]
        observations = world.step(actions).observations
    world.close()
    return np.asarray(observations[:, 0].reshape(len(ways), -1), np.float32)
