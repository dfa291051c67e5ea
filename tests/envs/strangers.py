"""PettingZoo environments written for the tests: small, and each with one property of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv


class Stranger(ParallelEnv):
    """Agents see three random numbers and their clock; they are paid for their action. Only the
    clock ends it."""

    metadata = {"name": "stranger", "render_modes": ["rgb_array"]}  # noqa: RUF012  (PettingZoo's own way)
    sight: Any = spaces.Box(-20, 20, (4,), np.float64)
    acts: Any = spaces.Discrete(3)

    def __init__(
        self, num_agents_: int = 3, max_cycles: int = 6, render_mode: str | None = None
    ) -> None:
        self.possible_agents = [f"one_{i}" for i in range(num_agents_)]
        self.max_cycles, self.render_mode = max_cycles, render_mode
        self.received: list[dict[str, Any]] = []

    def observation_space(self, agent: str) -> Any:
        return self.sight

    def action_space(self, agent: str) -> Any:
        return self.acts

    def see(self, agent: str) -> Any:
        return np.array([*self.rng.normal(size=3).clip(-9, 9), self.clock])

    def pay(self, agent: str, action: Any) -> Any:
        return float(action) + self.clock / 10

    def ends(self, agent: str) -> bool:
        return False

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.rng, self.clock = np.random.default_rng(seed), 0
        self.agents = list(self.possible_agents)
        self.received = []
        return {agent: self.see(agent) for agent in self.agents}, {
            agent: {} for agent in self.agents
        }

    def step(self, actions: dict[str, Any]) -> Any:
        assert actions.keys() == set(self.agents)
        self.received.append(dict(actions))
        self.clock += 1
        was, late = self.agents, self.clock >= self.max_cycles
        over = {agent: self.ends(agent) for agent in was}
        answer = (
            {agent: self.see(agent) for agent in was},
            {agent: self.pay(agent, actions[agent]) for agent in was},
            over,
            {agent: late and not over[agent] for agent in was},
            {agent: {} for agent in was},
        )
        self.agents = [agent for agent in was if not over[agent] and not late]
        return answer

    def render(self) -> Any:
        return np.full((4, 5, 3), self.clock, np.uint8)


class Dying(Stranger):
    """Each agent dies with probability 1/5 in every step, so that lengths differ within and between
    episodes."""

    def ends(self, agent: str) -> bool:
        return bool(self.rng.random() < 0.2)


class Many(Stranger):
    """Observations of every kind at once; actions with several parts."""

    sight = spaces.Dict(
        {
            "where": spaces.Box(-1, 1, (2,), np.float32),
            "room": spaces.Discrete(3, start=1),
            "bag": spaces.MultiDiscrete([2, 3]),
            "doors": spaces.Tuple((spaces.MultiBinary(2), spaces.Discrete(2))),
        }
    )
    acts = spaces.MultiDiscrete([3, 2])

    def see(self, agent: str) -> Any:
        return {
            "where": self.rng.uniform(-1, 1, 2).astype(np.float32),
            "room": int(self.rng.integers(1, 4)),
            "bag": self.rng.integers(0, [2, 3]),
            "doors": (self.rng.integers(0, 2, 2).astype(np.int8), int(self.rng.integers(2))),
        }

    def pay(self, agent: str, action: Any) -> float:
        assert self.acts.contains(action), action
        return float(10 * action[0] + action[1])


class Roles(Stranger):
    """Two hunters that see four numbers and one hare that sees two."""

    def __init__(self, max_cycles: int = 6) -> None:
        super().__init__(3, max_cycles)
        self.possible_agents = ["hunter_0", "hare", "hunter_1"]

    def observation_space(self, agent: str) -> Any:
        return spaces.Box(-10, 10, (2 if agent == "hare" else 4,), np.float32)

    def see(self, agent: str) -> Any:
        return super().see(agent)[: 2 if agent == "hare" else 4].astype(np.float32)


class Pictures(Stranger):
    """What is seen is an image of whole numbers from 0 to 255."""

    sight = spaces.Box(0, 255, (4, 5, 3), np.uint8)

    def see(self, agent: str) -> Any:
        return self.rng.integers(0, 256, (4, 5, 3), np.uint8)


class Broken(Stranger):
    """Does one thing wrong in step 2 (or at reset), named by `fault`."""

    def __init__(self, fault: str) -> None:
        super().__init__(3, 6)
        self.fault = fault

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        seen, infos = super().reset(seed)
        if self.fault == "joins late":
            del seen["one_1"]
        return (seen) if self.fault == "old reset" else (seen, infos)

    def step(self, actions: dict[str, Any]) -> Any:
        if self.fault == "comes back" and self.clock == 2:
            self.agents = [*self.agents, "one_1"]
            actions = {**actions, "one_1": 0}
        seen, paid, over, late, infos = super().step(actions)
        if self.clock == 2:
            self._break(seen, paid, over, late)
        return (
            (seen, paid, over, infos)
            if self.fault == "four answers"
            else (seen, paid, over, late, infos)
        )

    def _break(self, seen: Any, paid: Any, over: Any, late: Any) -> None:
        match self.fault:
            case "NaN reward":
                paid["one_1"] = np.nan
            case "infinite observation":
                seen["one_1"][2] = np.inf
            case "array reward":
                paid["one_1"] = np.array([1.0])
            case "text reward":
                paid["one_1"] = "much"
            case "no reward":
                del paid["one_1"]
            case "no observation":
                del seen["one_1"]
            case "no flag":
                del over["one_1"]
            case "wrong shape":
                seen["one_1"] = np.zeros(1)
            case "no numbers":
                seen["one_1"] = np.array(list("abcd"))
            case "unknown agent":
                seen["nobody"] = np.zeros(4)
            case "vanishes":
                self.agents.remove("one_1")
            case "comes back":
                over["one_1"] = True
                self.agents.remove("one_1")
            case "raises":
                raise KeyError("lost")
