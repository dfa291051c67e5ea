"""A chain of jobs that pays only while every job is done, beside one that pays at once.

Shape legend: B batch, N agents, J jobs.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from gymnasium import spaces

from mirrorenv.envs.base import ClockedWorld, Observations
from mirrorenv.envs.policies import AlikePlayers
from mirrorenv.envs.world_spec import register
from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats32, Ints64

__all__ = ["Chain"]


class Chain(ClockedWorld):
    """Jobs that pay nothing until each of them is done, beside one that pays at once.

    ## Description
    A harvest needs J jobs. In each step every agent does one of them. An agent that does the first,
    gleaning, earns a little at once. The great harvest comes in only in a step in which every job
    is done by some agent, and it is shared by all. As long as one job is left undone, the others
    are work for nothing. Play by chance seldom does all of them, learning to glean makes it rarer
    still, and a crowd of gleaners has no reason to change: an agent that leaves it alone loses.
    Agents that differ do every job.

    ## Agents
    `num_agents` hands, at least two, `hand_0` and so on, all acting in every step.

    ## Observation
    | part | shape | dtype | range | unit |
    |---|---|---|---|---|
    | time left | 1 | float32 | 0 to 1 | share of the episode |
    | every job was done in the last step | 1 | float32 | 0 or 1 | flag |

    Others are not seen.

    ## Action
    `Discrete(num_jobs)`: the job to do; 0 is gleaning.

    ## Reward
    An agent's own part of a step is `glean` for gleaning, and `harvest` besides, whatever its
    job, if every job is done. With `"team"` every agent receives the mean over all agents, with
    `"agent"` its own part. The mean over agents of an episode is `glean * horizon` if all glean
    (:attr:`crowd_return`), at best `(harvest + glean * (N - J + 1) / N) * horizon`, with one
    agent on each of the other jobs (:attr:`divided_return`), and in between by chance
    (:attr:`chance_return`).

    With mirror weight w, an exact observer and each agent paid for being recognised itself, an
    agent that alone leaves a crowd of gleaners for the whole episode gains w log N and gives up
    `glean * horizon` ("agent") or one N-th of that ("team"): above the ratio of the two
    (:attr:`critical_weight`) a crowd does not last. As in conformity-v0, deviating in one step only
    is cheaper.

    ## Episode end
    Terminated after `horizon` steps.

    ## Arguments
    `num_agents` (6), `num_jobs` (None: N; 2 to N otherwise), `horizon` (16 steps), `glean`
    (0.2; 0 or more), `harvest` (1.0; above `glean`), `reward` (`"team"`, or `"agent"`).

    ## What carries identity, what leaks
    The jobs, and nothing else. No leak is possible: all see the same.

    ## Version history
    v0: first version.
    """

    agent_name = "hand"
    on_device = True
    agent_state = ()
    clock_end: ClassVar[Literal["truncated", "terminated"]] = "terminated"

    def __init__(
        self,
        *,
        num_envs: int = 1,
        num_agents: int = 6,
        num_jobs: int | None = None,
        horizon: int = 16,
        glean: float = 0.2,
        harvest: float = 1.0,
        reward: Literal["team", "agent"] = "team",
    ) -> None:
        if num_agents < 2:
            raise ConfigError(f"Chain: num_agents must be at least 2, got {num_agents}")
        num_jobs = num_agents if num_jobs is None else num_jobs
        if not 2 <= num_jobs <= num_agents:
            raise ConfigError(
                f"Chain: num_jobs must lie between 2 and num_agents ({num_agents}), got {num_jobs}"
            )
        if not 0 <= glean < harvest:
            raise ConfigError(
                f"Chain: 0 <= glean < harvest must hold, got glean {glean} and harvest {harvest}"
            )
        if reward not in ("team", "agent"):
            raise ConfigError(f"Chain: reward must be 'team' or 'agent', got {reward!r}")
        super().__init__(
            num_envs=num_envs,
            num_agents=num_agents,
            horizon=horizon,
            observation_space=spaces.Box(0.0, 1.0, (2,)),
            action_space=spaces.Discrete(num_jobs),
        )
        self.num_jobs = int(num_jobs)
        self.glean = float(glean)
        self.harvest = float(harvest)
        self.reward = reward
        self.whole = np.zeros(self.num_envs, bool)  # (B,) every job was done in the last step

    @property
    def crowd_return(self) -> float:
        """Mean over agents of an episode in which all glean."""
        return self.glean * self.horizon

    @property
    def divided_return(self) -> float:
        """The highest return: one agent on each job but gleaning, the others glean."""
        gleaners = self.num_agents - self.num_jobs + 1
        return (self.harvest + self.glean * gleaners / self.num_agents) * self.horizon

    @property
    def chance_return(self) -> float:
        """What uniform play earns in expectation; every job is done with the probability of a
        surjection."""
        count = self.num_agents
        jobs = self.num_jobs
        covered = sum(
            (-1.0) ** k * math.comb(jobs, k) * (1 - k / jobs) ** count for k in range(jobs)
        )
        return float((self.glean / jobs + self.harvest * covered) * self.horizon)

    @property
    def critical_weight(self) -> float:
        """The mirror weight at which leaving a crowd of gleaners for a whole episode pays for
        itself."""
        cost = self.glean * self.horizon / (self.num_agents if self.reward == "team" else 1)
        return cost / math.log(self.num_agents)

    def _start(self) -> None:
        self.whole = self.xp.zeros(self.num_envs, dtype=self.xp.bool)

    def _advance(self, actions: AnyArray, live: Bools) -> tuple[AnyArray, Bools | None]:
        xp = self.xp
        done = (actions[:, :, None] == xp.arange(self.num_jobs)).any(axis=1)  # (B, J)
        self.whole = done.all(axis=1)
        gleaned = self.glean * xp.astype(actions == 0, xp.float64)  # (B, N)
        own = gleaned + self.harvest * xp.astype(self.whole, xp.float64)[:, None]  # (B, N)
        if self.reward == "team":
            own = xp.repeat(own.mean(axis=1, keepdims=True), self.num_agents, axis=1)
        return own, None

    def _observe(self) -> Observations:
        xp = self.xp
        whole = xp.repeat(self.whole[:, None, None], self.num_agents, axis=1)  # (B, N, 1)
        parts = [self._time_left(), xp.astype(whole, xp.float32)]
        seen: Observations = xp.concat(parts, axis=2)
        return seen

    def state(self) -> Floats32:
        """(B, 2) float32: time left, and whether every job was done in the last step."""
        parts: list[AnyArray] = [self._time_left()[:, 0], self.whole[:, None]]
        return np.concatenate(parts, axis=1).astype(np.float32)


class DividedPlayers:
    """Agent i does job i, and who is left over gleans: as much as there is to earn.

    Args:
        world: the world to act in.
    """

    def __init__(self, world: Chain) -> None:
        agents = np.arange(world.num_agents)
        self._jobs = np.where(agents < world.num_jobs, agents, 0)  # (N,)
        self._rows = world.num_envs

    def __call__(self, observations: Floats32, t: int) -> Ints64:
        """(B, N) int64 actions."""
        return np.tile(self._jobs, (self._rows, 1))


PLAYERS = {"crowd": AlikePlayers, "divided": DividedPlayers}
"""Scripted teams by name: all glean, or every job is done."""

register(
    "mirrorenv/chain-v0",
    Chain,
    deterministic=True,
    team_reward=True,
    description="Jobs that pay nothing until each of them is done, beside one that pays a little "
    "at once.",
    players=f"{__name__}:PLAYERS",
)
