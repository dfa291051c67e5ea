"""Tabular random agents: the world in which the exact limit is known in closed form.

Shape legend: B batch, T time, N agents, K lineup slots (here in author order), S states, A actions.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from gymnasium import spaces

from mirrorenv.envs.base import ClockedWorld, Observations
from mirrorenv.envs.random import BatchRandom, Seeds
from mirrorenv.envs.world_spec import register
from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats32, Floats64, Ints64

__all__ = ["Dirichlet", "DirichletAgents"]


class Dirichlet(ClockedWorld):
    """States that come by chance, actions that change nothing, and no reward: a stage for tabular
    random agents.

    ## Description
    In every step each agent is shown one of S states, drawn uniformly and independently of
    everything else. What tells agents apart is how they answer. With the agents of
    :class:`DirichletAgents`, whose tables are known, the exact posterior over who is who is a sum
    of logarithms: a learned observer has to stay below it.

    ## Agents
    `num_agents` agents, `agent_0` and so on.

    ## Observation
    | part | shape | dtype | range | unit |
    |---|---|---|---|---|
    | state, one of S | S | float32 | 0 or 1 | one-hot |

    ## Action
    `Discrete(num_actions)`.

    ## Reward
    Always 0.

    ## Episode end
    Terminated after `horizon` steps.

    ## Arguments
    `num_agents` (4), `num_states` (9), `num_actions` (5), `horizon` (20 steps).

    ## What carries identity, what leaks
    Only the actions given the states. No leak is possible: states are drawn independently of agents
    and actions.

    ## Version history
    v0: first version.
    """

    on_device = True

    clock_end: ClassVar[Literal["truncated", "terminated"]] = "terminated"

    def __init__(
        self,
        *,
        num_envs: int = 1,
        num_agents: int = 4,
        num_states: int = 9,
        num_actions: int = 5,
        horizon: int = 20,
    ) -> None:
        if num_states < 1 or num_actions < 1:
            raise ConfigError(
                f"Dirichlet: num_states and num_actions must be at least 1, got {num_states} and "
                f"{num_actions}"
            )
        super().__init__(
            num_envs=num_envs,
            num_agents=num_agents,
            horizon=horizon,
            observation_space=spaces.Box(0.0, 1.0, (num_states,)),
            action_space=spaces.Discrete(num_actions),
        )
        self.num_states = num_states
        self.num_actions = num_actions
        self.states = np.zeros((self.num_envs, num_agents), np.int64)  # (B, N)
        self._one_hot = np.eye(num_states, dtype=np.float32)

    def _start(self) -> None:
        self.states = self.random.integers(self.num_states, (self.num_agents,))

    def _advance(self, actions: AnyArray, live: Bools) -> tuple[AnyArray, Bools | None]:
        # all rows end together: all draw
        self.states = self.random.integers(self.num_states, (self.num_agents,))
        return self.xp.zeros(self.states.shape, dtype=self.xp.float32), None

    def _observe(self) -> Observations:
        seen: Observations = self.xp.asarray(self._one_hot)[self.states]
        return seen

    def state(self) -> Floats32:
        """(B, N S + 1) float32: what each agent is shown, one-hot; time left."""
        shown = self._observe().reshape(self.num_envs, -1)  # (B, N * S)
        return np.concatenate([shown, self._time_left()[:, 0]], axis=1)


class DirichletAgents:
    """N tabular agents for each row, each with an answer to each state drawn from a symmetric
    Dirichlet(alpha).

    The random agents S(alpha) of ToMnet (Rabinowitz et al., ICML 2018): a small alpha gives almost
    deterministic agents, a large one agents that are hard to tell apart. Row b has the same N
    agents in every episode it plays.

    Args:
        world: the world they act in.
        alpha: the concentration, above 0.
        seeds: (B,) integers, one for each row's agents and for their choices.

    Attributes:
        log_probabilities: (B, N, S, A) float64 log probability of each action in each state.
    """

    def __init__(self, world: Dirichlet, alpha: float, seeds: Seeds) -> None:
        random = BatchRandom(seeds, stream="dirichlet agents")
        if len(random) != world.num_envs:
            raise ShapeError(
                f"DirichletAgents: {world.num_envs} rows need {world.num_envs} seeds, got "
                f"{len(random)}"
            )
        self._random = random
        shape = (world.num_agents, world.num_states)
        self.log_probabilities = random.log_dirichlet(alpha, world.num_actions, shape)
        self._probabilities = np.exp(self.log_probabilities)

    def __call__(self, observations: Floats32, t: int) -> Ints64:
        """(B, N) int64 actions, drawn from each agent's answer to its state."""
        states = observations.argmax(axis=2)  # (B, N)
        # (B, N, A)
        answers = np.take_along_axis(self._probabilities, states[:, :, None, None], axis=2)[:, :, 0]
        return self._random.categorical(answers)

    def log_likelihood(self, observations: Floats32, actions: Ints64) -> Floats64:
        """How probable each agent finds each trajectory's actions: the evidence of the exact limit.

        Args:
            observations: (B, T, K, S) states shown in trajectory k, one-hot.
            actions: (B, T, K) the answers.

        Returns:
            (B, K, N) float64, `sum_t log pi_n(action | state)`.
        """
        states = observations.argmax(axis=3)  # (B, T, K)
        rows = np.arange(len(states))[:, None, None]
        # advanced indices around the slice over agents: (B, T, K, N)
        steps = self.log_probabilities.transpose(0, 2, 3, 1)[rows, states, actions]
        total: Floats64 = steps.sum(axis=1)
        return total


register(
    "mirrorenv/dirichlet-v0",
    Dirichlet,
    description="States by chance and no reward: tabular random agents whose exact limit is known "
    "in closed form.",
)
