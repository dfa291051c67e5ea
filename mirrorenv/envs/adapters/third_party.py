"""Somebody else's PettingZoo environment as a batch of arrays: B copies are stepped side by side.

Shapes: B batch (copies), N agents, A action dimensions, obs the observation shape of one agent.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim

from mirrorenv.envs.actions import action_columns
from mirrorenv.envs.adapters.third_party_copy import EnvironmentCopy, OtherPolicy, other_policy
from mirrorenv.envs.adapters.third_party_facts import horizon as horizon_of
from mirrorenv.envs.adapters.third_party_facts import (
    members,
    one_copy,
    translators,
    turns_of,
    woken,
)
from mirrorenv.envs.base import (
    Actions,
    ArrayWorld,
    Observations,
    Step,
    check_actions,
    image_of,
)
from mirrorenv.envs.masks import mask_width, masked_numbers
from mirrorenv.envs.random import Seeds, check_seeds, small_seed
from mirrorenv.errors import ConfigError, WorldError

__all__ = ["OPTIONS", "ThirdPartyWorld"]


class ThirdPartyWorld(ArrayWorld):
    """A batch made from any PettingZoo `ParallelEnv`.

    Action masks are found in observations and infos under the names in use
    (`mirrorenv.envs.masks`), and shown as the last numbers of an observation; an action that they
    forbid is refused. In a game of turns, and before an agent joins, it has one choice.

    An agent that dies early keeps its flags, earns 0, shows its last observation again and is given
    no action; the others go on. At `horizon` steps whoever is still alive is truncated. Seeds
    below 2**31 reach `reset(seed=...)` as they are, larger ones as a 31-bit hash. Observations
    and actions are translated as
    :class:`~mirrorenv.envs.adapters.third_party_spaces.ObservationReader` and `ActionWriter` say.

    Args:
        factory: makes one environment; called B times, with `env_kwargs`.
        num_envs: B, at least 1.
        horizon: steps at most; by default what the environment says (`max_cycles` and the like).
        agents: names of the agents to teach, by default all; the others act by `others`.
        others: `"random"`, or a function `(agent, observation, generator) -> action`, or where
            to import one from.
        pad: accept agents whose spaces differ: observations are flattened, and filled up with zeros
            to the largest; actions with choices that are never allowed. Who has zeros at the end is
            then visible to every observer.
        env_kwargs: arguments of the factory.
        name: what messages call it.

    Attributes:
        could_render: the environment says that it draws itself, if it is made with
            `render_mode="rgb_array"`.

    Raises:
        ConfigError: if an argument is wrong, no horizon is known, or the agents' spaces differ.
        WorldError: if it is no ParallelEnv, or a space cannot become an array.
    """

    def __init__(
        self,
        factory: Callable[..., Any],
        *,
        num_envs: int = 1,
        horizon: int | None = None,
        agents: Sequence[Any] | None = None,
        others: str | OtherPolicy = "random",
        pad: bool = False,
        env_kwargs: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        self.name = name or str(getattr(factory, "__qualname__", type(factory).__name__))
        if isinstance(num_envs, bool) or not isinstance(num_envs, int | np.integer) or num_envs < 1:
            raise ConfigError(
                f"{self.name}: num_envs must be a whole number of at least 1, got {num_envs!r}"
            )
        arguments = dict(env_kwargs or {})
        first = one_copy(factory, arguments, self.name)
        infos, there = woken(first)
        taught = members(first, agents, self.name)
        self.num_envs = int(num_envs)
        self.horizon = horizon_of(first, arguments, horizon, self.name)
        self.agents = tuple(str(member) for member in taught)
        waiting = turns_of(first) is not None or not there.issuperset(taught)
        translate = translators(first, taught, pad, self.name, infos=infos, waiting=waiting)
        readers = translate.readers
        low = np.minimum.reduce([reader.space.low for reader in readers])
        high = np.maximum.reduce([reader.space.high for reader in readers])
        self.action_space = translate.writers[0].space
        self._columns = action_columns(self.action_space)
        self.image_shape = image_of(low.shape)
        if translate.masks is not None:
            self.mask_from = low.size
            low, high = (
                np.append(bound.ravel(), np.full(mask_width(self._columns), end, bound.dtype))
                for bound, end in ((low, 0), (high, 1))
            )
        if waiting:  # zeros are shown to who is not there
            low, high = np.minimum(low, 0), np.maximum(high, 0)
        self.observation_space = spaces.Box(low, high, low.shape, low.dtype.type)
        self._widest = max(readers, key=lambda reader: flatdim(reader.native))  # others are padded
        policy = other_policy(others)
        envs = [first, *(one_copy(factory, arguments, self.name) for _ in range(1, self.num_envs))]
        self._copies = [
            EnvironmentCopy(env, taught, translate, policy, f"{self.name}, row {row}")
            for row, env in enumerate(envs)
        ]
        self.could_render = "rgb_array" in (
            (getattr(first, "metadata", None) or {}).get("render_modes") or ()
        )
        drawn = getattr(first, "render_mode", None) == "rgb_array"
        self.render_modes = ("rgb_array",) if drawn else ()  # type: ignore[misc]
        self.described = getattr(first, "unwrapped", first)  # whose docstring is about this world
        # what the rows show
        self._now = np.zeros((self.num_envs, self.num_agents, *low.shape), low.dtype)
        self._terminated = np.zeros((self.num_envs, self.num_agents), bool)
        self._truncated = np.zeros((self.num_envs, self.num_agents), bool)
        self._clock = -1  # steps since reset; -1 before the first
        self._watch = not all(reader.always_inside for reader in readers)
        self._watch_bounds = self._watch and bool(np.isfinite(low).any() or np.isfinite(high).any())

    @property
    def column_names(self) -> tuple[str, ...]:
        """A name for each number of an observation, in C order, with the keys of a Dict."""
        return (*self._widest.names, *self._mask_names())

    def _mask_names(self) -> tuple[str, ...]:
        """What the mask columns are called."""
        if self.mask_from is None:
            return ()
        several = len(self._columns.counts) > 1
        return tuple(
            f"allowed[{f'{column}, ' if several else ''}{choice}]"
            for column, count in enumerate(self._columns.counts)
            for choice in range(count or 1)
        )

    def reset(self, seeds: Seeds) -> Observations:
        """Start all rows again.

        Args:
            seeds: (B,) integers, zero or greater; row b depends on `seeds[b]` only if the
                environment obeys seeds.

        Returns:
            (B, N, *obs) observations: float32, or uint8 where all agents are shown images.

        Raises:
            ShapeError: if there are not B seeds, or one is negative.
            WorldError: if the environment breaks its contract.
        """
        chosen = check_seeds(seeds, self.num_envs)
        self._clock = 0
        self._terminated[:] = False
        self._truncated[:] = False
        for row, copy in enumerate(self._copies):
            copy.reset(small_seed(int(chosen[row])), self._now[row])
        if self._watch:
            self._check_numbers(self._now, "observation")
        self._warn_outside()
        return self._now.copy()

    def step(self, actions: Actions) -> Step:
        """Let every live agent act once.

        Args:
            actions: (B, N) integers for a Discrete space, (B, N, A) floats for a Box; those of dead
                agents are ignored.

        Raises:
            WorldError: before the first `reset`, if an action lies outside the space, or if the
                environment breaks its contract; it names environment, row, seed, step and agent.
            ShapeError: if the actions have the wrong shape or dtype.
        """
        if self._clock < 0:
            raise WorldError(f"{self.name}: step() was called before reset(seeds)")
        batch = (self.num_envs, self.num_agents)
        checked = check_actions(actions, self.action_space, batch, self.name, self._clock)
        self._check_allowed(checked)
        rewards = np.zeros(batch, np.float32)
        self._clock += 1
        for row, copy in enumerate(self._copies):
            if copy.live:
                copy.step(
                    checked[row],
                    self._now[row],
                    rewards[row],
                    self._terminated[row],
                    self._truncated[row],
                )
        if self._watch:
            self._check_numbers(self._now, "observation")
        self._check_numbers(rewards, "reward")
        self._warn_outside()
        if self._clock >= self.horizon:  # this clock is ours
            self._truncated |= ~self._terminated
            for copy in self._copies:
                copy.live = []
        return Step(self._now.copy(), rewards, self._terminated.copy(), self._truncated.copy())

    def render(self, index: int = 0) -> npt.NDArray[np.uint8]:
        """The picture that copy `index` draws of itself, (H, W, 3) uint8.

        Raises:
            WorldError: if the environment was not made with `render_mode="rgb_array"`, or draws
                nothing.
        """
        picture = self._copies[index].env.render() if self.render_modes else None
        if picture is None:
            raise WorldError(
                f"{self.name} has no picture: make it with render_mode='rgb_array', if it knows "
                "that mode"
            )
        return np.asarray(picture, np.uint8)

    def close(self) -> None:
        """Close all copies."""
        for copy in self._copies:
            copy.env.close()

    def _check_allowed(self, actions: npt.NDArray[Any]) -> None:
        if self.mask_from is None:
            return
        allowed = self._now[..., self.mask_from :] > 0  # (B, N, W)
        over = self._terminated | self._truncated
        wrong = masked_numbers(actions, allowed | over[..., None], self._columns)
        if wrong is not None:
            raise WorldError(
                f"{self.name}, row {wrong[0]}, step {self._clock}, agent "
                f"'{self.agents[wrong[1]]}': action {actions[wrong]} is not allowed by its mask, "
                f"the last {allowed.shape[-1]} numbers of its observation"
            )

    def _check_numbers(self, values: npt.NDArray[np.float32], what: str) -> None:
        if np.isfinite(values).all():
            return
        row, agent, *_ = np.argwhere(~np.isfinite(values))[0]
        raise WorldError(
            f"{self.name}, row {row}, seed {self._copies[row].seed}, step {self._clock}, agent "
            f"'{self.agents[agent]}': "
            f"the {what} is not finite (as float32)"
        )

    def _warn_outside(self) -> None:
        """Observations outside the space they declare are used, and said once."""
        if not self._watch_bounds:
            return
        space = self.observation_space
        assert isinstance(space, spaces.Box)
        outside = (self._now < space.low) | (self._now > space.high)
        if outside.any():
            self._watch_bounds = False
            row, agent, *_ = np.argwhere(outside)[0]
            warnings.warn(
                f"{self.name}, row {row}, step {self._clock}, agent '{self.agents[agent]}': the "
                "observation is outside "
                "its space. It is used as it is, and this is said once.",
                RuntimeWarning,
                stacklevel=3,
            )


OPTIONS = tuple(
    name
    for name in inspect.signature(ThirdPartyWorld).parameters
    if name not in ("factory", "num_envs", "name")
)
"""Arguments of `make_batch` that are ours and not the environment's."""
