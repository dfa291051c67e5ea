"""What the agents of a run do on their graph: success, lengths, recognition, and their plans drawn.

Shapes: B episodes, N agents, V nodes.
"""

from __future__ import annotations

import html
import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from mirrorenv.envs.worlds.graph import Graph
from mirrorenv.errors import ConfigError
from mirrorenv.goals.actor import GoalActor
from mirrorenv.goals.plans import ceiling, counted_ways, plan_evidence, step_laws, think_plans
from mirrorenv.mirror import Belief, score_belief
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.population.population import Population
from mirrorenv.population.reading import play_held_out, policy_log_probabilities

__all__ = ["Findings", "find", "page", "plans_drawn"]


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


def plans_drawn(population: Population, world: Graph, seed: int, size: int = 300) -> str:
    """An SVG picture: the graph once for each agent, and the way it plans over one episode's goals.

    Args:
        population: goal agents.
        world: one copy or more of the graph.
        seed: of the episode.
        size: pixels of one graph's side.
    """
    actor = _goal_actor(population)
    world.reset(np.full(world.num_envs, seed))
    laws = step_laws(actor)
    plans = think_plans(laws, world.starts(), world.goals, np.random.default_rng(seed), skip=1)
    nodes = world.num_nodes
    turn = 2 * math.pi * np.arange(nodes) / nodes
    middle = size / 2
    radius = size / 2 - 28
    x = middle + radius * np.sin(turn)
    y = middle - radius * np.cos(turn)
    parts = []
    for agent in range(world.num_agents):
        way = [int(plans.starts[0, agent])]
        for leg in plans.subgoals[0, agent].tolist():
            way += leg
        steps = [pair for pair in pairwise(way) if pair[0] != pair[1]]
        lines = [
            f'<line x1="{x[a]:.1f}" y1="{y[a]:.1f}" x2="{x[b]:.1f}" y2="{y[b]:.1f}" '
            f'stroke="#2563a8" stroke-width="2" stroke-opacity="0.7"/>'
            for a, b in steps
        ]
        goals = set(plans.goals[0, agent].tolist())
        dots = []
        for node in range(nodes):
            fill = "#c2410c" if node in goals else "#8a8a8a"
            if node == way[0]:
                fill = "#15803d"
            dots.append(f'<circle cx="{x[node]:.1f}" cy="{y[node]:.1f}" r="4" fill="{fill}"/>')
        name = html.escape(world.agents[agent])
        title = f'<text x="8" y="16" font-size="13" fill="#555">{name}: {len(steps)} steps</text>'
        shift = f'transform="translate({agent * size},0)"'
        parts.append(f"<g {shift}>{title}{''.join(lines)}{''.join(dots)}</g>")
    width = size * world.num_agents
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {size}" role="img" '
        f'font-family="sans-serif"><title>Plans of {world.num_agents} agents for one episode'
        f"</title>{''.join(parts)}</svg>"
    )


def page(population: Population, world: Graph, seed: int) -> str:
    """A page of its own: the figures and the picture.

    Args:
        population: goal agents.
        world: copies of the graph, one for each episode measured.
        seed: of the episodes.
    """
    found = find(population, world, seed)
    rows = [
        ("success", found.success),
        ("path over optimum", found.over_optimum),
        ("recognised by path (exact limit, top-1)", found.path),
        ("recognised by plan alone, before a step", found.plan),
        ("recognised by both", found.both),
        ("ceiling of top-1 for shortest paths only", found.ceiling),
        ("chance", 1 / world.num_agents),
    ]
    cells = "".join(
        f'<tr><th scope="row">{name}</th><td>{value:.3f}</td></tr>' for name, value in rows
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Plans</title><style>'
        "body{font-family:sans-serif;max-width:80rem;margin:2rem auto;padding:0 1rem}"
        "th{text-align:left;font-weight:normal;padding-right:2rem}</style></head><body>"
        "<h1>Goals, plans and who made them</h1>"
        f"<p>{world.num_envs} held-out episodes. Green: start; orange: goals; blue: the plan.</p>"
        f"<table>{cells}</table>{plans_drawn(population, world, seed)}</body></html>"
    )
