"""Checks of who takes part: agents that die, leave, linger, return, join, or were never heard
of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mirrorenv.envs.base import AgentId
from mirrorenv.envs.checks.evidence import Evidence
from mirrorenv.envs.checks.findings import Seen
from mirrorenv.envs.checks.registry import check
from mirrorenv.envs.checks.session import Turn


@check(
    "agents-at-reset",
    remedy="In reset(), set self.agents = list(self.possible_agents), or those that start.",
)
def agents_at_reset(evidence: Evidence) -> Iterator[Seen]:
    """After reset() env.agents is a list that is not empty and names no agent twice."""
    for turn in evidence.turns():
        if turn.number or turn.error is not None or turn.hung:
            continue
        listed = getattr(evidence.env, "agents", None)
        if not isinstance(listed, list | tuple):
            yield turn.seen(f"env.agents is {listed!r}")
        elif not turn.after:
            yield turn.seen("env.agents is empty after reset()")
        elif len(set(turn.after)) < len(turn.after):
            yield turn.seen(f"env.agents names an agent twice: {turn.after}")


@check(
    "possible-agents-constant",
    remedy="Set possible_agents once, in __init__, to all agents that may ever take part; those "
    "that do now is env.agents.",
)
def possible_agents_constant(evidence: Evidence) -> Iterator[Seen]:
    """possible_agents never changes."""
    first: list[AgentId] | None = None
    for turn in evidence.turns():
        first = turn.possible if first is None else first
        if turn.possible != first:
            yield turn.seen(f"possible_agents was {first} and is {turn.possible}")


@check(
    "unknown-agent",
    remedy="Name every agent that may ever take part in possible_agents, and no other agent "
    "anywhere.",
)
def unknown_agent(evidence: Evidence) -> Iterator[Seen]:
    """Every agent that appears is one of possible_agents; infos alone may hold other keys."""
    for turn in evidence.turns():
        named = set(turn.after).union(
            *(turn.answers(part) for part in turn.names if part != "infos")
        )
        for agent in sorted(map(str, named - set(turn.possible) - _ever_possible(evidence))):
            yield turn.seen("not one of possible_agents", agent)


@check(
    "missing-answer",
    remedy="Answer for all who were alive before the step, also in the step in which they end.",
)
def missing_answer(evidence: Evidence) -> Iterator[Seen]:
    """Every agent that was alive has an observation, a reward, both flags and an info."""
    for turn in evidence.turns():
        for part in turn.names:
            for agent in (
                _ordered(turn.live - turn.answers(part).keys()) if part in turn.parts else ()
            ):
                yield turn.seen(f"has no entry in {part}", agent)


@check(
    "dead-answer",
    remedy="Answer only for agents that were alive before the step: build all parts from them.",
)
def dead_answer(evidence: Evidence) -> Iterator[Seen]:
    """An agent that is not alive has no observation, reward or flag."""
    for turn in evidence.turns():
        present = turn.live | set(turn.before) | set(turn.after)
        for part in turn.names:
            if part != "infos":
                for agent in _ordered((turn.answers(part).keys() & set(turn.possible)) - present):
                    yield turn.seen(f"is not alive and has an entry in {part}", agent)


@check(
    "agent-vanishes",
    remedy="Set its termination or truncation flag in the step in which it leaves env.agents.",
)
def agent_vanishes(evidence: Evidence) -> Iterator[Seen]:
    """No agent leaves env.agents without a flag."""
    for turn in evidence.turns():
        if turn.number and {"terminations", "truncations"} <= turn.parts.keys():
            for agent in _ordered(turn.live - set(turn.after) - turn.ended.keys()):
                yield turn.seen("left env.agents, and neither flag is set", agent)


@check(
    "agent-lingers",
    remedy="At the end of step(), self.agents = [a for a in self.agents if not (terminations[a] or "
    "truncations[a])].",
)
def agent_lingers(evidence: Evidence) -> Iterator[Seen]:
    """A terminated or truncated agent leaves env.agents in the same step; at the end the list
    is empty."""
    for turn, agent, mixed in _lingering(evidence):
        if not mixed:
            yield turn.seen("a flag is set, and it is still in env.agents", agent)


@check(
    "mixed-ending",
    remedy="Ask each agent for terminated OR truncated; not whether all are terminated, or all are "
    "truncated.",
)
def mixed_ending(evidence: Evidence) -> Iterator[Seen]:
    """An episode also ends if some agents are terminated and the others truncated."""
    for turn, agent, mixed in _lingering(evidence):
        if mixed:
            yield turn.seen(
                "some are terminated, some truncated, and it is still in env.agents", agent
            )


@check(
    "agent-returns",
    remedy="Keep it alive and show it an empty observation, or let the new one be another agent.",
)
def agent_returns(evidence: Evidence) -> Iterator[Seen]:
    """No agent comes back in an episode in which its end was flagged."""
    for turn in evidence.turns():
        for agent in _ordered(turn.finished & set(turn.after) - set(turn.before)):
            yield turn.seen("came back after its end", agent)


@check(
    "agent-joins",
    remedy="PettingZoo allows it, training here does not: let it be there from the start, with an "
    "empty observation; or teach only agents that always are, agents=[...].",
)
def agent_joins(evidence: Evidence) -> Iterator[Seen]:
    """All agents are there from the start."""
    for turn in evidence.turns():
        if turn.number:
            for agent in _ordered(
                set(turn.after) & set(turn.possible) - set(turn.before) - turn.finished - turn.live
            ):
                yield turn.seen("joined after reset()", agent)


def _lingering(evidence: Evidence) -> Iterator[tuple[Turn, AgentId, bool]]:
    """Who stays although a flag is set, and whether both kinds of ending have occurred in the
    episode."""
    for episode in evidence.episodes:
        kinds: set[bool] = set()
        for turn in episode:
            kinds |= {flags[0] for flags in turn.ended.values()}
            for agent in _ordered(turn.ended.keys() & set(turn.after)):
                yield turn, agent, len(kinds) == 2


def _ever_possible(evidence: Evidence) -> set[AgentId]:
    """Who was possible at first: if that list changes, its own check says so."""
    return set(next(evidence.turns()).possible)


def _ordered(agents: Iterable[AgentId]) -> list[AgentId]:
    return sorted(agents, key=str)
