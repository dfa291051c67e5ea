"""Environments for the tests of stock RLlib: agents that end in different ways, and worlds that
break."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from tests.envs.strangers import Stranger


class MixedEnd(Stranger):
    """In the last step one agent terminates while the others are cut off."""

    def ends(self, agent: str) -> bool:
        return agent == "one_0" and self.clock >= self.max_cycles


class Breaking(Stranger):
    """Raises in the fourth step of its episodes after the first `good` ones, while the file `flag`
    exists."""

    def __init__(self, flag: str, good: int = 0, max_cycles: int = 6) -> None:
        super().__init__(3, max_cycles)
        self.flag, self.good, self.episodes = flag, good, 0

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.episodes += 1
        return super().reset(seed, options)

    def step(self, actions: dict[str, Any]) -> Any:
        if self.clock == 3 and self.episodes > self.good and os.path.exists(self.flag):
            raise RuntimeError("the bridge is out")
        return super().step(actions)


class Paying(Stranger):
    """Pays one agent whatever `what` names."""

    what: Any = float("nan")

    def pay(self, agent: str, action: Any) -> Any:
        return self.what if agent == "one_1" and self.clock == 2 else super().pay(agent, action)


class Vanishing(Stranger):
    """One agent is gone without a flag."""

    def step(self, actions: dict[str, Any]) -> Any:
        answer = super().step(actions)
        self.agents = [agent for agent in self.agents if agent != "one_2"]
        return answer


class Blind(Stranger):
    """Shows infinity."""

    def see(self, agent: str) -> Any:
        return np.array([np.inf, 0.0, 0.0, 0.0]) if self.clock == 2 else super().see(agent)
