"""Play whole episodes and keep the record, ordered by author: what a lineup is made from.

Shape legend: B batch (copies of the world), E episodes, T time, N agents, A action dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mirrorenv.envs.actions import action_columns
from mirrorenv.envs.base import ArrayWorld
from mirrorenv.envs.random import Seeds, check_seeds
from mirrorenv.errors import ShapeError
from mirrorenv.mirror.trajectory import EpisodeBatch

__all__ = ["Policy", "play_episodes"]

Policy = Callable[[npt.NDArray[np.float32], int], npt.NDArray[Any]]
"""(observations (B, N, *obs), step t) -> actions (B, N) or (B, N, A). A policy with memory starts
from the start at t = 0."""


def play_episodes(world: ArrayWorld, policy: Policy, seeds: Seeds) -> EpisodeBatch:
    """Play one episode for each seed with a policy for all agents.

    Args:
        world: a batch of B copies. More seeds than B are played in turns of B; in the last turn the
            copies left over replay its first seed and are dropped from the record.
        policy: gives the joint action; see :data:`Policy`.
        seeds: (E,) integers, zero or greater; episode e depends on ``seeds[e]`` and on the policy.

    Returns:
        The record of E episodes, T = ``world.horizon`` steps each; where an agent had finished
        ``mask`` is False and the numbers are 0.

    Raises:
        ShapeError: if there is no seed.
        WorldError: if the policy leaves the action space.
    """
    wanted = check_seeds(seeds)
    if not len(wanted):
        raise ShapeError("play_episodes needs at least one seed")
    turns = [wanted[i : i + world.num_envs] for i in range(0, len(wanted), world.num_envs)]
    records = [_play(world, policy, turn) for turn in turns]
    observations, actions, rewards, mask = (
        np.concatenate(parts) for parts in zip(*records, strict=True)
    )
    return EpisodeBatch(observations=observations, actions=actions, rewards=rewards, mask=mask)


def _play(
    world: ArrayWorld, policy: Policy, seeds: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[Any], ...]:
    """One turn: observations (E, T, N, *obs), actions (E, T, N[, A]), rewards (E, T, N), mask (E,
    T, N)."""
    kept = len(seeds)
    copies = world.num_envs
    padded = np.concatenate([seeds, np.repeat(seeds[:1], copies - kept)])
    now = world.reset(padded)  # (B, N, *obs)
    layout = action_columns(world.action_space)
    shape = (copies, world.horizon, world.num_agents)
    observations = np.zeros((*shape, *now.shape[2:]), np.float32)
    actions = np.zeros((*shape, *layout.shape), layout.dtype)
    rewards = np.zeros(shape, np.float32)
    mask = np.zeros(shape, bool)
    live = np.ones((copies, world.num_agents), bool)
    for t in range(world.horizon):
        if not live.any():
            break
        chosen = np.asarray(policy(now, t))
        step = world.step(chosen)
        observations[:, t] = now
        actions[:, t] = chosen
        rewards[:, t] = step.rewards
        mask[:, t] = live
        now, live = step.observations, live & ~(step.terminated | step.truncated)
    # what a frozen agent shows or is told to do is no part of its trajectory
    for array in (observations, actions):
        array[~mask] = 0
    return observations[:kept], actions[:kept], rewards[:kept], mask[:kept]
