"""Points in a square that earn nothing: DIAYN's first example, for several agents at once.

Shape legend: B batch, N agents, the last axis x and y.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from mirrorenv.envs.base import ClockedWorld, Observations
from mirrorenv.envs.world_spec import register
from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats32

__all__ = ["Fan", "Point"]


class Point(ClockedWorld):
    """Points that leave the middle of a square and earn nothing: as many ways to go as there are
    directions.

    ## Description
    N points start in the middle of the square [-1, 1] x [-1, 1] and move by a bounded step in any
    direction; the border stops them. They do not see or hinder one another, and nothing is paid.
    After the two-dimensional navigation of Eysenbach et al. (DIAYN, ICLR 2019), rebuilt from its
    description: there one agent learns many skills, here every skill is an agent.

    ## Agents
    `num_agents` points, `point_0` and so on, all acting in every step.

    ## Observation
    | part | shape | dtype | range | unit |
    |---|---|---|---|---|
    | own place x, y | 2 | float32 | -1 to 1 | half sides |
    | time left | 1 | float32 | 0 to 1 | share of the episode |

    ## Action
    `Box(-1, 1, (2,))`: the move in x and y in units of `speed`; the square's border stops it.

    ## Reward
    Always 0.

    ## Episode end
    Truncated after `horizon` steps.

    ## Arguments
    `num_agents` (8), `horizon` (100 steps), `speed` (0.2 half sides for each step, a tenth of
    a side).

    ## What carries identity, what leaks
    Identity can only come from where a point goes: all start in one place and see the same there.
    No leak is known.

    ## Version history
    v0: first version.
    """

    agent_name = "point"
    on_device = True
    agent_state = ("places",)
    render_modes: ClassVar[tuple[str, ...]] = ("rgb_array",)
    place_columns = (0, 1)

    def __init__(
        self, *, num_envs: int = 1, num_agents: int = 8, horizon: int = 100, speed: float = 0.2
    ) -> None:
        if not speed > 0:
            raise ConfigError(f"Point: speed must be above 0, got {speed}")
        super().__init__(
            num_envs=num_envs,
            num_agents=num_agents,
            horizon=horizon,
            observation_space=spaces.Box(np.array([-1, -1, 0], np.float32), np.ones(3, np.float32)),
            action_space=spaces.Box(-1.0, 1.0, (2,)),
        )
        self.speed = float(speed)
        self.places = np.zeros((self.num_envs, num_agents, 2))  # (B, N, 2)

    def _start(self) -> None:
        shape = (self.num_envs, self.num_agents, 2)
        self.places = self.xp.zeros(shape, dtype=self.xp.float64)

    def _advance(self, actions: AnyArray, live: Bools) -> tuple[AnyArray, Bools | None]:
        xp = self.xp
        moved = (self.places + self.speed * xp.astype(actions, xp.float64)).clip(-1.0, 1.0)
        self.places = xp.where(live[:, None, None], moved, self.places)
        return xp.zeros(self.places.shape[:2], dtype=xp.float32), None

    def _observe(self) -> Observations:
        xp = self.xp
        seen: Observations = xp.astype(
            xp.concat([self.places, self._time_left()], axis=2), xp.float32
        )
        return seen

    def state(self) -> Floats32:
        """(B, 2 N + 1) float32: places of all agents, time left."""
        flat = self.places.reshape(self.num_envs, -1).astype(np.float32)
        return np.concatenate([flat, self._time_left()[:, 0]], axis=1)

    def render(self, index: int = 0) -> npt.NDArray[np.uint8]:
        """Row `index` as an (H, W, 3) uint8 picture."""
        from mirrorenv.envs.worlds.dispersion_drawing import draw_dispersion

        none = np.zeros((0, 2))
        return draw_dispersion(
            self.places[index], none, none[:, 0] > 0, 0.1, float(self.clock[index] / self.horizon)
        )


class Fan:
    """Scripted points that walk straight to the border, each in a direction of its own, or all in
    one.

    Args:
        world: the world to act in.
        split: whether directions differ.
    """

    def __init__(self, world: Point, *, split: bool) -> None:
        angle = np.arange(world.num_agents) * (2 * np.pi / world.num_agents) * split
        self.moves = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)  # (N, 2)

    def __call__(self, observations: Floats32, t: int) -> Floats32:
        """(B, N, 2) float32 moves."""
        return np.repeat(self.moves[None], len(observations), axis=0)


PLAYERS = {"together": partial(Fan, split=False), "fan": partial(Fan, split=True)}
"""Scripted teams by name."""

register(
    "mirrorenv/point-v0",
    Point,
    deterministic=True,
    description="Points in a square that earn nothing: as many skills as there are ways to go "
    "(after DIAYN).",
    players=f"{__name__}:PLAYERS",
)
