"""Poles on carts, one for each agent, with the physics of gymnasium's CartPole-v1.

Shape legend: B batch, N agents, the last axis x, x velocity, angle, angular velocity.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from mirrorenv.envs.base import ClockedWorld, Observations
from mirrorenv.envs.world_spec import register
from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import Floats32, Floats64, Ints64

__all__ = ["CartPole"]

GRAVITY = 9.8
CART = 1.0
POLE = 0.1
HALF_LENGTH = 0.5
FORCE = 10.0
TAU = 0.02
EDGE = 2.4
TILT = 12 * 2 * math.pi / 360
SCALE = np.array([EDGE, 5.0, TILT, 5.0])  # what an observation is divided by
_HIGH = np.array([2.0, 10.0, 2.0, 10.0])  # of an observation
_LOW = -_HIGH


class CartPole(ClockedWorld):
    """Every agent keeps a pole of its own upright by pushing its cart to the left or right.

    ## Description
    The physics of gymnasium's CartPole-v1 (Barto, Sutton and Anderson 1983), for N carts that do
    not see or hinder one another; a test compares it step by step with gymnasium's. In an episode
    all poles start alike. There are many ways to balance: upright in the middle, in a corner, with
    a slow or a fast hand.

    The optimum is known: `horizon` steps upright.

    ## Agents
    `num_agents` poles, `pole_0` and so on. A pole that falls, or whose cart leaves the track,
    is out; the others go on.

    ## Observation
    | part | shape | dtype | range | unit |
    |---|---|---|---|---|
    | cart's place | 1 | float32 | -2 to 2 | half tracks of 2.4 |
    | cart's velocity | 1 | float32 | -10 to 10 | 5 lengths a second |
    | pole's angle | 1 | float32 | -2 to 2 | 12 degrees |
    | pole's angular velocity | 1 | float32 | -10 to 10 | 5 radians a second |

    ## Action
    `Discrete(2)`: 0 push left, 1 push right, with a force of 10 newtons.

    ## Reward
    `1 / horizon` for each step that began upright: at most 1 in an episode.

    ## Episode end
    For an agent, when its pole leans more than 12 degrees or its cart leaves the track
    (terminated). All others are cut off after `horizon` steps (truncated).

    ## Arguments
    `num_agents` (4), `horizon` (500 steps), `start` (`"shared"`: all poles start alike;
    `"own"`: each draws its own).

    ## What carries identity, what leaks
    How a pole is balanced, and how long. With shared starts nothing leaks: all are alike until they
    push. With own starts the first state is drawn independently of who an agent is.

    ## Version history
    v0: first version.
    """

    agent_name = "pole"
    on_device = True
    agent_state = ("poles", "fallen")

    def __init__(
        self,
        *,
        num_envs: int = 1,
        num_agents: int = 4,
        horizon: int = 500,
        start: Literal["shared", "own"] = "shared",
    ) -> None:
        if start not in ("shared", "own"):
            raise ConfigError(f"CartPole: start must be 'shared' or 'own', got {start!r}")
        super().__init__(
            num_envs=num_envs,
            num_agents=num_agents,
            horizon=horizon,
            observation_space=spaces.Box(_LOW.astype(np.float32), _HIGH.astype(np.float32)),
            action_space=spaces.Discrete(2),
        )
        self.start = start
        self.poles = np.zeros((self.num_envs, self.num_agents, 4))  # (B, N, 4) float64
        self.fallen = np.zeros((self.num_envs, self.num_agents), bool)  # (B, N)

    def _start(self) -> None:
        xp = self.xp
        draws = 1 if self.start == "shared" else self.num_agents
        drawn = self.random.uniform((draws, 4), -0.05, 0.05)
        self.poles = xp.repeat(drawn, self.num_agents // draws, axis=1)
        self.fallen = xp.zeros((self.num_envs, self.num_agents), dtype=xp.bool)

    def _advance(
        self, actions: npt.NDArray[Any], live: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
        xp = self.xp
        moving = live[:, None] & ~self.fallen  # (B, N)
        self.poles = xp.where(moving[..., None], push(self.poles, actions, xp), self.poles)
        out = (xp.abs(self.poles[..., 0]) > EDGE) | (xp.abs(self.poles[..., 2]) > TILT)
        self.fallen = self.fallen | (moving & out)
        return xp.astype(moving, xp.float64) / self.horizon, self.fallen

    def _observe(self) -> Observations:
        xp = self.xp
        seen = self.poles / xp.asarray(SCALE)
        clipped = xp.clip(seen, xp.asarray(_LOW), xp.asarray(_HIGH))
        shown: Observations = xp.astype(clipped, xp.float32)
        return shown

    @property
    def column_names(self) -> tuple[str, ...]:
        """The meaning of each number of an observation."""
        return ("cart place", "cart velocity", "pole angle", "pole angular velocity")

    def state(self) -> Floats32:
        """(B, 4 N + 1) float32: all poles as observed, and time left."""
        flat = self._observe().reshape(self.num_envs, -1)
        return np.concatenate([flat, self._time_left()[:, 0]], axis=1).astype(np.float32)


def push(poles: Floats64, actions: Ints64, xp: Any = np) -> Floats64:
    """One step of 0.02 seconds by the explicit Euler method, as gymnasium's default.

    Args:
        poles: (..., 4).
        actions: (...) 0 or 1.
        xp: namespace of the arrays.

    Returns:
        (..., 4).
    """
    x, speed, angle, spin = (poles[..., part] for part in range(4))
    force = FORCE * (2.0 * xp.astype(actions == 1, xp.float64) - 1.0)
    cosine = xp.cos(angle)
    sine = xp.sin(angle)
    mass = CART + POLE
    moment = POLE * HALF_LENGTH
    pressed = (force + moment * xp.square(spin) * sine) / mass
    turned = (GRAVITY * sine - cosine * pressed) / (
        HALF_LENGTH * (4.0 / 3.0 - POLE * xp.square(cosine) / mass)
    )
    pushed = pressed - moment * turned * cosine / mass
    moved = [x + TAU * speed, speed + TAU * pushed, angle + TAU * spin, spin + TAU * turned]
    found: Floats64 = xp.stack(moved, axis=-1)
    return found


class LeaningPlayers:
    """Everybody pushes under the falling pole, which balances it for long.

    Args:
        world: the world to act in.
        places: whether each agent likes a place of its own on the track.
    """

    def __init__(self, world: CartPole, places: bool = False) -> None:
        width = 0.3 if places else 0.0
        self._liked = np.linspace(-width, width, world.num_agents)  # (N,) of half tracks

    def __call__(self, observations: Floats32, t: int) -> Ints64:
        """(B, N) int64 actions."""
        x, speed, angle, spin = np.moveaxis(observations.astype(np.float64) * SCALE, -1, 0)
        lean = angle + 0.25 * spin + 0.02 * (x - self._liked * EDGE) + 0.05 * speed
        chosen: Ints64 = (lean > 0).astype(np.int64)
        return chosen


def _placed(world: CartPole) -> LeaningPlayers:
    return LeaningPlayers(world, places=True)


PLAYERS = {"upright": LeaningPlayers, "own places": _placed}
"""Scripted teams by name: all balance alike, or each in a place of its own."""

register(
    "mirrorenv/cartpole-v0",
    CartPole,
    description="Poles on carts, one for each agent: there are many ways to balance.",
    players=f"{__name__}:PLAYERS",
)
