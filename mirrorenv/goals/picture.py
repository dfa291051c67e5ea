"""What the agents of a run do on their graph, for its report: success, lengths, recognition, and
their plans drawn.

Shapes: B episodes, N agents, V nodes.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np

from mirrorenv.envs.account import Account, Drawing
from mirrorenv.envs.base import ArrayWorld
from mirrorenv.envs.worlds.graph import Graph
from mirrorenv.errors import ConfigError
from mirrorenv.goals.actor import GoalActor
from mirrorenv.goals.plans import ceiling, counted_ways, plan_evidence, step_laws, think_plans
from mirrorenv.mirror import Belief, score_belief
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.population.actors.base import register_account
from mirrorenv.population.population import Population
from mirrorenv.population.reading import play_held_out, policy_log_probabilities
from mirrorenv.population.settings import Draws
from mirrorenv.results.report.words import counted, percent

__all__ = ["Findings", "accounts_of", "find"]

FIGURES = (
    ("Reached all goals", "share of agents that came to all their goals in time"),
    ("Steps over the fewest", "1 is a shortest way; of those that reached all goals"),
    (
        "Recognised by its path",
        "share of paths given to their author by the exact limit, which knows every agent's "
        "policy: an observer that only watches reaches less",
    ),
    (
        "Recognised by its plan alone",
        "the same for plans: the subgoals, two steps apart, that an agent sets itself before it "
        "takes a step",
    ),
    ("Recognised by both", "the same for a plan and a path together"),
    (
        "Ceiling on shortest paths",
        "the most that any agents can be recognised that take shortest ways only",
    ),
)
"""Names and meanings, in the order of the table."""


class Findings(NamedTuple):
    """Figures of a population of goal agents on held-out episodes."""

    success: float
    """Share of agents that reached all goals."""
    over_optimum: float
    """Their steps over the fewest steps."""
    path: float
    """Top-1 of the exact limit on paths."""
    plan: float
    """Top-1 of the exact limit on plans, before a step is taken: subgoals two steps apart."""
    both: float
    """Top-1 of the exact limit on a plan and a path."""
    ceiling: float
    """The best top-1 of any agents that take shortest ways only."""


def find(population: Population, world: Graph, seed: int, draws: Draws = "own") -> Findings:
    """Measure on one held-out episode for each copy of the world.

    Args:
        population: of goal agents.
        world: graph-v0 with shared tasks.
        seed: of the episodes.
        draws: of the agents, see `play_held_out`.

    Raises:
        ConfigError: for other agents.
    """
    actor = _goal_actor(population)
    episodes = play_held_out(population, world, seed=seed, draws=draws)
    log_p = policy_log_probabilities(population, episodes)
    paths = (log_p * episodes.mask[..., None]).sum(1)  # (B, K, N)
    done = episodes.rewards.sum(1) > 1 - 1e-6 - world.step_cost * episodes.mask.sum(1)
    steps = episodes.mask.sum(1)
    laws = step_laws(actor)
    starts = world.starts()
    goals = world.goals
    plans = plan_evidence(laws, think_plans(laws, starts, goals, np.random.default_rng(seed)))
    tasks = np.concatenate([starts[:, :1], goals[:, 0]], 1)
    most = ceiling(counted_ways(world.edges, world.lengths), tasks, world.num_agents)
    over = steps[done].sum() / world.shortest()[done].sum() if done.any() else math.nan
    return Findings(
        success=float(done.mean()),
        over_optimum=float(over),
        path=_top1(paths),
        plan=_top1(plans),
        both=_top1(plans + paths),
        ceiling=float(most.mean()),
    )


def _goal_actor(population: Population) -> GoalActor:
    if not isinstance(population.actor, GoalActor):
        raise ConfigError(
            f"this run's agents are of the kind {population.settings.actor}; plans are of "
            "population.actor = goals"
        )
    return population.actor


def _top1(evidence: Floats64) -> float:
    """Evidence (B, K, N), slots in author order."""
    belief = Belief(evidence[:, None])
    truth = np.broadcast_to(np.arange(evidence.shape[-1]), belief.evidence.shape[:-1])
    found = score_belief(belief, truth, decode="marginals").top1
    return math.nan if found is None else float(found.value)


@register_account("goals")
def accounts_of(population: Population, world: ArrayWorld, seed: int) -> list[Account]:
    """What a run's report tells of goal agents in graph-v0 with shared tasks; nothing elsewhere.

    Args:
        population: goal agents.
        world: copies of the world, one for each episode measured.
        seed: of the episodes.
    """
    graph = world.unwrapped
    if not isinstance(graph, Graph) or graph.tasks != "shared":
        return []
    found = find(population, graph, seed)
    lead = (
        f"Agents reach all goals in {percent(found.success)} of {world.num_envs} held-out episodes "
        f"and are recognised by their plans alone in {percent(found.plan)}, by their paths in "
        f"{percent(found.path)} (chance {percent(1 / world.num_agents)}). Below, one episode's "
        "plans, all on the same graph, before a step is taken. Green: the start. Orange: the goals."
    )
    values = (
        percent(found.success),
        f"{found.over_optimum:.3f}",
        percent(found.path),
        percent(found.plan),
        percent(found.both),
        percent(found.ceiling),
    )
    rows = tuple((name, value, is_) for (name, is_), value in zip(FIGURES, values, strict=True))
    heads = ("figure", "value", "what it is")
    return [Account("Goals and plans", lead, heads, rows, _plans(population, graph, seed))]


def _plans(population: Population, world: Graph, seed: int) -> tuple[Drawing, ...]:
    """The graph once for each agent, and the way it plans over one episode's goals."""
    actor = _goal_actor(population)
    world.reset(np.full(world.num_envs, seed))
    laws = step_laws(actor)
    plans = think_plans(laws, world.starts(), world.goals, np.random.default_rng(seed), skip=1)
    turn = 2 * math.pi * np.arange(world.num_nodes) / world.num_nodes
    x = np.round(0.5 + 0.5 * np.sin(turn), 3).tolist()
    y = np.round(0.5 - 0.5 * np.cos(turn), 3).tolist()
    drawn = []
    for agent, name in enumerate(world.agents):
        way = [int(plans.starts[0, agent])]
        for leg in plans.subgoals[0, agent].tolist():
            way += leg
        steps = [pair for pair in pairwise(way) if pair[0] != pair[1]]
        goals = set(plans.goals[0, agent].tolist())
        lines = tuple((x[a], y[a], x[b], y[b]) for a, b in steps)
        dots = tuple(
            (x[node], y[node], _kind(node, way[0], goals)) for node in range(world.num_nodes)
        )
        drawn.append(Drawing(f"{name} plans {counted(len(steps), 'step')}", lines, dots))
    return tuple(drawn)


def _kind(node: int, start: int, goals: set[int]) -> Literal["plain", "start", "goal"]:
    return "start" if node == start else "goal" if node in goals else "plain"
