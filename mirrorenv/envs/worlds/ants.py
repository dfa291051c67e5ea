"""Ants on a line.

Shape legend: B batch, N agents, F food items.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from mirrorenv.envs.base import ClockedWorld, Observations
from mirrorenv.envs.world_spec import register
from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats32, Floats64, Ints64

__all__ = ["Ants"]

_MOVES = np.array([-1, 0, 1])  # left, stay, right


class Ants(ClockedWorld):
    """Ants on a line that earn nothing: all that can tell them apart is where they choose to walk.

    ## Description
    N ants walk on a line of L cells. Several may share a cell. A step over the end of the line is a
    stay. Without food the environment pays nothing, so the mirror reward is all there is: the
    example in which one ant that always walks left and one that always walks right are told apart
    at a glance.

    ## Agents
    `num_agents` ants, `ant_0` and so on, all acting in every step.

    ## Observation
    | part | shape | dtype | range | unit |
    |---|---|---|---|---|
    | own cell | 1 | float32 | -1 (left end) to 1 (right end) | half lines |
    | time left | 1 | float32 | 0 to 1 | share of the episode |
    | the others, `see_others` | N - 1 | float32 | -1 to 1, ascending | lines, relative |
    | food, `food` | F | float32 | -1 to 1, ascending | lines, relative to oneself |

    ## Action
    `Discrete(3)`: 0 left, 1 stay, 2 right.

    ## Reward
    Always 0 without food. With food: an item that k ants step on in the same step gives each of
    them 1 / k, and comes back at once in a uniformly drawn cell. Range 0 to F for each step.

    ## Episode end
    Truncated after `horizon` steps.

    ## Arguments
    `num_agents` (4), `length` (15 cells), `horizon` (32 steps), `start` (`"middle"`: all
    in the middle cell; `"random"`: cells drawn independently and uniformly), `see_others`
    (False), `food` (False), `food_items` (1).

    ## What carries identity, what leaks
    Identity can only come from behaviour: all ants start alike, or at places drawn independently of
    who they are, and the others are listed by place, never by name. No leak is known. With
    `see_others` a trajectory also tells what the others did, so the limit of a single trajectory
    is not the limit of the lineup.

    ## Version history
    v0: first version.
    """

    agent_name = "ant"
    on_device = True
    agent_state = ("cells",)
    render_modes: ClassVar[tuple[str, ...]] = ("rgb_array",)
    place_columns = (0,)

    def __init__(
        self,
        *,
        num_envs: int = 1,
        num_agents: int = 4,
        length: int = 15,
        horizon: int = 32,
        start: Literal["middle", "random"] = "middle",
        see_others: bool = False,
        food: bool = False,
        food_items: int = 1,
    ) -> None:
        if length < 2:
            raise ConfigError(f"Ants: length must be at least 2 cells, got {length}")
        if start not in ("middle", "random"):
            raise ConfigError(f"Ants: start must be 'middle' or 'random', got {start!r}")
        if food_items < 1:
            raise ConfigError(f"Ants: food_items must be at least 1, got {food_items}")
        self.length = length
        self.start = start
        self.see_others = see_others
        self.food = food
        self.food_items = food_items if food else 0
        relative = (num_agents - 1 if see_others else 0) + self.food_items
        low = np.array([-1, 0, *[-1] * relative], np.float32)
        super().__init__(
            num_envs=num_envs,
            num_agents=num_agents,
            horizon=horizon,
            observation_space=spaces.Box(low, np.ones_like(low)),
            action_space=spaces.Discrete(3),
        )
        others = np.nonzero(~np.eye(num_agents, dtype=bool))[1]
        self._others = others.reshape(num_agents, num_agents - 1)
        self._selves = np.arange(num_agents)[:, None]
        self.cells = np.zeros((num_envs, num_agents), np.int64)  # (B, N) where the ants are
        self.food_cells = np.zeros((num_envs, self.food_items), np.int64)  # (B, F)

    def _start(self) -> None:
        if self.start == "random":
            self.cells = self.random.integers(self.length, (self.num_agents,))
        else:
            shape = (self.num_envs, self.num_agents)
            self.cells = self.xp.full(shape, self.length // 2, dtype=self.xp.int64)
        if self.food:
            self.food_cells = self.random.integers(self.length, (self.food_items,))

    def _advance(self, actions: AnyArray, live: Bools) -> tuple[AnyArray, Bools | None]:
        xp = self.xp
        moved = xp.clip(self.cells + xp.asarray(_MOVES)[actions], 0, self.length - 1)  # (B, N)
        self.cells = xp.where(live[:, None], moved, self.cells)
        if not self.food:
            return xp.zeros(self.cells.shape, dtype=xp.float32), None
        return self._eat(live), None

    def _eat(self, live: Bools) -> Floats32:
        """Share out the food under the ants, and bring eaten items back elsewhere."""
        xp = self.xp
        # (B, N, F)
        on_food = (self.cells[:, :, None] == self.food_cells[:, None, :]) & live[:, None, None]
        eaters = on_food.sum(axis=1, keepdims=True)  # (B, 1, F)
        shares = xp.astype(on_food, xp.float64) / xp.clip(eaters, 1, self.num_agents)
        eaten = eaters[:, 0] > 0  # (B, F)
        if self._happens(eaten):
            where = eaten.any(axis=1)
            fresh = self.random.integers(self.length, (self.food_items,), where=where)
            self.food_cells = xp.where(eaten, fresh, self.food_cells)
        rewards: Floats32 = xp.astype(shares.sum(axis=2), xp.float32)  # (B, N)
        return rewards

    def _observe(self) -> Observations:
        xp = self.xp
        # (B, N, 1)
        own = xp.astype(self.cells, xp.float64)[:, :, None] * (2.0 / (self.length - 1)) - 1.0
        parts = [own, self._time_left()]
        if self.see_others:
            # (B, N, N), the diagonal is oneself
            gaps = self.cells[:, None, :] - self.cells[:, :, None]
            others = gaps[:, xp.asarray(self._selves), xp.asarray(self._others)]  # (B, N, N - 1)
            parts.append(self._relative(others))
        if self.food:
            # (B, N, F)
            parts.append(self._relative(self.food_cells[:, None, :] - self.cells[:, :, None]))
        seen: Observations = xp.astype(xp.concat(parts, axis=2), xp.float32)
        return seen

    def _relative(self, gaps: Ints64) -> Floats64:
        """Signed distances in cells, (B, N, M), ascending and in lines: an order that names
        no agent."""
        xp = self.xp
        lines: Floats64 = xp.astype(xp.sort(gaps, axis=2), xp.float64) / (self.length - 1)
        return lines

    def state(self) -> Floats32:
        """(B, N + F + 1) float32: cells of ants, cells of food (0 to 1 along the line), time
        left."""
        places = np.concatenate([self.cells, self.food_cells], axis=1) / (self.length - 1)
        parts: list[Floats32] = [places.astype(np.float32), self._time_left()[:, 0]]
        whole: Floats32 = np.concatenate(parts, axis=1)
        return whole

    def render(self, index: int = 0) -> npt.NDArray[np.uint8]:
        """Row `index` as an (H, W, 3) uint8 picture."""
        from mirrorenv.envs.worlds.ants_drawing import draw_ants

        done = self.clock[index] / self.horizon
        return draw_ants(self.cells[index], self.food_cells[index], self.length, float(done))


class Stations:
    """Every ant walks to a cell of its own, spread evenly over the line, and stays: as recognisable
    as ants can be.

    Args:
        world: the world to act in.
    """

    def __init__(self, world: Ants) -> None:
        self.world = world
        # (N,)
        self.stations = np.linspace(0, world.length - 1, world.num_agents).round().astype(np.int64)

    def __call__(self, observations: Floats32, t: int) -> Ints64:
        """(B, N) int64 actions."""
        way: Ints64 = np.sign(self.stations - self.world.cells)  # (B, N)
        return way + 1


PLAYERS = {"stations": Stations}
"""Scripted teams by name."""

register(
    "mirrorenv/ants-v0",
    Ants,
    deterministic=True,
    description="Ants on a line that earn nothing: all that can tell them apart is where they "
    "choose to walk.",
    players=f"{__name__}:PLAYERS",
)
