"""Agents of the kind `goals`: what they learn by hindsight, and what of it has a gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import mirrorenv
from mirrorenv.errors import ConfigError
from mirrorenv.goals.distances import FAR, Paths, Ways
from mirrorenv.population import Population, play, population_shape
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.settings import LearningSettings, MirrorSettings, PopulationSettings


def population_in(world, **options):
    settings = PopulationSettings(actor="goals", actor_options=options)
    made = Population(population_shape(world), settings, 0)
    set_objectives(made, MirrorSettings(), LearningSettings())
    return made


def columns(experience):
    names = ("observations", "actions", "rewards", "mask")
    return {name: torch.from_numpy(getattr(experience, name)) for name in names}


def wander(world, population, rounds=3):
    for number in range(rounds):
        generator = torch.Generator().manual_seed(number)
        seeds = np.arange(world.num_envs) + world.num_envs * number
        record = play(world, population, seeds, generator)
        population.objectives["wandering"].learn(columns(record))
    return record


def plain_hindsight(paths, nodes):
    """The same table in plain loops."""
    far = np.full((nodes, nodes, nodes), FAR)
    rows = [part.tolist() for part in paths]
    for path, choices, mask in zip(*rows, strict=True):
        for t, choice in enumerate(choices):
            for later in range(t + 1, len(choices) + 1):
                if not all(mask[t:later]):
                    break
                if path[t + 1] == choice != path[t] and path[later] != path[t]:
                    now = far[path[t], path[later], choice]
                    far[path[t], path[later], choice] = min(now, later - t)
    return far


@pytest.mark.parametrize("seed", range(4))
def test_the_table_is_that_of_plain_loops(seed):
    generator = torch.Generator().manual_seed(seed)
    nodes = torch.randint(5, (6, 9), generator=generator)
    moved = torch.rand(6, 8, generator=generator) < 0.6
    choices = torch.where(moved, nodes[:, 1:], torch.randint(5, (6, 8), generator=generator))
    mask = torch.arange(8) < torch.randint(1, 9, (6, 1), generator=generator)
    ways = Ways(5, stitch=False)
    ways.learn(Paths(nodes, choices, mask))
    np.testing.assert_array_equal(ways.far.numpy(), plain_hindsight((nodes, choices, mask), 5))


def test_after_wandering_the_map_is_the_worlds_own():
    world = mirrorenv.make_batch("mirrorenv/graph-v0", 64, num_nodes=12, num_goals=4)
    population = population_in(world)
    wander(world, population)
    far = population.actor.ways.distance().numpy()
    np.testing.assert_array_equal(far, world.lengths)


def test_who_knows_the_map_walks_as_short_as_can_be():
    world = mirrorenv.make_batch("mirrorenv/graph-v0", 64, num_nodes=12, num_goals=4)
    record = wander(world, population_in(world), rounds=4)
    assert record.rewards.sum(1).mean() > 0.999
    assert record.mask.sum() <= 1.01 * world.shortest().sum()


def test_a_map_without_preferences_is_no_identity():
    world = mirrorenv.make_batch("mirrorenv/graph-v0", 64, num_nodes=12, num_goals=4)
    population = population_in(world)
    record = wander(world, population)
    seen, acted = torch.from_numpy(record.observations), torch.from_numpy(record.actions)
    with torch.no_grad():
        each = population.actor.replay_log_probability(seen, acted)  # (B, T, K, N)
    gap = (each - each.mean(-1, keepdim=True)).abs()
    assert gap[torch.from_numpy(record.mask)].max() < 0.1


def test_replay_of_oneself_is_what_one_did():
    world = mirrorenv.make_batch("mirrorenv/graph-v0", 8, num_nodes=9)
    population = population_in(world)
    record = play(world, population, np.arange(8), torch.Generator().manual_seed(0))
    with torch.no_grad():
        each = population.actor.replay_log_probability(
            torch.from_numpy(record.observations), torch.from_numpy(record.actions)
        )
    own = torch.diagonal(each, dim1=2, dim2=3).numpy()
    np.testing.assert_allclose(own[record.mask], record.log_probability[record.mask], atol=1e-5)


def test_only_preferences_and_critics_have_gradients_and_the_map_is_in_checkpoints():
    world = mirrorenv.make_batch("mirrorenv/graph-v0", 2, num_nodes=9)
    actor = population_in(world).actor
    learned = {name.partition(".")[0] for name, _ in actor.named_parameters()}
    assert learned == {"liked", "liked_from", "liked_towards", "critics"}
    assert {"ways.far", "ways.tried"} <= set(actor.state_dict())


def test_a_plan_ends_at_the_goal_and_is_as_long_as_the_way():
    world = mirrorenv.make_batch("mirrorenv/graph-v0", 64, num_nodes=12, num_goals=4)
    population = population_in(world)
    wander(world, population)
    node, goal = (
        torch.randint(12, (200, world.num_agents), generator=torch.Generator().manual_seed(seed))
        for seed in (0, 1)
    )
    with torch.no_grad():
        plans = population.actor.plan(node, goal, torch.Generator().manual_seed(2))
    assert (plans[..., -1] == goal).all()
    steps = (plans != goal[..., None]).sum(-1) + (node != goal)
    shortest = torch.from_numpy(world.lengths)[node, goal]
    assert (steps == shortest).float().mean() > 0.99


def test_worlds_and_options_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="needs one choice of V nodes"):
        population_in(mirrorenv.make_batch("mirrorenv/ants-v0", 2))
    with pytest.raises(ConfigError, match=r"actor_options.*firmnes"):
        population_in(mirrorenv.make_batch("mirrorenv/graph-v0", 2), firmnes=3)
    with pytest.raises(ConfigError, match="the actor mlp has no settings of its own"):
        shape = population_shape(mirrorenv.make_batch("mirrorenv/ants-v0", 2))
        Population(shape, PopulationSettings(actor_options={"firmness": 1}), 0)


def test_what_is_no_one_hot_code_is_refused_where_it_is_learned_from():
    world = mirrorenv.make_batch("mirrorenv/graph-v0", 4, num_nodes=9)
    population = population_in(world)
    record = columns(play(world, population, np.arange(4), torch.Generator().manual_seed(0)))
    record["observations"] = 0.5 * record["observations"]
    with pytest.raises(ConfigError, match="one-hot"):
        population.objectives["wandering"].learn(record)
