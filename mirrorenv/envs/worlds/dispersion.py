"""Dispersion: N points leave the origin for N goals.

Shape legend: B batch, N agents and goals, the last axis x and y.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from mirrorenv.envs.base import ClockedWorld, Observations
from mirrorenv.envs.world_spec import register
from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats32

__all__ = ["Dispersion", "GoalSeekers"]

# how far from the origin goals lie
_NEAREST = 0.5
_FARTHEST = 1.0


class Dispersion(ClockedWorld):
    """N points leave the origin for N goals: agents that are all alike can only go together.

    ## Description
    All agents start in the origin of the square [-1, 1] x [-1, 1]. N goals lie around it, at
    distances drawn uniformly from 0.5 to 1 and at angles drawn so that any two neighbours are at
    least half a sector (pi / N) apart, in a random order. A goal counts once, when the first agent
    comes within `goal_radius`. One deterministic policy for all keeps all agents in one place and
    visits the goals one by one; agents that differ reach them all at once. After the dispersion
    task of VMAS and of Bettini et al. (DiCo, ICML 2024), rebuilt from its description.

    ## Agents
    `num_agents` points, `point_0` and so on, all acting in every step.

    ## Observation
    | part | shape | dtype | range | unit |
    |---|---|---|---|---|
    | own place x, y | 2 | float32 | -1 to 1 | half sides |
    | time left | 1 | float32 | 0 to 1 | share of the episode |
    | each goal's x, y relative to oneself | 2 N | float32 | -2 to 2 | half sides |
    | each goal's reached mark | N | float32 | 0 or 1 | flag |

    The order of the goals is the same for all agents and drawn again in each episode. Other agents
    are not seen.

    ## Action
    `Box(-1, 1, (2,))`: the move in x and y in units of `speed`; the square's border stops it.

    ## Reward
    Own reward of an agent: 1 / k for each goal that it reaches together with k - 1 others in this
    step and that was not reached before, minus `time_penalty`. With `"team"` every agent
    receives the sum over all agents, with `"agent"` its own part. The team's return lies in -N
    `time_penalty` `horizon` to N.

    ## Episode end
    Terminated when all goals are reached, truncated after `horizon` steps.

    ## Arguments
    `num_agents` (4), `horizon` (32 steps), `speed` (0.1 half sides for each step),
    `goal_radius` (0.1 half sides; below 0.5), `reward` (`"team"`, or `"agent"`),
    `time_penalty` (0.0).

    ## What carries identity, what leaks
    Identity comes from where an agent goes. No leak is known: all start in one place and see the
    same. The length of an episode is shared by all agents and so names none of them.

    ## Version history
    v0: first version.
    """

    agent_name = "point"
    on_device = True
    agent_state = ("places",)
    render_modes: ClassVar[tuple[str, ...]] = ("rgb_array",)
    place_columns = (0, 1)

    def __init__(
        self,
        *,
        num_envs: int = 1,
        num_agents: int = 4,
        horizon: int = 32,
        speed: float = 0.1,
        goal_radius: float = 0.1,
        reward: Literal["team", "agent"] = "team",
        time_penalty: float = 0.0,
    ) -> None:
        if reward not in ("team", "agent"):
            raise ConfigError(f"Dispersion: reward must be 'team' or 'agent', got {reward!r}")
        if not speed > 0:
            raise ConfigError(f"Dispersion: speed must be above 0, got {speed}")
        if not 0 < goal_radius < _NEAREST:
            raise ConfigError(
                f"Dispersion: goal_radius must lie between 0 and {_NEAREST}, got {goal_radius}"
            )
        low = np.array([-1, -1, 0] + [-2] * (2 * num_agents) + [0] * num_agents, np.float32)
        high = np.array([1, 1, 1] + [2] * (2 * num_agents) + [1] * num_agents, np.float32)
        super().__init__(
            num_envs=num_envs,
            num_agents=num_agents,
            horizon=horizon,
            observation_space=spaces.Box(low, high),
            action_space=spaces.Box(-1.0, 1.0, (2,)),
        )
        self.speed = float(speed)
        self.goal_radius = float(goal_radius)
        self.reward = reward
        self.time_penalty = float(time_penalty)
        self.places = np.zeros((self.num_envs, num_agents, 2))  # (B, N, 2) agents
        self.goals = np.zeros((self.num_envs, num_agents, 2))  # (B, N, 2)
        self.reached = np.zeros((self.num_envs, num_agents), bool)  # (B, N) goals

    def _start(self) -> None:
        xp = self.xp
        count = self.num_agents
        turn = self.random.uniform((1,))  # (B, 1) the whole ring, in sectors
        # (B, N) half a sector free
        sector = self.random.permutation(count) + self.random.uniform((count,), 0.0, 0.5)
        angle = (sector + turn) * (2 * np.pi / count)
        radius = self.random.uniform((count,), _NEAREST, _FARTHEST)
        self.goals = radius[..., None] * xp.stack([xp.cos(angle), xp.sin(angle)], axis=2)
        self.places = xp.zeros((self.num_envs, count, 2), dtype=xp.float64)
        self.reached = xp.zeros((self.num_envs, count), dtype=xp.bool)

    def _advance(self, actions: AnyArray, live: Bools) -> tuple[AnyArray, Bools | None]:
        xp = self.xp
        moved = (self.places + self.speed * xp.astype(actions, xp.float64)).clip(-1.0, 1.0)
        self.places = xp.where(live[:, None, None], moved, self.places)
        gaps = self.places[:, :, None] - self.goals[:, None]  # (B, N agents, N goals, 2)
        close = (gaps**2).sum(axis=3) <= self.goal_radius**2  # (B, N agents, N goals)
        close &= ~self.reached[:, None] & live[:, None, None]
        together = close.sum(axis=1, keepdims=True)  # (B, 1, N goals) agents at each goal
        self.reached = self.reached | (together[:, 0] > 0)
        sharing = xp.astype(together, xp.float64).clip(1.0)
        own = (close / sharing).sum(axis=2) - self.time_penalty  # (B, N)
        if self.reward == "team":
            own = xp.repeat(own.sum(axis=1, keepdims=True), self.num_agents, axis=1)
        ended: Bools = xp.all(self.reached, axis=1)
        return own, ended

    def _observe(self) -> Observations:
        xp = self.xp
        gaps = self.goals[:, None] - self.places[:, :, None]  # (B, N agents, N goals, 2)
        marks = xp.repeat(self.reached[:, None], self.num_agents, axis=1)  # (B, N agents, N goals)
        flat = gaps.reshape(self.num_envs, self.num_agents, -1)
        parts = [self.places, self._time_left(), flat, marks]
        seen: Observations = xp.astype(xp.concat(parts, axis=2), xp.float32)
        return seen

    def state(self) -> Floats32:
        """(B, 5 N + 1) float32: places of agents, places of goals, reached marks, time left."""
        rows = self.num_envs
        parts = [
            self.places.reshape(rows, -1),
            self.goals.reshape(rows, -1),
            self.reached,
            self._time_left()[:, 0],
        ]
        whole: Floats32 = np.concatenate(parts, axis=1).astype(np.float32)
        return whole

    def render(self, index: int = 0) -> npt.NDArray[np.uint8]:
        """Row `index` as an (H, W, 3) uint8 picture."""
        from mirrorenv.envs.worlds.dispersion_drawing import draw_dispersion

        done = float(self.clock[index] / self.horizon)
        return draw_dispersion(
            self.places[index], self.goals[index], self.reached[index], self.goal_radius, done
        )


class GoalSeekers:
    """Scripted points that go straight at a goal: their own one each, or all at the nearest that is
    left.

    Args:
        world: the world to act in.
        split: True: agent i goes to goal i (a division of labour); False: all take the nearest goal
            that is not reached yet, which keeps them together (one policy for all).
    """

    def __init__(self, world: Dispersion, *, split: bool) -> None:
        self.world = world
        self.split = split

    def __call__(self, observations: Floats32, t: int) -> Floats32:
        """(B, N, 2) float32 moves; an agent whose goals are all reached stays."""
        count = self.world.num_agents
        # (B, N, goals, 2)
        gaps = observations[:, :, 3 : 3 + 2 * count].reshape(*observations.shape[:2], count, 2)
        done = observations[:, :, 3 + 2 * count :] > 0  # (B, N, goals)
        if self.split:
            target = np.broadcast_to(np.arange(count), done.shape[:2])  # (B, N)
        else:
            target = np.where(done, np.inf, (gaps**2).sum(axis=3)).argmin(axis=2)
        # (B, N, 2)
        gap = np.take_along_axis(gaps, target[:, :, None, None], axis=2)[:, :, 0] / self.world.speed
        # straight, at most one step
        move = gap / np.maximum(np.abs(gap).max(axis=2, keepdims=True), 1.0)
        rest = np.take_along_axis(done, target[:, :, None], axis=2)  # (B, N, 1)
        return np.where(rest, 0.0, np.clip(move, -1.0, 1.0)).astype(np.float32)


PLAYERS = {"together": partial(GoalSeekers, split=False), "apart": partial(GoalSeekers, split=True)}
"""Scripted teams by name."""

register(
    "mirrorenv/dispersion-v0",
    Dispersion,
    team_reward=True,
    description="Points leave the origin for as many goals: agents that are all alike can only go "
    "together.",
    players=f"{__name__}:PLAYERS",
)
