"""The array contract: a world is written once, as a batch of B independent copies.

Shape legend: B batch (copies), N agents, A action dimensions, obs the observation shape of one
agent.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from mirrorenv.envs.actions import action_columns
from mirrorenv.envs.random import BatchRandom, Seeds, check_seeds
from mirrorenv.envs.world_spec import WorldSpec
from mirrorenv.errors import ConfigError, ShapeError, WorldError
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats32

__all__ = [
    "ActionSpace",
    "AgentId",
    "ArrayWorld",
    "ClockedWorld",
    "Space",
    "Step",
    "check_actions",
    "image_of",
]

AgentId = Hashable
"""The name of an agent, as its environment spells it; ours are text."""
Space = spaces.Space[Any]
"""Any gymnasium space; what its values are, only the space itself knows."""
ActionSpace = spaces.Space[Any]
"""What an agent of an array world may do."""
Observations = npt.NDArray[Any]  # (B, N, *obs) float32, or uint8 where the space says so
Actions = AnyArray  # (B, N) integers or (B, N, A) float32
_LONGEST_TABLE = 10_000  # steps; to look up what is left of the time is four times as fast


class Step(NamedTuple):
    """What a batch of worlds answers to one joint action. All arrays are fresh: the caller may keep
    or change them."""

    observations: Observations  # (B, N, *obs) float32 or uint8
    rewards: Floats32  # (B, N)
    terminated: Bools  # (B, N) the episode reached an end of its own
    truncated: Bools  # (B, N) the clock ran out


def image_of(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """The shape of an observation, if it has the three axes of an image."""
    if len(shape) != 3:
        return None
    rows, columns, channels = shape
    return rows, columns, channels


class ArrayWorld(ABC):
    """A batch of B independent copies of one world with N agents that act simultaneously.

    Row b depends on `seeds[b]` and on its own actions only, whatever B is. A finished row is
    frozen: it earns nothing, repeats its last observation and keeps its flags until the next
    `reset`; its actions are ignored.

    Attributes:
        agents: N names such as `"ant_0"`. No observation holds them or their order.
        num_envs: B.
        horizon: the number of steps at most.
        observation_space: what one agent sees; observations are float32, images (a Box of uint8)
            stay uint8 up to the minibatch that a network reads.
        action_space: what one agent may do: `Discrete`, `Box`, or several of them as
            `MultiDiscrete`, `Tuple` or `Dict` (:mod:`mirrorenv.envs.actions`).
        place_columns: which numbers of the flattened observation say where an agent is, so that
            observers may be shown an agent's neighbours only; empty if none does.
        mask_from: the first of the columns of a flattened observation that say which choices are
            allowed (:mod:`mirrorenv.envs.masks`); None where everything always is.
        image_shape: rows, columns and channels of the image that an observation is or begins with;
            None where it is none.
        spec: what it was made from, where :func:`mirrorenv.make_batch` made it; else None.
    """

    agents: tuple[str, ...]
    num_envs: int
    horizon: int
    observation_space: Space
    action_space: ActionSpace
    render_modes: ClassVar[tuple[str, ...]] = ()
    place_columns: tuple[int, ...] = ()
    mask_from: int | None = None
    image_shape: tuple[int, int, int] | None = None
    spec: WorldSpec | None = None

    @property
    def num_agents(self) -> int:
        """N."""
        return len(self.agents)

    @property
    def column_names(self) -> tuple[str, ...]:
        """A name for each number of an observation, in C order; places in the array unless a world
        knows better."""
        return tuple(
            f"observation[{', '.join(map(str, i))}]"
            for i in np.ndindex(self.observation_space.shape or (1,))
        )

    @property
    def unwrapped(self) -> ArrayWorld:
        """The world inside all wrappers: this one."""
        return self

    @abstractmethod
    def reset(self, seeds: Seeds) -> Observations:
        """Start all rows; (B,) seeds give (B, N, *obs) observations."""

    @abstractmethod
    def step(self, actions: Actions) -> Step:
        """Let every agent act once; (B, N) integers for a Discrete space, (B, N, A) floats for a
        Box."""

    def render(self, index: int = 0) -> npt.NDArray[np.uint8]:
        """Row `index` as an (H, W, 3) uint8 picture; worlds without space have none.

        Raises:
            WorldError: if the world cannot be drawn.
        """
        raise WorldError(f"{type(self).__name__} has no picture: it is not a spatial world")

    def close(self) -> None:  # noqa: B027, most worlds hold nothing open
        """Let go of what is held open: processes and files. Call it twice without harm."""

    def state(self) -> Floats32:
        """(B, S) float32: the whole state for centralised critics, in agent order; never shown to
        observers.

        Raises:
            NotImplementedError: if the world offers none, as PettingZoo's `state` does.
        """
        raise NotImplementedError(f"{type(self).__name__} offers no global state")


def check_actions(
    actions: Actions,
    space: ActionSpace,
    batch: tuple[int, ...],
    world: str,
    step: int,
) -> AnyArray:
    """Joint actions checked against the space of one agent.

    Args:
        actions: `batch + space.shape` numbers, integers for a Discrete space; rows of numbers
            for spaces with several parts (:mod:`mirrorenv.envs.actions`).
        space: the action space of one agent.
        batch: the leading shape, (B, N).
        world: the world's name, for the message.
        step: the number of steps done, for the message.

    Returns:
        int64 actions of shape `batch`, or float32 actions of shape `batch + (A,)`.

    Raises:
        ShapeError: if shape or dtype is wrong.
        WorldError: if a value lies outside the space or is not finite; it names row, agent and
            step. Moves outside a Box are refused rather than clipped, since an observer could read
            a name from the part that had no effect.
    """
    array = np.asarray(actions)
    if not isinstance(space, spaces.Discrete | spaces.Box):
        return action_columns(space).check(array, batch, f"{world}, step {step}")
    shape = (*batch, *(space.shape or ()))
    if array.shape != shape:
        raise ShapeError(f"{world} needs actions of shape {shape}, got {array.shape}")
    if isinstance(space, spaces.Discrete):
        if array.dtype.kind not in "iu":
            raise ShapeError(f"{world} needs integer actions, got dtype {array.dtype}")
        low = int(space.start)
        high = int(space.start) + int(space.n) - 1
        if array.size and (array.min() < low or array.max() > high):
            row, agent = np.argwhere((array < low) | (array > high))[0]
            raise WorldError(
                f"{world}, step {step}, row {row}, agent {agent}: action {array[row, agent]} is "
                f"outside {low}..{high}"
            )
        return array.astype(np.int64, copy=False)
    if array.dtype.kind not in "fiu":
        raise ShapeError(f"{world} needs real actions, got dtype {array.dtype}")
    array = array.astype(np.float32, copy=False)
    outside = ~((array >= space.low) & (array <= space.high))  # also true for NaN
    if outside.any():
        row, agent = np.argwhere(outside)[0][:2]
        raise WorldError(
            f"{world}, step {step}, row {row}, agent {agent}: action {array[row, agent]} is "
            f"outside the space {space}: clip or squash it before the step"
        )
    return array


class ClockedWorld(ArrayWorld):
    """What the worlds of this package share: checks, the clock, random numbers and the freezing of
    finished rows.

    A subclass fills in `_start`, `_advance` and `_observe`. It finds `self.random` (a
    :class:`~mirrorenv.envs.random.BatchRandom` made from the seeds), `self.clock` (B,) int64
    steps done, and `self.finished` (B,) bool. Where it is written against `self.xp` alone, by
    the names of the array API standard, with tables through `xp.asarray` and types said wherever
    whole numbers meet fractions, the same code runs on a GPU (`mirrorenv.population.device`).

    Args:
        num_envs: B, at least 1.
        num_agents: N, at least 1.
        horizon: the number of steps at most, at least 1.
        observation_space: what one agent sees.
        action_space: what one agent may do.
    """

    agent_name: ClassVar[str] = "agent"
    # Names of the (B, N, ...) arrays in which agents differ: to permute these is to relabel the
    # agents, to make them equal is to make all alike. None: agents also differ in what chance
    # does to them (each draws for itself), so that this holds in distribution only.
    agent_state: ClassVar[tuple[str, ...] | None] = None
    # a game of fixed length is terminated
    clock_end: ClassVar[Literal["truncated", "terminated"]] = "truncated"
    # the namespace of the arrays of the state: NumPy, or that of a device
    xp: Any = np
    # whether it is written against `xp` alone, so that it runs on a device
    on_device: ClassVar[bool] = False

    def __init__(
        self,
        *,
        num_envs: int,
        num_agents: int,
        horizon: int,
        observation_space: Space,
        action_space: ActionSpace,
    ) -> None:
        name = type(self).__name__
        for argument, value in (
            ("num_envs", num_envs),
            ("num_agents", num_agents),
            ("horizon", horizon),
        ):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise ConfigError(
                    f"{name}: {argument} must be a whole number of at least 1, got {value!r}"
                )
        self.num_envs = int(num_envs)
        self.horizon = int(horizon)
        self.agents = tuple(f"{self.agent_name}_{i}" for i in range(num_agents))
        self.observation_space = observation_space
        self.action_space = action_space
        self.random: BatchRandom
        self.clock = np.zeros(self.num_envs, np.int64)  # (B,) steps done
        self._steps = 0  # steps done of every row that is not finished
        self._left: Floats32 | None = None  # (T + 1, N, 1) the share of time left, by the clock
        if self.horizon <= _LONGEST_TABLE:
            left = 1.0 - np.arange(self.horizon + 1) / self.horizon
            self._left = left[:, None, None].repeat(num_agents, axis=1).astype(np.float32)
        self.finished = np.zeros(self.num_envs, bool)  # (B,)
        self._ended = np.zeros((self.num_envs, num_agents), bool)  # (B, N) reached an end
        self._some_are_done = False  # whether any agent has ended or any row is finished
        self._last: Observations | None = None  # what the rows show; None before the first reset

    @abstractmethod
    def _start(self) -> None:
        """Set up the state of all rows, drawing from `self.random`."""

    @abstractmethod
    def _advance(self, actions: AnyArray, live: Bools) -> tuple[AnyArray, Bools | None]:
        """Move the world by one step.

        Args:
            actions: checked joint actions.
            live: (B,) bool, the rows that are not finished. Draw and move for these only.

        Returns:
            (B, N) rewards, and what has ended on its own: (B,) bool of rows, or (B, N) bool where
            agents end one by one, or None if nothing ever does.
        """

    @abstractmethod
    def _observe(self) -> Observations:
        """(B, N, *obs) float32 or uint8 as the space says, a fresh array."""

    def reset(self, seeds: Seeds) -> Observations:
        """Start all rows.

        Args:
            seeds: (B,) integers, zero or greater; row b depends on `seeds[b]` only.

        Returns:
            (B, N, *obs) observations.

        Raises:
            ShapeError: if there are not B seeds, or one is negative.
        """
        self.random = BatchRandom(check_seeds(seeds, self.num_envs))
        self.clock[:] = 0
        self._steps = 0
        self.finished[:] = False
        self._ended[:] = False
        self._some_are_done = False
        self._start()
        self._last = self._observe()
        return self._last.copy()

    def step(self, actions: Actions) -> Step:
        """Let every agent act once.

        Args:
            actions: (B, N) integers for a Discrete space, (B, N, A) floats for a Box.

        Raises:
            WorldError: before the first `reset`, or if an action lies outside the space.
            ShapeError: if the actions have the wrong shape or dtype.
        """
        if self._last is None:
            raise WorldError(f"{type(self).__name__}.step() was called before reset(seeds)")
        checked = check_actions(
            actions,
            self.action_space,
            (self.num_envs, self.num_agents),
            type(self).__name__,
            self._steps,
        )
        live = ~self.finished
        if self._some_are_done and not live.any():
            return self._answer(np.zeros((self.num_envs, self.num_agents), np.float32))
        self.clock += live
        self._steps += 1
        rewards, ended = self._advance(checked, live)
        observations = self._observe()
        rewards = rewards.astype(np.float32, copy=False)
        if ended is not None and ended.ndim == 1:
            ended = ended[:, None]  # (B, 1)
        if self._some_are_done:  # these repeat what they were shown and earn nothing
            moving = live[:, None] & ~self._ended  # (B, N)
            rewards = np.where(moving, rewards, np.float32(0))
            observations[~moving] = self._last[~moving]
            ended = None if ended is None else ended & moving
        self._note_ends(ended)
        self._last = observations
        return self._answer(rewards)

    def _note_ends(self, ended: Bools | None) -> None:
        """Who is done after this step; arrays are looked at only where something may have ended.

        Args:
            ended: (B, N) or (B, 1) bool, what ended on its own in this step, or None.
        """
        if ended is not None and ended.any():
            self._some_are_done = True
            self._ended |= ended
        if self._steps >= self.horizon:  # the common end: all rows that were left share the clock
            self._some_are_done = True
            if self.clock_end == "terminated":
                self._ended |= (self.clock >= self.horizon)[:, None]
            self.finished = np.ones(self.num_envs, bool)
        elif self._some_are_done:
            self.finished = np.all(self._ended, axis=1)

    def _answer(self, rewards: Floats32) -> Step:
        assert self._last is not None  # step() has checked
        truncated = self.finished[:, None] & ~self._ended  # (B, N)
        return Step(self._last.copy(), rewards, self._ended.copy(), truncated)

    def _time_left(self) -> Floats32:
        """(B, N, 1) float32 in [0, 1]: the share of the episode still to come, the same for every
        agent."""
        xp = self.xp
        if self._left is not None:
            looked_up: Floats32 = xp.take(xp.asarray(self._left), self.clock, axis=0)
            return looked_up
        left = 1.0 - xp.astype(self.clock, xp.float64) / self.horizon  # (B,)
        every = xp.repeat(xp.astype(left, xp.float32), self.num_agents)
        shaped: Floats32 = every.reshape(self.num_envs, self.num_agents, 1)
        return shaped

    def _happens(self, where: Bools) -> bool:
        """Whether anything is True, so that work for nothing is saved; on a device always, since to
        ask would be to wait for it."""
        return self.xp is not np or bool(where.any())

    def _only(self, where: Bools) -> Any:
        """Index of the rows (B,) that are True, so that work for others is saved; on a device of
        all rows, which are told apart by `where` again."""
        return np.flatnonzero(where) if self.xp is np else slice(None)
