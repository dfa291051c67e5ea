"""What a batch answers, looked at in every step: cheap enough to be on in every training run.

Shapes: B batch (copies), N agents, obs the observation shape of one agent.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from gymnasium import spaces

from mirrorenv.envs.adapters.third_party import ThirdPartyWorld
from mirrorenv.envs.base import Actions, ArrayWorld, Observations, Step
from mirrorenv.envs.random import Seeds
from mirrorenv.envs.wrapper import WorldWrapper
from mirrorenv.errors import WorldError
from mirrorenv.mirror.arrays import AnyArray, Bools, kept_dtype

__all__ = ["Guard", "ValidatedWorld", "validated"]

_LARGEST = np.finfo(np.float32).max


def validated(world: ArrayWorld, name: str) -> ArrayWorld:
    """The world behind a :class:`Guard`; a third-party environment is returned as it is, since its
    adapter does the same checks.

    Args:
        world: the world.
        name: what messages call it.
    """
    return world if isinstance(world.unwrapped, ThirdPartyWorld) else ValidatedWorld(world, name)


class Guard:
    """Looks at the arrays that a world answers: shapes, dtypes, finite numbers inside the space,
    no agent missing.

    Numbers are compared with their bounds, or the smallest and the largest with the bounds of all
    where these are the same; NaN fails, and where there is no bound the largest float32 stands in.
    Only a failure is looked at closely.

    Args:
        world: whose answers these are.
        name: what messages call it.

    Attributes:
        steps: how many steps have been looked at since `reset`.
    """

    def __init__(self, world: ArrayWorld, name: str) -> None:
        self.name = name
        self.agents = world.agents
        self.steps = 0
        self._joint = (world.num_envs, world.num_agents)
        space = world.observation_space
        bounds = (space.low, space.high) if isinstance(space, spaces.Box) else (-np.inf, np.inf)
        self._low, self._high = (
            np.clip(bound, -_LARGEST, _LARGEST).astype(np.float32) for bound in bounds
        )
        self._shape = (*self._joint, *(space.shape or ()))
        self._dtype = kept_dtype(space.dtype)
        uniform = (
            self._low.size
            and (self._low == self._low.flat[0]).all()
            and (self._high == self._high.flat[0]).all()
        )
        self._uniform = (float(self._low.flat[0]), float(self._high.flat[0])) if uniform else None
        if not uniform:  # laid out like the observations: much faster than stretching in every step
            self._low, self._high = (
                np.broadcast_to(b, self._shape).copy() for b in (self._low, self._high)
            )
        self._seeds: AnyArray = np.zeros(world.num_envs, np.uint64)
        self._over = np.zeros(self._joint, bool)
        self._any_over = False

    def reset(self, observations: Observations, seeds: Seeds) -> None:
        """Look at first observations.

        Args:
            observations: (B, N, *obs) float32.
            seeds: (B,), for messages.

        Raises:
            WorldError: if something is wrong; it names world, row, seed, step and agent.
        """
        self._seeds = np.asarray(seeds)
        self.steps = 0
        self._over = np.zeros(self._joint, bool)
        self._any_over = False
        self._look_at_observations(observations)

    def step(self, step: Step) -> None:
        """Look at what a step answered.

        Raises:
            WorldError: if something is wrong; it names world, row, seed, step and agent.
        """
        self.steps += 1
        self._look_at_observations(step.observations)
        rewards = step.rewards
        self._check_form(rewards, "rewards", self._joint, np.float32)
        # a sum may also be too large
        if not np.isfinite(rewards.sum()) and not np.isfinite(rewards).all():
            self._refuse(rewards, ~np.isfinite(rewards), "the reward")
        for name, flags in (("terminated", step.terminated), ("truncated", step.truncated)):
            self._check_form(flags, name, self._joint, np.bool_)
        over = step.terminated | step.truncated
        if self._any_over and (self._over > over).any():
            self._refuse(over, self._over > over, "came back after its end: the flag")
        self._over = over
        self._any_over = bool(np.count_nonzero(over))

    def _look_at_observations(self, seen: Observations) -> None:
        self._check_form(seen, "observations", self._shape, self._dtype)
        if not seen.size:
            return
        if self._uniform is not None:
            inside = seen.min() >= self._uniform[0] and seen.max() <= self._uniform[1]
        else:
            inside = (seen >= self._low).all() and (seen <= self._high).all()
        if not inside:
            self._refuse(seen, ~((seen >= self._low) & (seen <= self._high)), "the observation")

    def _check_form(self, array: Any, what: str, shape: tuple[int, ...], dtype: type) -> None:
        if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != dtype:
            got = (
                f"{array.dtype} {array.shape}"
                if isinstance(array, np.ndarray)
                else type(array).__name__
            )
            raise WorldError(
                f"{self.name}, step {self.steps}: {what} must be {np.dtype(dtype)} {shape}, got "
                f"{got}"
            )

    def _refuse(self, values: AnyArray, wrong: Bools, what: str) -> NoReturn:
        row, agent, *entry = (int(i) for i in np.argwhere(wrong)[0])
        where = f" at {entry}" if entry else ""
        value = values[(row, agent, *entry)]
        bounds = ""
        if np.isfinite(value) and values.dtype.kind == "f":
            low, high = (
                np.broadcast_to(bound, self._shape)[row, agent, *entry]
                for bound in (self._low, self._high)
            )
            bounds = f", outside {low} to {high}"
        raise WorldError(
            f"{self.name}, row {row}, seed {self._seeds[row]}, step {self.steps}, agent "
            f"'{self.agents[agent]}': {what} is {value}{where}{bounds}. `mirrorenv check "
            f"{self.name}` looks for the cause."
        )


class ValidatedWorld(WorldWrapper):
    """A world behind a :class:`Guard`: the same arrays, each looked at before it is passed on.

    Args:
        world: the world.
        name: what messages call it.

    Attributes:
        guard: what looks at the arrays.
    """

    def __init__(self, world: ArrayWorld, name: str) -> None:
        super().__init__(world)
        self.guard = Guard(world, name)

    def reset(self, seeds: Seeds) -> Observations:
        """The world's `reset`; raises WorldError if its answer is wrong."""
        observations = self.world.reset(seeds)
        self.guard.reset(observations, seeds)
        return observations

    def step(self, actions: Actions) -> Step:
        """The world's `step`; raises WorldError if its answer is wrong."""
        step = self.world.step(actions)
        self.guard.step(step)
        return step
