"""What a VecEnv remembers for its observers: every episode that the present rollout touched, from
its first step.

Shape legend: E episodes, T time (the horizon), N agents, D observation, A action.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirrorenv.mirror import EpisodeBatch
from mirrorenv.mirror.arrays import Bools, Floats32
from mirrorenv.mirror.trajectory import RECORDED
from mirrorenv.population.settings import PopulationShape

__all__ = ["EpisodeLog", "Segment", "record_of"]


@dataclass
class Segment:
    """One episode, as far as it has come, and which of its steps belong to the present rollout."""

    row: int
    episode: int
    """Id of the episode within the run."""
    observations: Floats32
    """(T, N, D), what agents saw before acting."""
    actions: NDArray[Any]
    """(T, N) int64, or (T, N, A) float32 in (-1, 1)."""
    rewards: Floats32
    """(T, N)."""
    mask: Bools
    """(T, N)."""
    length: int = 0
    """Steps so far."""
    before: int = 0
    """Steps of earlier rollouts."""
    first: int = 0
    """The rollout's step at which `before` stands."""
    whole: bool = False
    """Whether it has ended."""


class EpisodeLog:
    """Writes episodes down row by row.

    Args:
        horizon: T.
        shape: agents, observations and actions.
    """

    def __init__(self, horizon: int, shape: PopulationShape) -> None:
        lead = (horizon, shape.num_agents)
        self._shapes = ((*lead, shape.observation_size), (*lead, *shape.actions.shape), lead)
        self._dtype = shape.actions.dtype
        self._open: dict[int, Segment] = {}
        self._closed: list[Segment] = []
        self._step = 0  # of the rollout

    def begin(self, row: int, episode: int) -> None:
        """An episode starts."""
        seen, done, lead = self._shapes
        actions = np.zeros(done, self._dtype)
        arrays = (
            np.zeros(seen, np.float32),
            actions,
            np.zeros(lead, np.float32),
            np.zeros(lead, bool),
        )
        self._open[row] = Segment(row, episode, *arrays, first=self._step)

    def write(
        self,
        row: int,
        observations: Floats32,
        actions: NDArray[Any],
        rewards: Floats32,
        live: Bools,
    ) -> None:
        """Write down one step of one row.

        Args:
            row: of the VecEnv.
            observations: (N, D), what agents saw before acting.
            actions: (N,) int64 or (N, A), as `Segment.actions`.
            rewards: (N,).
            live: (N,) which agents acted; the others' observations and actions stay zero.
        """
        segment = self._open[row]
        t = segment.length
        segment.observations[t, live] = observations[live]
        segment.actions[t, live] = actions[live]
        segment.rewards[t] = rewards
        segment.mask[t] = live
        segment.length += 1

    def end(self, row: int) -> None:
        """The episode of a row is over."""
        segment = self._open.pop(row)
        segment.whole = True
        self._closed.append(segment)

    def tick(self) -> None:
        """All rows have made one step."""
        self._step += 1

    def start_rollout(self) -> None:
        """Steps count from here; episodes that are under way keep their past."""
        self._closed = []
        self._step = 0
        for segment in self._open.values():
            segment.before = segment.length
            segment.first = 0

    def rollout(self) -> list[Segment]:
        """Every episode with a step in this rollout, in the order of rows and then of time."""
        touched = [s for s in [*self._closed, *self._open.values()] if s.length > s.before]
        return sorted(touched, key=lambda segment: (segment.row, segment.episode))


def record_of(segments: Sequence[Segment]) -> EpisodeBatch:
    """Episodes as one record, (E, T, N, ...), each as far as it has come."""
    arrays: dict[str, Any] = {}
    for name in RECORDED:
        arrays[name] = np.stack([getattr(segment, name) for segment in segments])
    return EpisodeBatch(**arrays)
