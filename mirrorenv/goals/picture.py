"""What the agents of a run do on their graph: success, lengths, recognition, and their plans drawn.

Shapes: B episodes, N agents, V nodes.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from mirrorenv.envs.worlds.graph import Graph
from mirrorenv.errors import ConfigError
from mirrorenv.goals.actor import GoalActor
from mirrorenv.goals.plans import ceiling, counted_ways, plan_evidence, step_laws, think_plans
from mirrorenv.mirror import Belief, score_belief
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.population.population import Population
from mirrorenv.population.reading import play_held_out, policy_log_probabilities
from mirrorenv.results.report.page import document, table
from mirrorenv.results.report.templates import render
from mirrorenv.results.report.words import counted, percent

__all__ = ["Findings", "find", "page"]

SIZE = 300
"""Of a picture, in its own units."""
STYLE = """
.plan { display: block; width: 100%; max-width: 420px; margin: 0 auto; }
.plan line { stroke: var(--accent); stroke-width: 2; stroke-opacity: 0.7; }
.plan .node { fill: var(--muted); fill-opacity: 0.6; }
.plan .goal { fill: var(--limit); }
.plan .start { fill: var(--good); }
"""
WORDS = (
    ("Plan", "the subgoals that an agent sets itself before it takes a step, two steps apart"),
    ("Path", "the steps it took"),
    (
        "Recognised",
        "share of trajectories given to their author by the exact limit, which knows every "
        "agent's policy: an observer that only watches reaches less",
    ),
    (
        "Ceiling on shortest paths",
        "the most that any agents can be recognised that take shortest ways only",
    ),
)


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


def find(population: Population, world: Graph, seed: int) -> Findings:
    """Measure on one held-out episode for each copy of the world.

    Args:
        population: of goal agents.
        world: graph-v0 with shared tasks.
        seed: of the episodes.

    Raises:
        ConfigError: for other agents.
    """
    actor = _goal_actor(population)
    episodes = play_held_out(population, world, seed=seed)
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


def _pictures(population: Population, world: Graph, seed: int) -> list[dict[str, Any]]:
    """The graph once for each agent, and the way it plans over one episode's goals."""
    actor = _goal_actor(population)
    world.reset(np.full(world.num_envs, seed))
    laws = step_laws(actor)
    plans = think_plans(laws, world.starts(), world.goals, np.random.default_rng(seed), skip=1)
    turn = 2 * math.pi * np.arange(world.num_nodes) / world.num_nodes
    radius = SIZE / 2 - 12
    x = np.round(SIZE / 2 + radius * np.sin(turn), 1).tolist()
    y = np.round(SIZE / 2 - radius * np.cos(turn), 1).tolist()
    drawn = []
    for agent, name in enumerate(world.agents):
        way = [int(plans.starts[0, agent])]
        for leg in plans.subgoals[0, agent].tolist():
            way += leg
        steps = [pair for pair in pairwise(way) if pair[0] != pair[1]]
        goals = set(plans.goals[0, agent].tolist())
        drawn.append(
            {
                "agent": name,
                "steps": counted(len(steps), "step"),
                "lines": [(x[a], y[a], x[b], y[b]) for a, b in steps],
                "dots": [
                    {"x": x[node], "y": y[node], "kind": _kind(node, way[0], goals)}
                    for node in range(world.num_nodes)
                ],
            }
        )
    return drawn


def _kind(node: int, start: int, goals: set[int]) -> str:
    return "start" if node == start else "goal" if node in goals else "node"


def page(population: Population, world: Graph, seed: int) -> str:
    """A page of its own: the figures and the pictures.

    Args:
        population: goal agents.
        world: copies of the graph, one for each episode measured.
        seed: of the episodes.

    Raises:
        ConfigError: for other agents.
    """
    found = find(population, world, seed)
    chance = 1 / world.num_agents
    rows = [
        ("Reached all goals", percent(found.success)),
        ("Steps over the fewest", f"{found.over_optimum:.3f}"),
        ("Recognised by its path", percent(found.path)),
        ("Recognised by its plan alone", percent(found.plan)),
        ("Recognised by both", percent(found.both)),
        ("Ceiling on shortest paths", percent(found.ceiling)),
        ("Chance", percent(chance)),
    ]
    caption = f"{world.num_envs} held-out episodes of one population; no interval over seeds."
    headline = (
        f"Agents reach all goals in {percent(found.success)} of episodes, and are recognised by "
        f"their plans alone in {percent(found.plan)}, by their paths in {percent(found.path)} "
        f"(chance {percent(chance)})."
    )
    body = render(
        "mirrorenv.goals",
        "plans.html",
        headline=headline,
        pictures=_pictures(population, world, seed),
        size=SIZE,
        table=table(["figure", "value"], rows, caption),
        words=WORDS,
    )
    return document("Plans: mirrorenv", body, style=STYLE)
