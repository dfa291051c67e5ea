"""Pac-Men: four eaters, four rooms, and dots that come back only when all are eaten.

Shape legend: B batch, N agents, C cells of the grid (row by row), W cells of a window.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from mirrorenv.envs.base import ClockedWorld, Observations
from mirrorenv.envs.world_spec import register
from mirrorenv.envs.worlds.pacmen_map import DOTS_PER_ROOM, pacmen_map
from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats32, Ints64

__all__ = ["EAT", "Pacmen"]

UP, DOWN, RIGHT, LEFT, EAT = range(5)
WALL = -1.0
EMPTY = 0.0
DOT = 1.0
OTHER = float(np.float32(0.1))
STEP_COST = float(np.float32(0.025))
_VIEW = 2  # cells seen in each direction


class Pacmen(ClockedWorld):
    """Four eaters, four rooms: the world in which a division of labour pays fourfold.

    ## Description
    A 3 x 3 centre is joined by corridors one cell wide to four rooms of 5 x 3 cells. Each room
    holds three dots, drawn without replacement from its outermost 4 x 3 cells; all twelve come back
    only when all twelve are eaten, in that same step. Agents that all chase the nearest dot spend
    the episode in corridors; one agent for each room does not. The corridors (up, down, left,
    right) are 3, 1, 2, 2 cells long in `tini` (21 x 21) and 6, 2, 4, 4 in `small` (25 x 25).
    The world is the Pac-Men variant of CDS (Li et al., NeurIPS 2021), rebuilt from its description.

    ## Agents
    `num_agents` eaters, `pacman_0` and so on, all acting in every step. They start in distinct
    cells of the centre, drawn uniformly, and may later share a cell.

    ## Observation
    | part | shape | dtype | range | unit |
    |---|---|---|---|---|
    | 5 x 5 window, row by row | 25 | float32 | -1 to 1 | wall -1, empty 0, agent 0.1, dot 1 |

    Another agent hides the dot it stands on. One does not see oneself, nor place, time or name.

    ## Action
    `Discrete(5)`: 0 up, 1 down, 2 right, 3 left, 4 eat. A move into a wall is a stay.

    ## Reward
    Own reward of an agent: 1 / k if it eats a dot that k agents eat in this step, otherwise -0.025.
    With `"team"` every agent receives the sum over all agents, with `"agent"` its own part;
    both times `reward_scale`. The team's sum lies in -0.025 N to N for each step.

    ## Episode end
    Truncated after `horizon` steps.

    ## Arguments
    `size` (`"tini"`, or `"small"`), `num_agents` (4; 1 to 9), `horizon` (100 steps),
    `reward` (`"team"`, or `"agent"`), `reward_scale` (1.0).

    ## What carries identity, what leaks
    Identity comes from where an agent goes and how it moves. No leak is known: start cells are
    drawn independently of who starts there, windows are egocentric, and other agents look alike.
    Windows do show other agents, so the limit of a single trajectory is not the limit of the
    lineup. Scripted players: :mod:`mirrorenv.envs.worlds.pacmen_players`.

    ## Version history
    v0: first version.
    """

    agent_name = "pacman"
    on_device = True
    agent_state = ("positions",)
    render_modes: ClassVar[tuple[str, ...]] = ("rgb_array",)

    def __init__(
        self,
        *,
        num_envs: int = 1,
        size: Literal["tini", "small"] = "tini",
        num_agents: int = 4,
        horizon: int = 100,
        reward: Literal["team", "agent"] = "team",
        reward_scale: float = 1.0,
    ) -> None:
        if reward not in ("team", "agent"):
            raise ConfigError(f"Pacmen: reward must be 'team' or 'agent', got {reward!r}")
        super().__init__(
            num_envs=num_envs,
            num_agents=num_agents,
            horizon=horizon,
            observation_space=spaces.Box(-1.0, 1.0, ((2 * _VIEW + 1) ** 2,)),
            action_space=spaces.Discrete(5),
        )
        if not isinstance(size, str):
            raise ConfigError(f"Pacmen: size names a map, got {size!r}")
        self.map = pacmen_map(size)
        if num_agents > len(self.map.centre):
            raise ConfigError(
                f"Pacmen: at most {len(self.map.centre)} agents fit into the centre, got "
                f"{num_agents}"
            )
        self.size = size
        self.reward = reward
        self.reward_scale = float(np.float32(reward_scale))
        width = self.map.width
        cells = self.map.free.size
        # (B, N) cells, flat within a grid
        self.positions = np.zeros((self.num_envs, num_agents), np.int64)
        self.dots_left = np.zeros(self.num_envs, np.int64)  # (B,)
        # (B, C) walls, floor and dots, as seen
        self.grid = np.zeros((self.num_envs, cells), np.float32)
        self._empty = np.where(self.map.free, EMPTY, WALL).astype(np.float32)  # (C,)
        # (N, N) whether agent m stands before agent n in the list of agents
        self._earlier = np.tri(num_agents, k=-1, dtype=bool)
        self._another = ~np.eye(num_agents, dtype=bool)  # (N, N)
        # (B, 1) into the flattened grid
        self._row_start = np.arange(self.num_envs, dtype=np.int64)[:, None] * cells
        self._moves = np.array([-width, width, 1, -1, 0])  # by action
        reach = np.arange(-_VIEW, _VIEW + 1)
        self._window = (reach[:, None] * width + reach).ravel()  # (W,) offsets around an agent
        self._centre_of_window = len(self._window) // 2

    def _start(self) -> None:
        xp = self.xp
        order = self.random.permutation(len(self.map.centre))  # (B, 9)
        self.positions = xp.asarray(self.map.centre)[order[:, : self.num_agents]]
        # (B, N) which way they face in a picture
        self._last_actions = xp.full(self.positions.shape, RIGHT, dtype=xp.int64)
        self.grid = xp.tile(xp.asarray(self._empty), (self.num_envs, 1))
        self.dots_left = xp.zeros(self.num_envs, dtype=xp.int64)
        self._lay_dots(self.dots_left == 0)

    def _lay_dots(self, where: Bools) -> None:
        """Put three dots into each room of some rows, (B,), which hold none."""
        xp = self.xp
        boxes = xp.asarray(self.map.dot_boxes)  # (4, 12)
        rooms, choices = self.map.dot_boxes.shape
        rows = self._only(where)
        order = self.random.permutation(choices, (rooms,), where=where)[rows, :, :DOTS_PER_ROOM]
        # (R, 12) into the flattened grid
        cells = boxes[xp.arange(rooms)[:, None], order].reshape(order.shape[0], -1)
        spots = cells + xp.asarray(self._row_start)[rows]
        flat = self.grid.reshape(-1)
        flat[spots] = xp.where(where[rows, None], DOT, flat[spots])
        self.dots_left = xp.where(where, cells.shape[1], self.dots_left)

    def _advance(self, actions: AnyArray, live: Bools) -> tuple[AnyArray, Bools | None]:
        xp = self.xp
        if self._happens(~live):
            actions = xp.where(live[:, None], actions, EAT)  # masked again below
        self._last_actions = xp.asarray(actions, copy=True)
        target = self.positions + xp.asarray(self._moves)[actions]  # (B, N)
        free = xp.asarray(self.map.free)[target]
        self.positions = xp.where(free, target, self.positions)
        # (B, N) into the flattened grid
        spots = self.positions + xp.asarray(self._row_start)
        flat = self.grid.reshape(-1)
        eating = (actions == EAT) & (flat[spots] == DOT) & live[:, None]  # (B, N)
        own = xp.full(spots.shape, -STEP_COST, dtype=xp.float32)
        if self._happens(eating):
            self._eat(eating, spots, own)
        if self.reward == "team":
            # exact for single-precision parts, so in any order of agents
            team = own.sum(axis=1, dtype=xp.float64)
            every = xp.repeat(team, self.num_agents).reshape(own.shape)
            own = xp.astype(every, xp.float32)
        return own * self.reward_scale, None

    def _eat(self, eating: Bools, spots: Ints64, own: Floats32) -> None:
        """Share the dots that are eaten now, clear them, and lay new ones where all are gone."""
        xp = self.xp
        flat = self.grid.reshape(-1)
        rows = self._only(xp.any(eating, axis=1))
        eats = eating[rows]  # (R, N)
        here = spots[rows]
        # (R, N, N) whether agent m eats where agent n stands
        together = (here[:, :, None] == here[:, None, :]) & eats[:, None, :]
        eaters = together.sum(axis=2)
        flat[here] = xp.where(eaters > 0, EMPTY, flat[here])
        shares = 1.0 / xp.astype(eaters, xp.float64).clip(1.0)
        own[rows] = xp.where(eats, xp.astype(shares, xp.float32), own[rows])
        first = eats & ~(together & xp.asarray(self._earlier)).any(axis=2)  # each dot once
        self.dots_left[rows] = self.dots_left[rows] - first.sum(axis=1)
        empty = self.dots_left == 0
        if self._happens(empty):
            self._lay_dots(empty)

    def _observe(self) -> Observations:
        xp = self.xp
        flat = self.grid.reshape(-1)
        spots = self.positions + xp.asarray(self._row_start)  # (B, N)
        under = flat[spots]  # what the agents stand on
        flat[spots] = OTHER  # put all agents into the picture for a moment
        # (B, N, W)
        windows: Floats32 = xp.take(flat, spots[:, :, None] + xp.asarray(self._window))
        flat[spots] = under
        same = spots[:, :, None] == spots[:, None, :]  # (B, N, N)
        shared = (same & xp.asarray(self._another)).any(axis=2)  # (B, N) another is here, too
        windows[:, :, self._centre_of_window] = xp.where(shared, OTHER, under)
        return windows

    def state(self) -> Floats32:
        """(B, C + 2 N + 1) float32: the grid, rows and columns of the agents (0 to 1), time
        left."""
        rows, columns = np.divmod(self.positions, self.map.width)
        places = np.concatenate(
            [rows / (self.map.height - 1), columns / (self.map.width - 1)], axis=1
        )
        whole: Floats32 = np.concatenate(
            [self.grid, places.astype(np.float32), self._time_left()[:, 0]], axis=1
        )
        return whole

    def render(self, index: int = 0) -> npt.NDArray[np.uint8]:
        """Row `index` as an (H, W, 3) uint8 picture."""
        from mirrorenv.envs.worlds.pacmen_drawing import draw_pacmen

        rows, columns = np.divmod(self.positions[index], self.map.width)
        grid = self.grid[index].reshape(self.map.height, self.map.width)
        return draw_pacmen(
            grid, rows, columns, self._last_actions[index], float(self.clock[index] / self.horizon)
        )


register(
    "mirrorenv/pacmen-v0",
    Pacmen,
    team_reward=True,
    description="Four eaters and four rooms of dots: one agent for each room earns four times what "
    "a crowd does.",
    players="mirrorenv.envs.worlds.pacmen_players:PLAYERS",
)
