"""What agents did: one agent's trajectory, and a batch of whole episodes in author order.

An `EpisodeBatch` is the record of the experimenter. It is ordered by author and is never shown to
an observer; observers see a `Lineup` (see :mod:`mirrorenv.mirror.lineup`).

Shape legend: B batch (episodes), T time, N agents, A action dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from mirrorenv.errors import ShapeError
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats64, Ints64, join_columns

__all__ = ["RECORDED", "EpisodeBatch", "Trajectory", "concatenate_episodes"]

RECORDED = ("observations", "actions", "rewards", "mask")
"""What every record of episodes holds; all else is a column by name."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What one agent saw and did in one episode.

    Args:
        observations: (T, ...) any fixed-size dtype: numbers, bytes (`S`) or texts (`U`).
        actions: (T,) or (T, A), any fixed-size dtype.

    Raises:
        ShapeError: if the lengths differ, or an array holds Python objects (their addresses and
            types could tell trajectories apart; texts belong into fixed-width `U` arrays).
    """

    observations: AnyArray  # (T, ...)
    actions: AnyArray  # (T,) or (T, A)

    def __post_init__(self) -> None:
        for name in ("observations", "actions"):
            array = np.asarray(getattr(self, name))
            object.__setattr__(self, name, array)
            if array.ndim < 1:
                raise ShapeError(f"Trajectory.{name} needs a time axis, got a scalar")
            if array.dtype.hasobject:
                raise ShapeError(
                    f"Trajectory.{name} holds Python objects; use a fixed-size dtype ('U' for "
                    "texts)"
                )
        if len(self.observations) != len(self.actions):
            raise ShapeError(
                f"Trajectory: {len(self.observations)} observations and {len(self.actions)} "
                "actions; "
                "each action needs the observation it answered"
            )

    def __len__(self) -> int:
        return len(self.actions)


@dataclass(frozen=True, eq=False)
class EpisodeBatch:
    """B whole episodes of N agents, in author order. Never shown to observers.

    Args:
        observations: (B, T, N, ...) what the agent saw before acting, usually float32.
        actions: (B, T, N) or (B, T, N, ...) integers (choices, bytes), or (B, T, N, A) floats.
        rewards: (B, T, N) float.
        mask: (B, T, N) bool, True for the steps that happened. Each agent's steps are a prefix of
            the episode.
        columns: whatever else was recorded, by name, (B, ...) each: what a policy thought of its
            actions, how agents ended, the ids of episodes.

    Raises:
        ShapeError: if shapes disagree, a live number is not finite, or a mask has a hole in time.
    """

    observations: AnyArray  # (B, T, N, ...)
    actions: AnyArray  # (B, T, N) or (B, T, N, ...)
    rewards: AnyArray  # (B, T, N)
    mask: Bools  # (B, T, N)
    columns: Mapping[str, AnyArray] = field(default_factory=dict)  # (B, ...) each

    def __post_init__(self) -> None:
        for name in RECORDED:
            object.__setattr__(self, name, np.asarray(getattr(self, name)))
        columns = {name: np.asarray(column) for name, column in self.columns.items()}
        object.__setattr__(self, "columns", columns)
        shape = self.mask.shape
        if len(shape) != 3 or self.mask.dtype != np.bool_:
            raise ShapeError(
                f"EpisodeBatch.mask must be bool (B, T, N), got {self.mask.dtype} of shape {shape}"
            )
        self._check_shapes(shape)
        self._check_values()

    def _check_shapes(self, shape: tuple[int, ...]) -> None:
        if self.observations.shape[:3] != shape:
            raise ShapeError(
                f"EpisodeBatch.observations must start with {shape}, got {self.observations.shape}"
            )
        if self.rewards.shape != shape or not np.issubdtype(self.rewards.dtype, np.floating):
            raise ShapeError(
                f"EpisodeBatch.rewards must be float of shape {shape}, got {self.rewards.dtype} of "
                f"{self.rewards.shape}"
            )
        actions = self.actions
        discrete = actions.shape[:3] == shape and np.issubdtype(actions.dtype, np.integer)
        continuous = (
            actions.ndim == 4
            and actions.shape[:3] == shape
            and np.issubdtype(actions.dtype, np.floating)
        )
        if not (discrete or continuous):
            raise ShapeError(
                f"EpisodeBatch.actions must be integers {(*shape, '...')} or floats "
                f"{(*shape, 'A')}, got {self.actions.dtype} of shape {self.actions.shape}"
            )
        for name, column in self.columns.items():
            if name in RECORDED or column.shape[:1] != shape[:1] or column.dtype.hasobject:
                raise ShapeError(
                    f"EpisodeBatch.columns: '{name}' must be numbers or texts of shape "
                    f"({shape[0]}, ...) under a name of its own, got {column.dtype} of "
                    f"{column.shape}"
                )

    def _check_values(self) -> None:
        holes = self.mask[:, 1:] & ~self.mask[:, :-1]  # (B, T-1, N)
        if holes.any():
            b, t, n = (int(i) for i in np.argwhere(holes)[0])
            raise ShapeError(
                f"EpisodeBatch.mask: episode {b}, agent {n} is absent at step {t} and back at step "
                f"{t + 1}; "
                "an agent that leaves does not return"
            )
        for name in ("observations", "actions", "rewards"):
            array = getattr(self, name)
            if not np.issubdtype(array.dtype, np.floating):
                continue
            finite = _finite(array)  # (B, T, N)
            if not (finite | ~self.mask).all():
                b, t, n = (int(i) for i in np.argwhere(~finite & self.mask)[0])
                raise ShapeError(
                    f"EpisodeBatch.{name} is not finite in episode {b}, step {t}, agent {n}"
                )

    def __len__(self) -> int:
        return len(self.mask)

    @property
    def num_episodes(self) -> int:
        """B."""
        return int(self.mask.shape[0])

    @property
    def horizon(self) -> int:
        """T, the longest episode the arrays can hold."""
        return int(self.mask.shape[1])

    @property
    def num_agents(self) -> int:
        """N."""
        return int(self.mask.shape[2])

    @property
    def lengths(self) -> Ints64:
        """(B, N) int64: steps each agent lived."""
        lengths: Ints64 = self.mask.sum(axis=1, dtype=np.int64)
        return lengths

    def returns(self) -> Floats64:
        """(B, N) float64: undiscounted sum of each agent's live rewards."""
        returns: Floats64 = np.where(self.mask, self.rewards, 0.0).sum(axis=1, dtype=np.float64)
        return returns

    def trajectory(self, episode: int, agent: int) -> Trajectory:
        """One agent's live steps in one episode (views into the batch, not copies)."""
        length = int(self.lengths[episode, agent])
        return Trajectory(
            self.observations[episode, :length, agent], self.actions[episode, :length, agent]
        )

    def trajectories(self, episode: int) -> tuple[Trajectory, ...]:
        """All N trajectories of one episode, in author order."""
        return tuple(self.trajectory(episode, agent) for agent in range(self.num_agents))

    def column(self, name: str) -> AnyArray:
        """A further column, (B, ...).

        Raises:
            ShapeError: if it was not recorded.
        """
        if name not in self.columns:
            raise ShapeError(
                f"{type(self).__name__}: no column '{name}' was recorded; there is "
                f"{', '.join(self.columns) or 'none'}. with_columns({name}=...) adds it"
            )
        return self.columns[name]

    def with_columns(self, **columns: AnyArray) -> Self:
        """The same episodes with these columns added, or in place of those of the same name."""
        return replace(self, columns={**self.columns, **columns})

    def select(self, episodes: Sequence[int] | Ints64 | Bools | slice) -> Self:
        """The batch with only the chosen episodes, in the given order."""
        index = episodes if isinstance(episodes, slice) else np.asarray(episodes)
        return replace(
            self,
            **{name: getattr(self, name)[index] for name in RECORDED},
            columns={name: column[index] for name, column in self.columns.items()},
        )


def _finite(array: AnyArray) -> Bools:
    """Which steps hold finite numbers only: (B, T, N, ...) -> (B, T, N). A million numbers or an
    episode at a time, since what is looked at may be images."""
    finite = np.empty(array.shape[:3], bool)
    together = max(1, (1 << 20) // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), together):
        rows = slice(start, start + together)
        shape = finite[rows].shape
        finite[rows] = np.isfinite(array[rows]).reshape(*shape, -1).all(axis=-1)
    return finite


def concatenate_episodes(batches: Sequence[EpisodeBatch]) -> EpisodeBatch:
    """Several batches of equal T, N, observation shape and columns as one.

    Raises:
        ShapeError: if there is no batch, or the batches do not fit together.
    """
    if not batches:
        raise ShapeError("concatenate_episodes needs at least one EpisodeBatch")
    names = batches[0].columns.keys()
    if any(batch.columns.keys() != names for batch in batches):
        raise ShapeError("concatenate_episodes: the batches do not hold the same columns")
    try:
        return EpisodeBatch(
            observations=np.concatenate([batch.observations for batch in batches]),
            actions=np.concatenate([batch.actions for batch in batches]),
            rewards=np.concatenate([batch.rewards for batch in batches]),
            mask=np.concatenate([batch.mask for batch in batches]),
            columns=join_columns([batch.columns for batch in batches], np.concatenate),
        )
    except ValueError as error:
        raise ShapeError(
            f"concatenate_episodes: the batches do not fit together: {error}"
        ) from error
