"""Plans as trajectories: their law, their limit, the ceiling, and the page that shows them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import mirrorenv
from mirrorenv.envs.worlds.graph import Graph
from mirrorenv.errors import ConfigError
from mirrorenv.goals.picture import find
from mirrorenv.goals.plans import ceiling, counted_ways, plan_evidence, step_laws, think_plans
from mirrorenv.population import Population, population_shape
from mirrorenv.population.actors.base import ACCOUNTS
from mirrorenv.population.settings import PopulationSettings
from tests.goals.test_goal_actor import population_in, wander


@pytest.fixture(scope="module")
def walkers():
    world = mirrorenv.make_batch("mirrorenv/graph-v0", 64, num_nodes=10, num_goals=3)
    population = population_in(world)
    wander(world, population)
    return population, world


def test_a_law_is_a_law_and_a_goal_is_not_left(walkers):
    laws = step_laws(walkers[0].actor)
    np.testing.assert_allclose(laws.sum(-1), 1.0, atol=1e-6)
    for goal in range(10):
        assert (laws[:, goal, goal, goal] == 1.0).all()


def test_how_probable_a_plan_is_is_how_often_it_is_made():
    rng = np.random.default_rng(0)
    laws = rng.dirichlet(np.ones(3), size=(2, 3, 3))
    laws[:, np.arange(3), np.arange(3)] = np.eye(3)
    starts, goals = np.zeros((20_000, 2), int), np.full((20_000, 2, 1), 2)
    plans = think_plans(laws, starts, goals, rng, skip=8)
    evidence = np.exp(plan_evidence(laws, plans))
    kinds = [tuple(row) for row in plans.subgoals[:, 0, 0].tolist()]
    for kind in set(kinds):
        rows = [number for number, one in enumerate(kinds) if one == kind]
        assert abs(len(rows) / len(kinds) - evidence[rows[0], 0, 0]) < 0.02


def test_shortest_ways_are_counted_as_plain_search_counts_them():
    world = Graph(num_nodes=8, edge_probability=0.3)
    ways = counted_ways(world.edges, world.lengths)
    for start, goal in itertools.permutations(range(8), 2):
        steps = int(world.lengths[start, goal])
        count = 0
        for between in itertools.product(range(8), repeat=steps - 1):
            path = (start, *between, goal)
            count += all(world.edges[a, b] for a, b in itertools.pairwise(path))
        assert ways[start, goal] == count


def test_the_ceiling_of_four_agents_in_g_32_is_the_one_that_was_computed():
    expected = {1: 0.48, 4: 0.87, 8: 0.98}
    for goals, value in expected.items():
        world = Graph(num_envs=2000, num_goals=goals)
        world.reset(range(2000))
        tasks = np.concatenate([world.starts()[:, :1], world.goals[:, 0]], axis=1)
        found = ceiling(counted_ways(world.edges, world.lengths), tasks, 4).mean()
        assert abs(found - value) < 0.015


def test_without_preferences_neither_plans_nor_paths_tell_who_made_them(walkers):
    found = find(*walkers, seed=3)
    assert found.success > 0.99 and found.over_optimum < 1.02
    assert abs(found.plan - 0.25) < 0.1 and abs(found.path - 0.25) < 0.1


def test_agents_with_preferences_are_known_by_their_plans_before_a_step(walkers):
    import copy

    import torch

    population, world = copy.deepcopy(walkers[0]), walkers[1]
    torch.manual_seed(0)
    with torch.no_grad():
        population.actor.liked_towards.normal_()
        population.actor.liked_from.normal_()
    found = find(population, world, seed=3)
    assert found.over_optimum < 1.05
    assert found.path > 0.4 and 0.3 < found.plan <= found.both + 0.05


def test_the_account_draws_every_agent_and_is_silent_in_other_worlds(walkers):
    population, world = walkers
    (told,) = ACCOUNTS["goals"](population, world, 0)
    assert [one.title.split(" ")[0] for one in told.drawings] == list(world.agents)
    for one in told.drawings:
        kinds = [kind for _, _, kind in one.dots]
        assert kinds.count("start") == 1 and "goal" in kinds and one.lines
    assert [row[0] for row in told.rows][-1] == "Ceiling on shortest paths"
    ants = mirrorenv.make_batch("mirrorenv/ants-v0", 2)
    assert ACCOUNTS["goals"](population, ants, 0) == []
    with pytest.raises(ConfigError, match="of the kind mlp"):
        find(Population(population_shape(world), PopulationSettings(), 0), world, 0)
