"""A small environment without a fault, from which the broken ones are made, and the list of
these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from mirrorenv.envs.base import Space

__all__ = ["FAULTS", "Answer", "Fault", "Flawless", "fault"]

Answer = tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]


class Flawless(ParallelEnv):  # type: ignore[misc]  # pettingzoo ships no types
    """Four walkers on a line from -1 to 1, started at random; each sees its place, a gust of wind
    and the time.

    The first falls in step 3. In the last step, the second reaches its goal and the others run out
    of time, so that an episode has an early death and a mixed ending.

    Args:
        max_cycles: steps of an episode.
    """

    def __init__(self, max_cycles: int = 8) -> None:
        self.metadata = {"name": "flawless", "render_modes": []}
        self.possible_agents = [f"walker_{i}" for i in range(4)]
        self.agents: list[str] = []
        self.max_cycles = max_cycles
        self.clock = 0
        self._sight: Space = spaces.Box(-1, 1, (3,), np.float32)
        self._moves: Space = spaces.Discrete(3)

    def observation_space(self, agent: str) -> Space:
        """Three numbers from -1 to 1."""
        return self._sight

    def action_space(self, agent: str) -> Space:
        """0 left, 1 stay, 2 right."""
        return self._moves

    def reset(
        self, seed: int | None = None, options: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start an episode."""
        self.rng = np.random.default_rng(seed)
        self.agents = list(self.possible_agents)
        self.clock = 0
        self.place = self.rng.uniform(-1, 1, len(self.agents))  # (N,)
        return {agent: self.see(agent) for agent in self.agents}, {
            agent: {} for agent in self.agents
        }

    def step(self, actions: dict[str, Any]) -> Answer:
        """All agents walk."""
        self.clock += 1
        was = self.agents
        for agent in was:
            self.walk(agent, actions[agent])
        late = self.clock >= self.max_cycles
        ended = {agent: self.ends(agent) for agent in was}
        cut = {agent: late and not ended[agent] for agent in was}
        answer = (
            {agent: self.see(agent) for agent in was},
            {agent: float(-abs(self.place[self.index(agent)])) for agent in was},
            ended,
            cut,
            {agent: dict[str, Any]() for agent in was},
        )
        self.agents = [agent for agent in was if not (ended[agent] or cut[agent])]
        return answer

    def index(self, agent: str) -> int:
        """The agent's number."""
        return int(agent.rsplit("_", 1)[1])

    def walk(self, agent: str, action: Any) -> None:
        """Let one agent walk."""
        index = self.index(agent)
        self.place[index] = np.clip(self.place[index] + 0.1 * (int(action) - 1), -1, 1)

    def ends(self, agent: str) -> bool:
        """Whether the agent's episode ends by itself."""
        return (agent == "walker_0" and self.clock == 3) or (
            agent == "walker_1" and self.clock == self.max_cycles
        )

    def see(self, agent: str) -> Any:
        """What the agent sees: a fresh array."""
        wind = self.rng.uniform(-1, 1)
        return np.array(
            [self.place[self.index(agent)], wind, self.clock / self.max_cycles], np.float32
        )


class Fault(NamedTuple):
    """An environment with one thing wrong.

    Attributes:
        check: the name of the check that must find it.
        make: makes the environment.
        story: what is wrong.
    """

    check: str
    make: Callable[..., Any]
    story: str


FAULTS: list[Fault] = []
"""All of them, in the order in which they are written."""


def fault(check: str) -> Callable[[type[Any]], type[Any]]:
    """Register a class as an environment with this fault.

    Args:
        check: the name of the check that must find it.
    """

    def add(broken: type[Any]) -> type[Any]:
        FAULTS.append(Fault(check, broken, " ".join((broken.__doc__ or "").split())))
        return broken

    return add
