"""Plans as trajectories: what each agent would say it is about to do, before it moves.

A plan goes from the start over all goals; its subgoals are the nodes `skip` steps apart, and the
goals. The law of every agent's plan is known exactly, so the best possible reader of a lineup of
plans is, too.

Shapes: B episodes, N agents, K slots, G goals, V nodes, S subgoals of a stretch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from mirrorenv.errors import ConfigError
from mirrorenv.goals.actor import GoalActor
from mirrorenv.goals.hierarchy import MOST_SUBSTEPS
from mirrorenv.mirror.arrays import Bools, Floats64, Ints64

__all__ = [
    "Plans",
    "ceiling",
    "counted_ways",
    "plan_evidence",
    "step_laws",
    "think_plans",
]


class Plans(NamedTuple):
    """What B x N agents are about to do."""

    starts: Ints64
    """(B, N) nodes."""
    goals: Ints64
    """(B, N, G) nodes."""
    subgoals: Ints64
    """(B, N, G, S) nodes on the way to each goal, the goal repeated once it is reached."""
    skip: int
    """Steps between two subgoals."""


@torch.no_grad()
def step_laws(actor: GoalActor) -> Floats64:
    """(N, V goal, V node, V next) how probable each agent finds each step; a goal is not left."""
    size = actor.num_nodes
    node = torch.arange(size).view(size, 1, 1)  # (V, 1, 1)
    goal = torch.arange(size).view(1, size, 1)  # (1, V, 1)
    everyone = torch.arange(actor.num_agents)
    laws = actor.logits(node, goal, everyone).softmax(-1)  # (V node, V goal, N, V next)
    found = laws.permute(2, 1, 0, 3).double().numpy().copy()
    place = np.arange(size)
    found[:, place, place] = np.eye(size)
    return found


def think_plans(
    laws: Floats64,
    starts: Ints64,
    goals: Ints64,
    rng: np.random.Generator,
    skip: int = 2,
) -> Plans:
    """A plan of every agent.

    Args:
        laws: of `step_laws`.
        starts: (B, N).
        goals: (B, N, G).
        rng: source of the choices.
        skip: steps between two subgoals, 1 for every step.

    Raises:
        ConfigError: if a plan's subgoals are not at least 1 step apart, or further apart than a
            plan is long.
    """
    if not 1 <= skip <= MOST_SUBSTEPS:
        raise ConfigError(f"subgoals every {skip} steps: between 1 and {MOST_SUBSTEPS}")
    further = np.linalg.matrix_power(laws, skip)  # (N, V goal, V, V)
    agents = np.arange(laws.shape[0])
    legs = []
    here = starts
    for leg in range(goals.shape[2]):
        goal = goals[..., leg]  # (B, N)
        way = []
        for _ in range(MOST_SUBSTEPS // skip):
            policy = further[agents, goal, here].cumsum(-1)  # (B, N, V)
            draws = rng.random(here.shape)[..., None] * policy[..., -1:]
            here = (draws >= policy).sum(-1)
            way.append(here)
        legs.append(np.stack(way, -1))
        here = goal  # the next stretch is planned from the goal, come what may
    return Plans(starts, goals, np.stack(legs, 2), skip)


def plan_evidence(laws: Floats64, plans: Plans) -> Floats64:
    """(B, K, N) nats: how probable agent n finds plan k, the law of its subgoals replayed."""
    further = np.log(np.linalg.matrix_power(laws, plans.skip) + 1e-300)
    first = np.concatenate([plans.starts[..., None], plans.goals[..., :-1]], -1)  # (B, K, G)
    before = np.concatenate([first[..., None], plans.subgoals[..., :-1]], -1)  # (B, K, G, S)
    goal = np.broadcast_to(plans.goals[..., None], before.shape)
    steps = further[:, goal, before, plans.subgoals]  # (N, B, K, G, S)
    found: Floats64 = np.moveaxis(steps.sum((-1, -2)), 0, -1)
    return found


def counted_ways(edges: Bools, lengths: Ints64) -> Floats64:
    """(V, V) how many shortest ways there are.

    Args:
        edges: (V, V) bool, from row to column.
        lengths: (V, V) fewest steps.
    """
    size = len(edges)
    ways = np.eye(size)
    for steps in range(1, int(lengths.max()) + 1):
        nearer = np.where(lengths == steps - 1, ways, 0.0)  # (V next, V goal)
        ways = np.where(lengths == steps, edges @ nearer, ways)
    return ways


def ceiling(ways: Floats64, tasks: Ints64, agents: int) -> Floats64:
    """(B,) the best top-1 of agents that take shortest ways only: at best each has one of its own,
    and where there are fewer ways than agents, so many are known as there are ways.

    Args:
        ways: of `counted_ways`.
        tasks: (B, G + 1) start and goals that all agents share.
        agents: N.
    """
    together = ways[tasks[:, :-1], tasks[:, 1:]].prod(axis=1)
    found: Floats64 = np.minimum(together, agents) / agents
    return found
