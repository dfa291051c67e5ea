"""Turn: two agents fetch a key by turns, and where they start says who they are.

Shape legend: B batch, N = 2 agents, the last axis row and column unless said otherwise.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from mirrorenv.envs.base import ClockedWorld, Observations
from mirrorenv.envs.world_spec import register
from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats32, Ints64

__all__ = ["EAT", "STAY", "Turn"]

UP, DOWN, LEFT, RIGHT, EAT, STAY = range(6)
_MOVES = np.array([[-1, 0], [1, 0], [0, -1], [0, 1], [0, 0], [0, 0]])  # by action
_REACH = np.arange(-1, 2)  # cells seen in each direction
KEY_REWARD = 10.0
FAULT = -1.0


class Turn(ClockedWorld):
    """Two agents fetch a key by turns: their start corners name them, so that the leak audit has
    something to find.

    ## Description
    A square of `size` x `size` cells holds two agents and a key. Only the agent whose turn it
    is can move and eat. When it eats on the key's cell, the key comes back in a uniformly drawn
    cell and the turn passes. An agent that acts out of turn is fined. The world is the "Turn" task
    of CIA (Liu et al., AAAI 2023), rebuilt from a description; where that is silent, agent 0 has
    the first turn, and the key may lie under an agent.

    ## Agents
    Two, `agent_0` and `agent_1`, both asked in every step.

    ## Observation
    | part | shape | dtype | range | unit |
    |---|---|---|---|---|
    | the other agent in the 3 x 3 cells around oneself, row by row | 9 | float32 | 0 or 1 | there |
    | the key in the same cells | 9 | float32 | 0 or 1 | there |

    One sees neither one's place nor whose turn it is. As in the original, the row above the first
    is the last one, and the column left of the first likewise; beyond the last row or column there
    is nothing to see.

    ## Action
    `Discrete(6)`: 0 up, 1 down, 2 left, 3 right, 4 eat, 5 stay.

    ## Reward
    10 for eating the key; -1 for a step over the edge, which is a stay; -1 for anything but stay
    out of turn. With `"team"` both receive the sum, -2 to 10 for each step; with `"agent"` each
    its own part, -1 to 10.

    ## Episode end
    Truncated after `horizon` steps.

    ## Arguments
    `size` (5 cells; at least 2), `horizon` (100 steps), `reward` (`"team"`, or
    `"agent"`), `start` (`"corners"`; or `"random"`: distinct cells and the first turn drawn
    by chance, the world without the leak).

    ## What carries identity, what leaks
    Everything leaks: agent 0 starts in the first corner and has the first turn, agent 1 starts in
    the last. Since rows wrap on one side only, the first observation shows agent 0 the other agent
    and shows agent 1 nothing. Recognition in this world says nothing about behaviour. With
    `start="random"` no leak is known.

    ## Version history
    v0: first version.
    """

    on_device = True

    render_modes: ClassVar[tuple[str, ...]] = ("rgb_array",)

    def __init__(
        self,
        *,
        num_envs: int = 1,
        size: int = 5,
        horizon: int = 100,
        reward: Literal["team", "agent"] = "team",
        start: Literal["corners", "random"] = "corners",
    ) -> None:
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 2:
            raise ConfigError(
                f"Turn: size must be a whole number of at least 2 cells, got {size!r}"
            )
        if reward not in ("team", "agent"):
            raise ConfigError(f"Turn: reward must be 'team' or 'agent', got {reward!r}")
        if start not in ("corners", "random"):
            raise ConfigError(f"Turn: start must be 'corners' or 'random', got {start!r}")
        super().__init__(
            num_envs=num_envs,
            num_agents=2,
            horizon=horizon,
            observation_space=spaces.Box(0.0, 1.0, (2 * len(_REACH) ** 2,)),
            action_space=spaces.Discrete(len(_MOVES)),
        )
        self.size = int(size)
        self.reward = reward
        self.start = start
        self.places = np.zeros((self.num_envs, 2, 2), np.int64)  # (B, N, 2)
        self.key = np.zeros((self.num_envs, 2), np.int64)  # (B, 2)
        around = np.arange(self.size)[:, None] + _REACH
        # (size, 3) what is in view from each; the first row's upper neighbour is the last row
        self._around = np.where(around < 0, self.size - 1, around)
        self._corners = np.array([[0, 0], [self.size - 1, self.size - 1]])
        self.turn = np.zeros(self.num_envs, np.int64)  # (B,) whose turn it is

    @property
    def column_names(self) -> tuple[str, ...]:
        """What each number of an observation is, for messages."""
        cells = [f"({row:+d}, {column:+d})" for row in _REACH for column in _REACH]
        return tuple(f"{what} at {cell}" for what in ("other agent", "key") for cell in cells)

    def _start(self) -> None:
        xp = self.xp
        if self.start == "random":
            self.places = self._placed(self.random.permutation(self.size**2)[:, :2])  # (B, N, 2)
            self.turn = self.random.integers(2)
        else:
            self.places = xp.tile(xp.asarray(self._corners), (self.num_envs, 1, 1))
            self.turn = xp.zeros(self.num_envs, dtype=xp.int64)
        self.key = self._placed(self.random.integers(self.size**2))

    def _placed(self, cells: Ints64) -> Ints64:
        """Numbers of cells (...) as rows and columns (..., 2)."""
        xp = self.xp
        rows = xp.floor_divide(cells, self.size)
        placed: Ints64 = xp.stack([rows, cells - rows * self.size], axis=-1)
        return placed

    def _advance(self, actions: AnyArray, live: Bools) -> tuple[AnyArray, Bools | None]:
        xp = self.xp
        mine = (xp.arange(2) == self.turn[:, None]) & live[:, None]  # (B, N) may act
        target = self.places + xp.take(xp.asarray(_MOVES), actions, axis=0)  # (B, N, 2)
        inside = ((target >= 0) & (target < self.size)).all(axis=2)  # (B, N)
        eats = mine & (actions == EAT) & (self.places == self.key[:, None]).all(axis=2)  # (B, N)
        fined = xp.where(mine, ~inside, actions != STAY) & ~eats  # (B, N)
        self.places = xp.where((mine & inside)[:, :, None], target, self.places)
        own = KEY_REWARD * xp.astype(eats, xp.float64) + FAULT * xp.astype(fined, xp.float64)
        eaten = eats.any(axis=1)  # (B,)
        if self._happens(eaten):
            self.turn = xp.where(eaten, 1 - self.turn, self.turn)
            fresh = self._placed(self.random.integers(self.size**2, where=eaten))
            self.key = xp.where(eaten[:, None], fresh, self.key)
        if self.reward == "team":
            own = xp.repeat(own.sum(axis=1, keepdims=True), 2, axis=1)
        return own, None

    def _observe(self) -> Observations:
        xp = self.xp
        # (B, N, 2, 3) rows and columns in view
        around = xp.take(xp.asarray(self._around), self.places, axis=0)
        maps = []
        for thing in (xp.flip(self.places, axis=1), self.key[:, None]):  # each (B, N or 1, 2)
            hit = around == thing[:, :, :, None]  # (B, N, 2, 3)
            maps.append(
                (hit[:, :, 0, :, None] & hit[:, :, 1, None, :]).reshape(self.num_envs, 2, -1)
            )
        seen: Observations = xp.astype(xp.concat(maps, axis=2), xp.float32)
        return seen

    def state(self) -> Floats32:
        """(B, 2 N + 4) float32: places of the agents and of the key (0 to 1), whose turn it is,
        time left."""
        places = np.concatenate([self.places.reshape(self.num_envs, -1), self.key], axis=1) / (
            self.size - 1
        )
        parts: list[AnyArray] = [places, self.turn[:, None], self._time_left()[:, 0]]
        whole: Floats32 = np.concatenate(parts, axis=1).astype(np.float32)
        return whole

    def render(self, index: int = 0) -> npt.NDArray[np.uint8]:
        """Row `index` as an (H, W, 3) uint8 picture."""
        from mirrorenv.envs.worlds.turn_drawing import draw_turn

        done = float(self.clock[index] / self.horizon)
        return draw_turn(
            self.places[index], self.key[index], int(self.turn[index]), self.size, done
        )


class KeySeekers:
    """Whose turn it is walks to the key, first along its column, and eats it; the other one stays.

    Args:
        world: the world to act in.
    """

    def __init__(self, world: Turn) -> None:
        self.world = world

    def __call__(self, observations: Floats32, t: int) -> Ints64:
        """(B, N) int64 actions."""
        world = self.world
        way = np.sign(world.key[:, None] - world.places)  # (B, N, 2)
        step = np.where((way[..., :1] != 0), way * [1, 0], way)  # rows before columns
        action = (step[:, :, None] == _MOVES).all(axis=3).argmax(axis=2)  # (B, N) a move, or STAY
        action = np.where((way == 0).all(axis=2), EAT, action)
        return np.where(np.arange(2) == world.turn[:, None], action, STAY)


PLAYERS = {"seekers": KeySeekers}
"""Scripted teams by name."""

register(
    "mirrorenv/turn-v0",
    Turn,
    team_reward=True,
    slot_exchangeable=False,
    leaks="start corners name the agents by construction, and agent 0 has the first turn: here for "
    "the leak audit",
    description="Two agents fetch a key by turns, from corners that name them: the world the leak "
    "audit must catch.",
    players=f"{__name__}:PLAYERS",
)
