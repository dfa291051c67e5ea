"""Play whole episodes and keep the record, ordered by author: what a lineup is made from.

One loop plays array worlds: :func:`moments`. Whoever wants to keep, draw or learn from an episode
consumes what it yields. Two others step by themselves, each because it cannot do so: the checks of
`envs/checks`, which take wrong steps on purpose, and
`mirrorenv.population.mirror_test.play_mirror_test`, whose game is a PettingZoo environment that
asks for another kind of answer in its last step. The wrapper of that game,
:class:`~mirrorenv.envs.adapters.mirror_test.MirrorTest`, plays nothing: its user steps it.

Shape legend: B batch (copies of the world), E episodes, T time, N agents, A action dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from mirrorenv.envs.actions import action_columns
from mirrorenv.envs.base import ArrayWorld, Step
from mirrorenv.envs.random import Seeds, check_seeds
from mirrorenv.errors import ShapeError
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats32, kept_dtype
from mirrorenv.mirror.trajectory import EpisodeBatch

__all__ = ["Moment", "Policy", "PurePolicy", "moments", "play_episodes", "pure"]


@runtime_checkable
class PurePolicy(Protocol):
    """Acts for all agents and keeps no memory of its own: what it remembers is handed in and handed
    back, so that episodes can be played side by side, cut and compared."""

    def initial_state(self, batch: int) -> Any:
        """What is remembered at the start of `batch` episodes."""

    def step(self, observations: Floats32, state: Any, t: int) -> tuple[AnyArray, Any]:
        """One joint action.

        Args:
            observations: (B, N, *obs) float32.
            state: from `initial_state` or the step before.
            t: steps done.

        Returns:
            actions (B, N) or (B, N, A) as the world takes them, and the next state.
        """


Policy = PurePolicy | Callable[[Floats32, int], AnyArray]
"""A pure policy, or a function (observations (B, N, *obs), step t) -> actions (B, N) or (B, N, A),
which forgets by itself at t = 0."""


class _Called:
    """A function as a pure policy; what it remembers stays its own affair."""

    def __init__(self, function: Callable[[Floats32, int], AnyArray]) -> None:
        self.function = function

    def initial_state(self, batch: int) -> None:
        """Nothing."""

    def step(self, observations: Floats32, state: None, t: int) -> tuple[AnyArray, None]:
        """What the function says."""
        return np.asarray(self.function(observations, t)), None


def pure(policy: Policy) -> PurePolicy:
    """The policy itself, or a function in the form of one."""
    return policy if isinstance(policy, PurePolicy) else _Called(policy)


class Moment(NamedTuple):
    """One joint step of B episodes."""

    t: int
    """Steps done before it."""
    observations: Floats32
    """(B, N, *obs), what agents saw before acting."""
    actions: AnyArray
    """(B, N) or (B, N, A), as the world took them."""
    state: Any
    """What the policy remembers after it."""
    step: Step
    """What the world answered."""
    live: Bools
    """(B, N), who had not finished before it."""

    @property
    def ended(self) -> Bools:
        """(B, N), who finished with it."""
        return self.live & (self.step.terminated | self.step.truncated)


def moments(world: ArrayWorld, policy: Policy, start: Floats32) -> Iterator[Moment]:
    """The loop that plays: one episode in each copy, until all agents have finished.

    Args:
        world: a batch of B copies that has just been reset.
        policy: gives the joint action.
        start: (B, N, *obs), what the reset answered.

    Raises:
        WorldError: if the policy leaves the action space.
    """
    acting = pure(policy)
    now = start
    state = acting.initial_state(world.num_envs)
    live = np.ones((world.num_envs, world.num_agents), bool)
    for t in range(world.horizon):
        actions, state = acting.step(now, state, t)
        step = world.step(actions)
        moment = Moment(t, now, actions, state, step, live)
        yield moment
        now = step.observations
        live = live & ~moment.ended
        if not live.any():
            return


def play_episodes(world: ArrayWorld, policy: Policy, seeds: Seeds) -> EpisodeBatch:
    """Play one episode for each seed with a policy for all agents.

    Args:
        world: a batch of B copies. More seeds than B are played in turns of B; in the last turn the
            copies left over replay its first seed and are dropped from the record.
        policy: gives the joint action; see :data:`Policy`.
        seeds: (E,) integers, zero or greater; episode e depends on `seeds[e]` and on the policy.

    Returns:
        The record of E episodes, T = `world.horizon` steps each; where an agent had finished
        `mask` is False and the numbers are 0.

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


def _play(world: ArrayWorld, policy: Policy, seeds: npt.NDArray[np.uint64]) -> tuple[AnyArray, ...]:
    """One turn: observations (E, T, N, *obs), actions (E, T, N[, A]), rewards (E, T, N), mask (E,
    T, N)."""
    kept = len(seeds)
    copies = world.num_envs
    padded = np.concatenate([seeds, np.repeat(seeds[:1], copies - kept)])
    start = world.reset(padded)  # (B, N, *obs)
    layout = action_columns(world.action_space)
    shape = (copies, world.horizon, world.num_agents)
    observations = np.zeros((*shape, *start.shape[2:]), kept_dtype(start.dtype))
    actions = np.zeros((*shape, *layout.shape), layout.dtype)
    rewards = np.zeros(shape, np.float32)
    mask = np.zeros(shape, bool)
    for moment in moments(world, policy, start):
        observations[:, moment.t] = moment.observations
        actions[:, moment.t] = moment.actions
        rewards[:, moment.t] = moment.step.rewards
        mask[:, moment.t] = moment.live
    # what a frozen agent shows or is told to do is no part of its trajectory
    for array in (observations, actions):
        array[~mask] = 0
    return observations[:kept], actions[:kept], rewards[:kept], mask[:kept]
