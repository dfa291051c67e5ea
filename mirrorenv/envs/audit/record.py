"""Play episodes in which all agents run one identical policy, and keep everything that could tell
them apart.

Shape legend: E episodes, B batch, T time, N agents, C columns (numbers of one observation), A
action dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from mirrorenv.envs.actions import action_columns
from mirrorenv.envs.base import ArrayWorld
from mirrorenv.envs.episodes import Policy, moments
from mirrorenv.envs.random import BatchRandom
from mirrorenv.mirror import EpisodeBatch
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats32, Floats64, Ints64

__all__ = ["AuditRecord", "ReactivePolicy", "play"]

MAX_NUMBERS = 40_000_000
"""The most numbers that are kept of all observations together."""
MAX_COLUMNS = 1024
"""The most numbers that are kept of one observation; of larger ones evenly spaced columns are
read."""


@dataclass(frozen=True, eq=False, kw_only=True)
class AuditRecord(EpisodeBatch):
    """What happened, and what its numbers are called.

    Observations are flattened, (E, T, N, C) float32, of which some columns may have been left out;
    choices are counted from 0. Where an agent had finished all numbers are 0.

    Args:
        names: C names of the numbers of an observation.
        total_columns: how many numbers an observation has, of which C were kept.
        choices: how many choices each number of an action has; None for a number of a Box.
    """

    names: tuple[str, ...]
    total_columns: int
    choices: tuple[int | None, ...]

    @property
    def terminated(self) -> Bools:
        """(E, N), whether each agent's episode ended."""
        return self.column("terminated")

    @property
    def truncated(self) -> Bools:
        """(E, N), whether it was cut off."""
        return self.column("truncated")


def kept_columns(world: ArrayWorld, episodes: int) -> Ints64:
    """Indices of the columns that are read: all, or evenly spaced ones where observations are
    large.

    Args:
        world: whose observations are read.
        episodes: E.

    Returns:
        (C,) ascending indices into the flattened observation.
    """
    total = int(np.prod(world.observation_space.shape or (1,)))
    room = max(MAX_NUMBERS // (episodes * world.horizon * world.num_agents), 8)
    return np.unique(
        np.linspace(0, total - 1, min(room, total, MAX_COLUMNS)).round().astype(np.int64)
    )


def play(world: ArrayWorld, policy: Policy, seeds: Ints64) -> AuditRecord:
    """Play one episode for each seed; see :class:`AuditRecord`.

    Args:
        world: a batch of B copies, which play the E seeds in turns.
        policy: acts for all agents.
        seeds: (E,) integers, zero or greater.
    """
    columns = kept_columns(world, len(seeds))
    copies = world.num_envs
    count = -(-len(seeds) // world.num_envs) * world.num_envs
    layout = action_columns(world.action_space)
    shape = (count, world.horizon, world.num_agents)
    observations = np.zeros((*shape, len(columns)), np.float32)
    actions = np.zeros((*shape, *layout.shape), layout.dtype)
    rewards = np.zeros(shape, np.float32)
    mask = np.zeros(shape, bool)
    ends = {
        "terminated": np.zeros((count, world.num_agents), bool),
        "truncated": np.zeros((count, world.num_agents), bool),
    }
    padded = np.concatenate([seeds, np.repeat(seeds[:1], count - len(seeds))])
    for start in range(0, count, copies):
        rows = slice(start, start + copies)
        for moment in moments(world, policy, world.reset(padded[rows])):
            t = moment.t
            seen = moment.observations.reshape(copies, world.num_agents, -1)
            observations[rows, t] = seen[:, :, columns]
            actions[rows, t] = moment.actions
            rewards[rows, t] = moment.step.rewards
            mask[rows, t] = moment.live
            ends["terminated"][rows] = moment.step.terminated
            ends["truncated"][rows] = moment.step.truncated
    if layout.whole:
        actions -= layout.low.astype(np.int64).reshape(layout.shape)
    for array in (observations, actions, rewards):
        array[~mask] = 0
    names = world.column_names
    every = AuditRecord(
        observations=observations,
        actions=actions,
        rewards=rewards,
        mask=mask,
        columns=ends,
        names=tuple(names[i] for i in columns),
        total_columns=len(names),
        choices=layout.counts,
    )
    return every.select(slice(len(seeds)))


class ReactivePolicy:
    """One random linear policy for all agents: an agent's action depends on its own observation,
    and on chance.

    Leaks that need a reaction show only under such a policy: what differs in what agents see then
    differs in what they do. Observations are standardised with numbers pooled over all agents;
    weights are drawn once. Discrete actions are drawn from a softmax with logits of standard
    deviation 2 or so, moves in a Box are a tanh of the same size plus noise.

    Args:
        world: the world to act in.
        seen: a record of episodes played there before, for the scale of observations.
        seed: of the weights and the chance.
    """

    def __init__(self, world: ArrayWorld, seen: AuditRecord, seed: int) -> None:
        self._space = world.action_space
        self._agents = world.num_agents
        self._columns = kept_columns(world, len(seen.mask))
        alive = seen.observations[seen.mask]  # (steps, C)
        centre = alive.mean(axis=0, dtype=np.float64)
        scale = alive.std(axis=0, dtype=np.float64)
        self._centre = centre
        self._scale = np.where(scale > 1e-9 * (1 + np.abs(centre)), scale, np.inf)
        self._layout = action_columns(self._space)
        moves = sum(count or 1 for count in self._layout.counts)
        varying = max(int(np.isfinite(self._scale).sum()), 1)
        self._weights = np.random.default_rng(seed).normal(size=(len(centre), moves)) * (
            2.0 / np.sqrt(varying)
        )
        self._random = BatchRandom(np.arange(seed, seed + world.num_envs), stream="reactive policy")

    def __call__(self, observations: Floats32, t: int) -> AnyArray:
        """(B, N) int64 or (B, N, A) float32 actions."""
        flat = observations.reshape(*observations.shape[:2], -1)[:, :, self._columns]
        drive = np.clip((flat - self._centre) / self._scale, -5, 5) @ self._weights  # (B, N, moves)
        space = self._space
        if isinstance(space, spaces.Discrete):
            odds = np.exp(drive - drive.max(axis=2, keepdims=True))
            return self._random.categorical(odds / odds.sum(axis=2, keepdims=True)) + int(
                space.start
            )
        if not isinstance(space, spaces.Box):
            return self._several(drive)
        noise = self._random.normal((self._agents, drive.shape[2]))
        unit = 0.5 + 0.5 * np.tanh(0.5 * drive + 0.5 * noise).reshape(
            *drive.shape[:2], *space.shape
        )
        moves: Floats32 = (space.low + (space.high - space.low) * unit).astype(np.float32)
        return np.clip(moves, space.low, space.high)

    def _several(self, drive: Floats64) -> AnyArray:
        """(B, N, moves) -> (B, N, W): each number by itself, from its own part of the drive."""
        layout = self._layout
        drawn = []
        first = 0
        for count, low, high in zip(layout.counts, layout.low, layout.high, strict=True):
            part = drive[:, :, first : first + (count or 1)]
            first += count or 1
            if count is None:
                noise = self._random.normal((self._agents,))
                unit = 0.5 + 0.5 * np.tanh(0.5 * part[:, :, 0] + 0.5 * noise)
                drawn.append(np.clip(low + (high - low) * unit, low, high))
            else:
                odds = np.exp(part - part.max(axis=2, keepdims=True))
                odds /= odds.sum(axis=2, keepdims=True)
                drawn.append(low + self._random.categorical(odds))
        return np.stack(drawn, axis=-1).astype(layout.dtype)
