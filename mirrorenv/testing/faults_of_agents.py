"""Faults of who takes part."""

from __future__ import annotations

from typing import Any

from mirrorenv.testing.flawless import Answer, Flawless, fault

__all__ = [
    "AnswersForTheDead",
    "ComesBack",
    "ForgetsToRefill",
    "GhostIsSeen",
    "JoinsLate",
    "KeepsTheDead",
    "LeavesWithoutAFlag",
    "NoRewardAtTheEnd",
    "OnlyUniformEndings",
    "StrikesTheDeadOff",
]


@fault("agents-at-reset")
class ForgetsToRefill(Flawless):
    """Agents are listed once, when the environment is made: the second episode begins with
    none."""

    def __init__(self, max_cycles: int = 8) -> None:
        super().__init__(max_cycles)
        self._there = list(self.possible_agents)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        """All agents are shown something, and only those that are left take part."""
        answer = super().reset(seed)
        self.agents = self._there
        return {agent: answer[0][agent] for agent in self.agents}, {
            agent: {} for agent in self.agents
        }

    def step(self, actions: dict[str, Any]) -> Answer:
        """Those who end are struck off for ever."""
        answer = super().step(actions)
        self._there = list(self.agents)
        return answer


@fault("possible-agents-constant")
class StrikesTheDeadOff(Flawless):
    """An agent that dies is taken out of possible_agents until the next reset."""

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        """List all agents again."""
        self.possible_agents = [f"walker_{i}" for i in range(4)]
        return super().reset(seed)

    def step(self, actions: dict[str, Any]) -> Answer:
        """Strike off who is not alive."""
        answer = super().step(actions)
        self.possible_agents = list(self.agents) or self.possible_agents
        return answer


@fault("unknown-agent")
class GhostIsSeen(Flawless):
    """In step 4 an agent that is not in possible_agents is shown something."""

    def step(self, actions: dict[str, Any]) -> Answer:
        """An unknown agent is answered."""
        answer = super().step(actions)
        if self.clock == 4:
            answer[0]["ghost"] = self.see("walker_1")
        return answer


@fault("missing-answer")
class NoRewardAtTheEnd(Flawless):
    """An agent that ends gets no reward for its last step."""

    def step(self, actions: dict[str, Any]) -> Answer:
        """Rewards of those that continue."""
        answer = super().step(actions)
        rewards = {agent: reward for agent, reward in answer[1].items() if agent in self.agents}
        return (answer[0], rewards, *answer[2:])


@fault("dead-answer")
class AnswersForTheDead(Flawless):
    """Rewards name all agents, dead or alive."""

    def step(self, actions: dict[str, Any]) -> Answer:
        """Zeros for the dead."""
        answer = super().step(actions)
        return (answer[0], {**dict.fromkeys(self.possible_agents, 0.0), **answer[1]}, *answer[2:])


@fault("agent-vanishes")
class LeavesWithoutAFlag(Flawless):
    """The first walker falls, leaves, and neither flag is set."""

    def step(self, actions: dict[str, Any]) -> Answer:
        """Clear the flag of the fallen."""
        answer = super().step(actions)
        if self.clock == 3:
            answer[2]["walker_0"] = False
        return answer


@fault("agent-lingers")
class KeepsTheDead(Flawless):
    """The first walker falls, its flag is set, and it stays in env.agents until the end."""

    def step(self, actions: dict[str, Any]) -> Answer:
        """Put it back."""
        was = list(self.agents)
        answer = super().step(actions)
        if 3 <= self.clock < self.max_cycles:
            self.agents = was
            answer[2]["walker_0"] = True
        return answer


@fault("mixed-ending")
class OnlyUniformEndings(Flawless):
    """The episode ends if all are terminated or all are truncated; but in the last step one is and
    the others are."""

    def step(self, actions: dict[str, Any]) -> Answer:
        """Ask the wrong question."""
        was = list(self.agents)
        answer = super().step(actions)
        if self.clock == self.max_cycles and not (
            all(answer[2].values()) or all(answer[3].values())
        ):
            self.agents = was
        return answer


@fault("agent-returns")
class ComesBack(Flawless):
    """The first walker falls in step 3 and is back in step 5."""

    def step(self, actions: dict[str, Any]) -> Answer:
        """Back on its feet."""
        answer = super().step(actions)
        if self.clock == 5:
            self.agents = ["walker_0", *self.agents]
            answer[0]["walker_0"] = self.see("walker_0")
        return answer


@fault("agent-joins")
class JoinsLate(Flawless):
    """The last walker arrives in step 2."""

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        """Three are there."""
        seen, infos = super().reset(seed)
        self.agents.remove("walker_3")
        return {agent: seen[agent] for agent in self.agents}, {
            agent: infos[agent] for agent in self.agents
        }

    def step(self, actions: dict[str, Any]) -> Answer:
        """One more from step 2 on."""
        answer = super().step(actions)
        if self.clock == 2:
            self.agents = [*self.agents, "walker_3"]
            answer[0]["walker_3"] = self.see("walker_3")
        return answer
