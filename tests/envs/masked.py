"""PettingZoo environments with action masks, turns, unlike actions and late comers."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv

from tests.envs.strangers import Stranger


class MaskedInfos(Stranger):
    """Action 0 is forbidden in odd steps, as infos say; an illegal action raises."""

    name = "action_mask"

    def mask(self) -> Any:
        return np.array([self.clock % 2 == 0, 1, 1], np.int8)

    def told(self) -> dict[str, Any]:
        return {self.name: self.mask()}

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        seen, infos = super().reset(seed, options)
        return seen, {agent: self.told() for agent in infos}

    def step(self, actions: dict[str, Any]) -> Any:
        assert all(self.mask()[int(action)] for action in actions.values()), "illegal"
        *answer, infos = super().step(actions)
        return *answer, {agent: self.told() for agent in infos}


class ListedInfos(MaskedInfos):
    """The same, infos naming the allowed actions one level down."""

    def told(self) -> dict[str, Any]:
        return {"game": {"legal_moves": np.flatnonzero(self.mask()).tolist()}}


def masked(name: str, nested: bool = False) -> type[Stranger]:
    """The same with the mask in observations.

    Args:
        name: what it is called there.
        nested: whether it stands one level down.
    """
    inner = spaces.Dict({"observation": Stranger.sight, name: spaces.MultiBinary(3)})

    class Masked(MaskedInfos):
        sight = spaces.Dict({"board": inner, "x": spaces.Discrete(2)}) if nested else inner

        def told(self) -> dict[str, Any]:
            return {}

        def see(self, agent: str) -> Any:
            seen = {"observation": super().see(agent), name: self.mask()}
            return {"board": seen, "x": 1} if nested else seen

    return Masked


class Nim(AECEnv):  # type: ignore[type-arg]
    """Two take one to three of nine sticks in turn; who takes the last one wins. There is no
    mask: to take more than there are takes what there is."""

    metadata = {"name": "nim", "max_cycles": 9}  # noqa: RUF012
    render_mode = None

    def __init__(self) -> None:
        self.possible_agents = ["first", "second"]
        self.taken: list[tuple[str, int]] = []

    def observation_space(self, agent: str) -> Any:
        return spaces.Box(0, 9, (1,), np.float32)

    def action_space(self, agent: str) -> Any:
        return spaces.Discrete(3)

    def observe(self, agent: str) -> Any:
        return np.array([self.sticks], np.float32)

    def reset(self, seed: int | None = None, options: Any = None) -> None:
        self.sticks = 9
        self.agents = list(self.possible_agents)
        self.agent_selection = "first"
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: dict[str, Any] = {agent: {} for agent in self.agents}
        self.taken = []

    def step(self, action: Any) -> None:
        agent = self.agent_selection
        if self.terminations[agent]:
            self._was_dead_step(action)
            return
        other = "second" if agent == "first" else "first"
        self.taken.append((agent, int(action)))
        self.sticks = max(0, self.sticks - int(action) - 1)
        if not self.sticks:
            self.rewards = {agent: 1.0, other: -1.0}
            self.terminations = dict.fromkeys(self.agents, True)
        self.agent_selection = other


class Uneven(Stranger):
    """One agent has two choices, another three, the third three numbers between 0 and 2."""

    def action_space(self, agent: str) -> Any:
        box = spaces.Box(0.0, 2.0, (3,), np.float64)
        return {"one_0": spaces.Discrete(2), "one_1": spaces.Discrete(3), "one_2": box}[agent]

    def pay(self, agent: str, action: Any) -> float:
        assert self.action_space(agent).contains(action), (agent, action)
        return float(np.sum(action))


class JoinsLate(Stranger):
    """The last agent joins in step 3."""

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        seen, infos = super().reset(seed, options)
        self.agents.remove("one_2")
        return {agent: seen[agent] for agent in self.agents}, infos

    def step(self, actions: dict[str, Any]) -> Any:
        answer = super().step(actions)
        if self.clock == 3:
            self.agents = [*self.agents, "one_2"]
            answer[0]["one_2"] = self.see("one_2")
        return answer
