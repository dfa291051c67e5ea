"""The conformity game: every agent is paid for doing what the others do.

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

__all__ = ["Conformity"]


class Conformity(ClockedWorld):
    """Every agent is paid for doing what the others do: the world that pays for not being
    recognisable.

    ## Description
    In each step every agent chooses one of K actions and earns in proportion to the others that
    chose the same. All alike is the best outcome without a mirror reward, all different the best
    with a strong one.

    ## Agents
    `num_agents` agents, at least two, `agent_0` and so on.

    ## Observation
    | part | shape | dtype | range | unit |
    |---|---|---|---|---|
    | time left | 1 | float32 | 0 to 1 | share of the episode |

    ## Action
    `Discrete(num_actions)`; by default as many actions as agents, so that all can differ.

    ## Reward
    `reward / horizon * (number of the others with my action) / (N - 1)` for each agent and step.
    The return of an episode is `reward` if all are alike throughout, and 0 if all differ
    throughout.

    With mirror weight w and an exact observer, all alike is worth `reward` and all different w
    log N, and an agent that alone leaves the crowd trades the one for the other: the critical
    weight is `reward / log(N)` (:attr:`critical_weight`). This holds for a choice that is kept
    for the whole episode, as with `horizon = 1`. In a longer episode agents can buy recognition
    with one deviating step and conform in the rest (a handshake), which is cheaper; such episodes
    are there to study that.

    ## Episode end
    Terminated after `horizon` steps.

    ## Arguments
    `num_agents` (4), `num_actions` (None: N; at least N otherwise), `horizon` (1 step),
    `reward` (1.0).

    ## What carries identity, what leaks
    The actions, and nothing else. No leak is possible: the observation holds only the time.

    ## Version history
    v0: first version.
    """

    agent_state = ()
    on_device = True
    clock_end: ClassVar[Literal["truncated", "terminated"]] = "terminated"

    def __init__(
        self,
        *,
        num_envs: int = 1,
        num_agents: int = 4,
        num_actions: int | None = None,
        horizon: int = 1,
        reward: float = 1.0,
    ) -> None:
        if num_agents < 2:
            raise ConfigError(f"Conformity: num_agents must be at least 2, got {num_agents}")
        num_actions = num_agents if num_actions is None else num_actions
        if num_actions < num_agents:
            raise ConfigError(
                f"Conformity: num_actions ({num_actions}) must be at least num_agents "
                f"({num_agents}), so that all can differ"
            )
        super().__init__(
            num_envs=num_envs,
            num_agents=num_agents,
            horizon=horizon,
            observation_space=spaces.Box(0.0, 1.0, (1,)),
            action_space=spaces.Discrete(num_actions),
        )
        self.reward = float(reward)

    @property
    def critical_weight(self) -> float:
        """`reward / log(N)`: the mirror weight at which all different is worth as much as all
        alike."""
        return self.reward / math.log(self.num_agents)

    def _start(self) -> None:
        """There is no state but the clock."""

    def _advance(self, actions: AnyArray, live: Bools) -> tuple[AnyArray, Bools | None]:
        # (B, N) others with the same action
        others = (actions[:, :, None] == actions[:, None, :]).sum(axis=2) - 1
        others = self.xp.astype(others, self.xp.float64)
        return others * (self.reward / (self.horizon * (self.num_agents - 1))), None

    def _observe(self) -> Observations:
        return self._time_left()

    def state(self) -> Floats32:
        """(B, 1) float32: time left; there is no other state."""
        return self._time_left()[:, 0]


PLAYERS = {"different": DifferentPlayers, "alike": AlikePlayers}
"""Scripted teams by name: recognisable and poor, and the other way round."""

register(
    "mirrorenv/conformity-v0",
    Conformity,
    deterministic=True,
    description="Every agent is paid for doing what the others do: the world that pays for being "
    "alike.",
    players=f"{__name__}:PLAYERS",
)
