"""Policies that fit any world. Policies for one world stand beside it.

Shape legend: B batch, N agents, A action dimensions.
"""

from __future__ import annotations

import numpy as np
from gymnasium import spaces

from mirrorenv.envs.actions import action_columns
from mirrorenv.envs.base import ArrayWorld
from mirrorenv.envs.masks import at_least_first
from mirrorenv.envs.random import BatchRandom
from mirrorenv.errors import WorldError
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats32, Ints64

__all__ = ["AlikePlayers", "DifferentPlayers", "UniformPolicy"]


class UniformPolicy:
    """Every agent draws its actions independently and uniformly from the action space, or from what
    its mask allows.

    Row b's draws depend on `seed + b` only, so that a batch plays what single copies with those
    seeds play.

    Args:
        world: the world to act in; its action space must be bounded.
        seed: the seed of row 0.
    """

    def __init__(self, world: ArrayWorld, seed: int = 0) -> None:
        self._space = world.action_space
        self._columns = action_columns(world.action_space)
        self._mask_from = world.mask_from
        self._agents = world.num_agents
        self._random = BatchRandom(np.arange(seed, seed + world.num_envs), stream="uniform policy")

    def __call__(self, observations: Floats32, t: int) -> AnyArray:
        """(B, N) int64 or (B, N, A) float32 actions."""
        space = self._space
        if self._mask_from is not None:
            flat = observations.reshape(*observations.shape[:2], -1)
            return self._allowed(flat[..., self._mask_from :] > 0)
        if isinstance(space, spaces.Discrete):
            return self._random.integers(int(space.n), (self._agents,)) + int(space.start)
        if not isinstance(space, spaces.Box):
            return self._several()
        unit = self._random.uniform((self._agents, *space.shape))
        moves: Floats32 = (space.low + (space.high - space.low) * unit).astype(np.float32)
        return np.clip(moves, space.low, space.high)

    def _allowed(self, mask: Bools) -> AnyArray:
        """(B, N, *shape), each number from what the mask (B, N, W) allows; one without choice stays
        in the middle of its range."""
        columns = self._columns
        at_least_first(mask, columns)
        drawn = []
        first = 0
        for count, low, high in zip(columns.counts, columns.low, columns.high, strict=True):
            block = mask[..., first : first + (count or 1)]
            first += count or 1
            if count is None:
                unit = self._random.uniform((self._agents,))
                drawn.append(low + (high - low) * np.where(block[..., 0], unit, 0.5))
            else:
                odds = block / block.sum(-1, keepdims=True)
                drawn.append(low + self._random.categorical(odds))
        actions = np.stack(drawn, axis=-1).astype(columns.dtype)
        return actions if columns.shape else actions[..., 0]

    def _several(self) -> AnyArray:
        """(B, N, W), each number by itself."""
        columns = self._columns
        drawn = []
        for count, low, high in zip(columns.counts, columns.low, columns.high, strict=True):
            if count is None:
                drawn.append(low + (high - low) * self._random.uniform((self._agents,)))
            else:
                drawn.append(low + self._random.integers(count, (self._agents,)))
        return np.stack(drawn, axis=-1).astype(columns.dtype)


class AlikePlayers:
    """Everyone always takes the first action of a discrete world.

    Args:
        world: the world to act in.
    """

    def __init__(self, world: ArrayWorld) -> None:
        if not isinstance(world.action_space, spaces.Discrete):
            raise WorldError(
                f"{type(world.unwrapped).__name__}: scripted by action number, but its actions are "
                "not Discrete"
            )
        self._start = int(world.action_space.start)
        self._count = int(world.action_space.n)
        self._shape = (world.num_envs, world.num_agents)

    def __call__(self, observations: Floats32, t: int) -> Ints64:
        """(B, N) int64 actions."""
        return np.full(self._shape, self._start)


class DifferentPlayers(AlikePlayers):
    """Agent i always takes action i (from the first again, where there are fewer actions than
    agents)."""

    def __call__(self, observations: Floats32, t: int) -> Ints64:
        """(B, N) int64 actions."""
        return np.broadcast_to(self._start + np.arange(self._shape[1]) % self._count, self._shape)
