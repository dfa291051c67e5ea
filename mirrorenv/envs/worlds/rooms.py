"""Four rooms with doorways, and, if asked for, a key that is needed at the goal.

Shape legend: B batch, N agents, the last axis row and column.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from mirrorenv.envs.base import ClockedWorld, Observations
from mirrorenv.envs.world_spec import register
from mirrorenv.envs.worlds.graph import shortest_lengths
from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats32, Ints64

__all__ = ["KeyDoor", "Rooms", "four_rooms"]

MOVES = np.array([[0, 0], [-1, 0], [0, 1], [1, 0], [0, -1]])  # stay, up, right, down, left


def four_rooms(side: int) -> tuple[Bools, Ints64]:
    """A square of four rooms, each joined to two others by one doorway.

    After Sutton, Precup and Singh ("Between MDPs and semi-MDPs", Artificial Intelligence 1999); for
    `side` 11 the rooms have 104 cells together.

    Args:
        side: cells along one side inside the outer wall, odd, at least 5.

    Returns:
        (side, side) bool of the cells one can stand on, and (4, 2) row and column of the doorways.
    """
    if side < 5 or side % 2 == 0:
        raise ConfigError(f"four rooms: side = {side} must be odd and at least 5")
    free = np.ones((side, side), bool)
    middle = side // 2
    free[:, middle] = False
    free[middle + 1, middle + 1 :] = False
    free[middle, :middle] = False
    left = middle // 2  # the middle of the rooms above and to the left
    right = middle + (side - middle) // 2  # of those below and to the right
    lower = right + 1 if side <= 7 else right  # below the wall that hangs lower on the right
    doors = np.array(
        [[left, middle], [lower, middle], [middle, left - 1], [middle + 1, right]], np.int64
    )
    free[doors[:, 0], doors[:, 1]] = True
    return free, doors


class Rooms(ClockedWorld):
    """Agents walk from room to room to a goal that all are given.

    ## Description
    Four rooms are joined by four doorways. In an episode all agents begin in one cell and are given
    one goal; start and goal are drawn among all cells. Most ways lead around the middle on either
    side, and within a room every order of steps is equally short: which way is taken is one's own.

    The optimum is known: :meth:`shortest` is the fewest steps by breadth first.

    ## Agents
    `num_agents` walkers, `walker_0` and so on. Several may stand in one cell. A walker that has
    reached its goal leaves; the others go on.

    ## Observation
    | part | shape | dtype | range | unit |
    |---|---|---|---|---|
    | own row, column | 2 | float32 | 0 to 1 | share of the side |
    | the goal's row, column | 2 | float32 | 0 to 1 | share of the side |
    | one may step up, right, down, left | 4 | float32 | 0 or 1 | flags |
    | time left | 1 | float32 | 0 to 1 | share of the episode |

    Others are not seen.

    ## Action
    `Discrete(5)`: 0 stay, 1 up, 2 right, 3 down, 4 left. A step into a wall is a stay.

    ## Reward
    1 for reaching the goal, minus `step_cost` for each step.

    ## Episode end
    For an agent, when it reaches the goal (terminated). All others are cut off after `horizon`
    steps (truncated).

    ## Arguments
    `num_agents` (4), `side` (11 cells inside the outer wall; odd, at least 5), `horizon`
    (64), `step_cost` (0.0; 0 or more).

    ## What carries identity, what leaks
    The ways that are chosen, and how many wrong steps are made. Nothing leaks: all see the same
    until they choose.

    ## Version history
    v0: first version.
    """

    agent_name = "walker"
    on_device = True
    agent_state: ClassVar[tuple[str, ...]] = ("places", "arrived")

    def __init__(
        self,
        *,
        num_envs: int = 1,
        num_agents: int = 4,
        side: int = 11,
        horizon: int = 64,
        step_cost: float = 0.0,
    ) -> None:
        if step_cost < 0:
            raise ConfigError(f"{type(self).__name__}: step_cost must be 0 or more: {step_cost}")
        self.free, self.doors = four_rooms(side)  # (side, side) bool, (4, 2)
        self.side = int(side)
        super().__init__(
            num_envs=num_envs,
            num_agents=num_agents,
            horizon=horizon,
            observation_space=spaces.Box(0.0, 1.0, (self._width(),)),
            action_space=spaces.Discrete(len(MOVES)),
        )
        self.step_cost = float(step_cost)
        self.cells = np.argwhere(self.free)  # (C, 2) of all one can stand on
        self.lengths = shortest_lengths(_adjacent(self.cells))  # (C, C)
        self.places = np.zeros((self.num_envs, self.num_agents, 2), np.int64)  # (B, N, 2)
        self.goal = np.zeros((self.num_envs, 2), np.int64)  # (B, 2)
        self.arrived = np.zeros((self.num_envs, self.num_agents), bool)  # (B, N)
        self._starts = np.zeros((self.num_envs, 2), np.int64)  # (B, 2)

    def _width(self) -> int:
        """How many numbers an agent sees."""
        return 9

    def shortest(self) -> Ints64:
        """(B,) the fewest steps from the start of this episode to its goal."""
        steps: Ints64 = self.lengths[self.index_of(self._starts), self.index_of(self.goal)]
        return steps

    def index_of(self, places: Ints64) -> Ints64:
        """Places (..., 2) -> numbers (...) in the list of cells."""
        number = np.full((self.side, self.side), -1, np.int64)
        number[self.cells[:, 0], self.cells[:, 1]] = np.arange(len(self.cells))
        found: Ints64 = number[places[..., 0], places[..., 1]]
        return found

    def _start(self) -> None:
        drawn = self.random.permutation(len(self.cells))[:, :2]  # (B, 2) two different cells
        self._put(drawn[:, 0], drawn[:, 1])

    def _put(self, starts: Ints64, goals: Ints64) -> None:
        """Put all agents at the start, none of them arrived: numbers of cells, (B,) each."""
        xp = self.xp
        cells = xp.asarray(self.cells)
        self._starts = cells[starts]
        self.goal = cells[goals]
        self.places = xp.repeat(self._starts[:, None], self.num_agents, axis=1)
        self.arrived = xp.zeros((self.num_envs, self.num_agents), dtype=xp.bool)

    def _advance(
        self, actions: npt.NDArray[Any], live: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
        moving = live[:, None] & ~self.arrived  # (B, N)
        self._move(actions, moving)
        there = moving & self._is_done()
        self.arrived = self.arrived | there
        xp = self.xp
        cost = self.step_cost * xp.astype(moving, xp.float64)
        return xp.astype(there, xp.float64) - cost, self.arrived

    def _move(self, actions: npt.NDArray[Any], moving: Bools) -> None:
        xp = self.xp
        aim = xp.clip(self.places + xp.asarray(MOVES)[actions], 0, self.side - 1)  # (B, N, 2)
        goes = moving & xp.asarray(self.free)[aim[..., 0], aim[..., 1]]
        self.places = xp.where(goes[..., None], aim, self.places)

    def _is_done(self) -> Bools:
        """(B, N) who has reached what it was sent for."""
        done: Bools = (self.places == self.goal[:, None]).all(axis=2)
        return done

    def _observe(self) -> Observations:
        xp = self.xp
        scale = 1.0 / (self.side - 1)
        goal = xp.repeat(self.goal[:, None], self.num_agents, axis=1)
        places = xp.astype(xp.concat([self.places, goal], axis=2), xp.float64) * scale
        parts = [xp.astype(one, xp.float32) for one in (places, *self._seen())]
        seen: Observations = xp.concat(parts, axis=2)
        return seen

    def _seen(self) -> list[AnyArray]:
        """What is seen besides places: (B, N, ...) each."""
        return [self._open_sides(), self._time_left()]

    def _open_sides(self) -> Bools:
        """(B, N, 4) whether one may step up, right, down, left."""
        xp = self.xp
        aims = self.places[:, :, None] + xp.asarray(MOVES)[1:]  # (B, N, 4, 2)
        inside = ((aims >= 0) & (aims < self.side)).all(axis=3)
        aims = xp.clip(aims, 0, self.side - 1)
        open_: Bools = inside & xp.asarray(self.free)[aims[..., 0], aims[..., 1]]
        return open_

    @property
    def column_names(self) -> tuple[str, ...]:
        """The meaning of each number of an observation."""
        sides = [f"open {side}" for side in ("up", "right", "down", "left")]
        return ("row", "column", "goal row", "goal column", *sides, "time left")

    def state(self) -> Floats32:
        """(B, 2 N + 3) float32: places of all agents, the goal, time left."""
        scale = 1.0 / (self.side - 1)
        flat = self.places.reshape(self.num_envs, -1)
        parts: list[AnyArray] = [flat * scale, self.goal * scale, self._time_left()[:, 0, :1]]
        return np.concatenate(parts, axis=1).astype(np.float32)


class KeyDoor(Rooms):
    """Four rooms in which the goal opens only to who has been at the key, seen once.

    ## Description
    As rooms-v0, but the goal is a door. The key lies in a cell drawn for each episode, which is
    shown in the first step and never again; whether one has it is not shown either. So an agent
    must remember where the key was, and that it has been there: without memory the task cannot be
    solved in general.

    The optimum is known: :meth:`shortest` is the fewest steps over the key to the door.

    ## Agents
    `num_agents` walkers, `walker_0` and so on. A walker that has opened the door leaves.

    ## Observation
    | part | shape | dtype | range | unit |
    |---|---|---|---|---|
    | own row, column | 2 | float32 | 0 to 1 | share of the side |
    | the door's row, column | 2 | float32 | 0 to 1 | share of the side |
    | the key's row, column | 2 | float32 | 0 to 1 | share of the side; 0 after the first step |
    | the key is shown | 1 | float32 | 0 or 1 | flag |
    | one may step up, right, down, left | 4 | float32 | 0 or 1 | flags |
    | time left | 1 | float32 | 0 to 1 | share of the episode |

    ## Action
    `Discrete(5)`: 0 stay, 1 up, 2 right, 3 down, 4 left. A step into a wall is a stay.

    ## Reward
    1 for standing at the door with the key, minus `step_cost` for each step.

    ## Episode end
    For an agent, when it opens the door (terminated). All others are cut off after `horizon`
    steps (truncated).

    ## Arguments
    `num_agents` (4), `side` (7 cells inside the outer wall; odd, at least 5), `horizon`
    (64), `step_cost` (0.0; 0 or more).

    ## What carries identity, what leaks
    The ways that are chosen. Nothing leaks: all see the same until they choose.

    ## Version history
    v0: first version.
    """

    agent_state = ("places", "arrived", "has_key")

    def __init__(
        self,
        *,
        num_envs: int = 1,
        num_agents: int = 4,
        side: int = 7,
        horizon: int = 64,
        step_cost: float = 0.0,
    ) -> None:
        super().__init__(
            num_envs=num_envs,
            num_agents=num_agents,
            side=side,
            horizon=horizon,
            step_cost=step_cost,
        )
        self.key = np.zeros((self.num_envs, 2), np.int64)  # (B, 2)
        self.has_key = np.zeros((self.num_envs, self.num_agents), bool)  # (B, N)

    def _width(self) -> int:
        return 12

    def shortest(self) -> Ints64:
        """(B,) the fewest steps from the start over the key to the door."""
        start, key, door = (self.index_of(p) for p in (self._starts, self.key, self.goal))
        steps: Ints64 = self.lengths[start, key] + self.lengths[key, door]
        return steps

    def _start(self) -> None:
        drawn = self.random.permutation(len(self.cells))[:, :3]  # (B, 3) three different cells
        self._put(drawn[:, 0], drawn[:, 1])
        self.key = self.xp.asarray(self.cells)[drawn[:, 2]]
        self.has_key = self.xp.zeros(self.arrived.shape, dtype=self.xp.bool)

    def _is_done(self) -> Bools:
        self.has_key = self.has_key | (self.places == self.key[:, None]).all(axis=2)
        return super()._is_done() & self.has_key

    def _seen(self) -> list[AnyArray]:
        xp = self.xp
        first = (self.clock == 0)[:, None, None]  # (B, 1, 1)
        key = xp.astype(self.key, xp.float64)[:, None] / (self.side - 1)  # (B, 1, 2)
        key = xp.repeat(xp.where(first, key, 0.0), self.num_agents, axis=1)
        shown = xp.repeat(first, self.num_agents, axis=1)
        return [key, shown, self._open_sides(), self._time_left()]

    @property
    def column_names(self) -> tuple[str, ...]:
        """The meaning of each number of an observation."""
        sides = [f"open {side}" for side in ("up", "right", "down", "left")]
        door = ("row", "column", "door row", "door column")
        return (*door, "key row", "key column", "key is shown", *sides, "time left")

    def state(self) -> Floats32:
        """(B, 3 N + 5) float32: as of rooms, the key, and who has it."""
        parts: list[AnyArray] = [super().state(), self.key / (self.side - 1), self.has_key]
        return np.concatenate(parts, axis=1).astype(np.float32)


def _adjacent(cells: Ints64) -> Bools:
    """(C, C) whether two cells share a side."""
    gaps: Bools = np.abs(cells[:, None] - cells[None]).sum(axis=2) == 1
    return gaps


class WayPlayers:
    """Everybody takes a shortest way: over the key where there is one.

    Args:
        world: the world to act in.
        turned: whether agent i prefers directions in an order of its own.
    """

    def __init__(self, world: Rooms, turned: bool = False) -> None:
        self._world = world
        self._order = np.tile(np.arange(len(MOVES)), (world.num_agents, 1))  # (N, 5)
        if turned:
            shift = np.arange(world.num_agents)[:, None]
            self._order[:, 1:] = 1 + (np.arange(4) + shift) % 4
        self._key = np.zeros((world.num_envs, world.num_agents, 2), np.int64)
        self._has_key = np.ones((world.num_envs, world.num_agents), bool)

    def __call__(self, observations: Floats32, t: int) -> Ints64:
        """(B, N) int64 actions."""
        world = self._world
        scale = world.side - 1
        here = np.rint(observations[..., :2] * scale).astype(np.int64)  # (B, N, 2)
        aim = np.rint(observations[..., 2:4] * scale).astype(np.int64)
        if isinstance(world, KeyDoor):
            if t == 0:
                self._key = np.rint(observations[..., 4:6] * scale).astype(np.int64)
                self._has_key = np.zeros(here.shape[:2], bool)
            self._has_key = self._has_key | (here == self._key).all(axis=2)
            aim = np.where(self._has_key[..., None], aim, self._key)
        next_cells = np.clip(here[:, :, None] + MOVES, 0, scale)  # (B, N, 5, 2)
        free = world.free[next_cells[..., 0], next_cells[..., 1]]
        start = world.index_of(np.where(free[..., None], next_cells, here[:, :, None]))  # (B, N, 5)
        cost = world.lengths[start, world.index_of(aim)[..., None]]  # (B, N, 5)
        rank = np.argsort(self._order, axis=1)  # (N, 5) place of each move in one's own order
        chosen: Ints64 = (cost * len(MOVES) + rank).argmin(-1)
        return chosen


def _turned(world: Rooms) -> WayPlayers:
    return WayPlayers(world, turned=True)


PLAYERS = {"shortest": WayPlayers, "own ways": _turned}
"""Scripted teams by name: all prefer the same directions, or each its own."""

register(
    "mirrorenv/rooms-v0",
    Rooms,
    description="Four rooms, four doorways and a goal: every way around, and every order of steps.",
    players=f"{__name__}:PLAYERS",
)
register(
    "mirrorenv/keydoor-v0",
    KeyDoor,
    description="Four rooms, a key that is shown once, and a door: to be solved by memory only.",
    players=f"{__name__}:PLAYERS",
)
