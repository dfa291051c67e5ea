"""The one-step identity game: be like the others and be paid, or be someone.

Shape legend: B batch, N agents, K actions.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from gymnasium import spaces

from mirrorenv.envs.base import ClockedWorld, Observations
from mirrorenv.envs.policies import AlikePlayers, DifferentPlayers
from mirrorenv.envs.world_spec import register
from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats32

__all__ = ["Identity"]


class Identity(ClockedWorld):
    """One step, nothing to see, and a reward for one of the actions: be paid, or be someone.

    ## Description
    Every agent chooses one of K actions, once. Action 0 pays, so without a mirror reward all agents
    end on it and none can be told apart. The game is small enough to be solved, and so it
    measures what a classifier, an optimiser or an exploration bonus does to the point where
    diversity appears.

    ## Agents
    `num_agents` agents, `agent_0` and so on.

    ## Observation
    | part | shape | dtype | range | unit |
    |---|---|---|---|---|
    | nothing | 1 | float32 | 0 | none |

    ## Action
    `Discrete(num_actions)`.

    ## Reward
    `reward` for action 0, otherwise 0; each agent earns its own. Range 0 to `reward`.

    With mirror weight w, an exact observer and each agent paid for being recognised itself, an
    agent that alone leaves a crowd on action 0 gives up `reward` and gains w log N. The same
    holds for the advantage that learning sees at its first step away. So diversity appears at the
    critical weight `reward / log(N)`, which is `reward / log 2` = 1.443 `reward` for two
    agents (:attr:`critical_weight`).

    ## Episode end
    Terminated after one step.

    ## Arguments
    `num_agents` (2), `num_actions` (2), `reward` (1.0).

    ## What carries identity, what leaks
    The action, and nothing else. No leak is possible: the observation is constant.

    ## Version history
    v0: first version.
    """

    agent_state = ()
    on_device = True
    clock_end: ClassVar[Literal["truncated", "terminated"]] = "terminated"

    def __init__(
        self, *, num_envs: int = 1, num_agents: int = 2, num_actions: int = 2, reward: float = 1.0
    ) -> None:
        if num_actions < 1:
            raise ConfigError(f"Identity: num_actions must be at least 1, got {num_actions}")
        super().__init__(
            num_envs=num_envs,
            num_agents=num_agents,
            horizon=1,
            observation_space=spaces.Box(0.0, 1.0, (1,)),
            action_space=spaces.Discrete(num_actions),
        )
        self.reward = float(reward)

    @property
    def critical_weight(self) -> float:
        """`reward / log(N)`: the mirror weight above which one agent gains by leaving the
        crowd."""
        return self.reward / math.log(self.num_agents) if self.num_agents > 1 else math.inf

    def _start(self) -> None:
        """There is no state."""

    def _advance(self, actions: AnyArray, live: Bools) -> tuple[AnyArray, Bools | None]:
        xp = self.xp
        return xp.astype(actions == 0, xp.float32) * self.reward, None

    def _observe(self) -> Observations:
        shape = (self.num_envs, self.num_agents, 1)
        nothing: Observations = self.xp.zeros(shape, dtype=self.xp.float32)
        return nothing

    def state(self) -> Floats32:
        """(B, 1) float32: 1 before the step and 0 after it; there is no other state."""
        return self._time_left()[:, 0]


PLAYERS = {"different": DifferentPlayers, "alike": AlikePlayers}
"""Scripted teams by name: recognisable and poor, and the other way round."""

register(
    "mirrorenv/identity-v0",
    Identity,
    deterministic=True,
    description="One step and a reward for one action: diversity appears at a known mirror weight.",
    players=f"{__name__}:PLAYERS",
)
