"""Rollouts that are laid out beforehand play by the same law, and record what the plain path would
say of the same episodes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import mirrorenv
from mirrorenv.envs import make_batch
from mirrorenv.population import Population, population_shape
from mirrorenv.population.experience import Experience, play, world_seeds
from mirrorenv.population.rollouts import rollout
from mirrorenv.population.settings import PopulationSettings

COPIES = 6
WORLDS = [
    name
    for name, spec in mirrorenv.registry().items()
    if spec.kind == "array" and make_batch(name, 1).num_agents > 1
]


def ready(world_id: str, *, fast: bool = True, copies: int = COPIES, **settings):
    world = make_batch(world_id, copies)
    population = Population(
        population_shape(world), PopulationSettings(hidden=8, initial_gain=1.0, **settings), 2
    )
    population.fast = population.actor.fast = fast
    return world, population


def played(world, population, seed: int = 0) -> Experience:
    seeds = world_seeds(1, np.arange(world.num_envs))
    return rollout(world, population, seeds, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("weights", ["separate", "shared"])
@pytest.mark.parametrize("world_id", WORLDS)
def test_what_is_recorded_is_what_the_plain_path_says_of_it(world_id: str, weights: str) -> None:
    world, population = ready(world_id, weights=weights)
    record = played(world, population)
    assert record.mask[:, 0].all() and record.mask.any(2).sum() > 0
    assert not record.rewards[~record.mask].any()
    population.fast = population.actor.fast = False
    with torch.no_grad():
        said = population.actor.sequence(torch.from_numpy(record.observations))
        log_p = said.distribution.log_probability(torch.from_numpy(record.actions))
    live = record.mask
    for found, expected in (
        (record.log_probability, log_p),
        (record.environment_value, said.environment_value),
        (record.mirror_value, said.mirror_value),
    ):
        np.testing.assert_allclose(found[live], expected.numpy()[live], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("world_id", WORLDS)
def test_the_world_answers_the_recorded_actions_with_the_recorded_episode(world_id: str) -> None:
    world, population = ready(world_id)
    record = played(world, population)
    layout = population.shape.actions
    seen = make_batch(world_id, COPIES)
    now = seen.reset(world_seeds(1, np.arange(COPIES)))
    for t in range(world.horizon):
        live = record.mask[:, t]
        if not live.any():
            break
        np.testing.assert_array_equal(
            record.observations[:, t][live], now.reshape(*live.shape, -1)[live]
        )
        step = seen.step(layout.to_world(record.actions[:, t]))
        np.testing.assert_array_equal(record.rewards[:, t][live], step.rewards[live])
        now = step.observations


def test_an_episode_that_is_cut_off_ends_with_the_value_of_what_comes_after() -> None:
    world, population = ready("mirrorenv/ants-v0")
    record = played(world, population)
    layout = population.shape.actions
    now = world.reset(world_seeds(1, np.arange(COPIES)))
    for t in range(world.horizon):
        now = world.step(layout.to_world(record.actions[:, t])).observations
    population.actor.fast = False
    with torch.no_grad():
        output, _ = population.actor.step(
            torch.from_numpy(now), population.actor.initial_state(COPIES)
        )
    np.testing.assert_allclose(record.last_value, output.environment_value.numpy(), atol=1e-5)
    np.testing.assert_allclose(record.last_mirror_value, output.mirror_value.numpy(), atol=1e-5)


def test_the_same_seed_plays_the_same_episodes_and_another_others() -> None:
    world, population = ready("mirrorenv/ants-v0")
    first = played(world, population)
    again = played(world, population)
    other = played(world, population, seed=1)
    np.testing.assert_array_equal(first.actions, again.actions)
    assert (first.actions != other.actions).any()


def test_choices_come_as_often_as_their_probabilities_say() -> None:
    world, population = ready("mirrorenv/ants-v0", copies=4000)
    record = played(world, population)
    with torch.no_grad():
        said = population.actor.sequence(torch.from_numpy(record.observations[:, :1]))
        expected = said.distribution.outputs.softmax(-1)[0, 0].numpy()  # (N, A), all start alike
    for agent, probabilities in enumerate(expected):
        count = np.bincount(record.actions[:, 0, agent], minlength=3)
        z = (count - 4000 * probabilities) / np.sqrt(4000 * probabilities * (1 - probabilities))
        assert np.abs(z).max() < 4


def test_vectors_spread_as_they_say() -> None:
    world, population = ready("mirrorenv/point-v0", copies=3000)
    record = played(world, population)
    with torch.no_grad():
        said = population.actor.sequence(torch.from_numpy(record.observations[:, :1]))
    z = (np.arctanh(record.actions[:, 0]) - said.distribution.outputs[:, 0].numpy()) / np.exp(
        said.distribution.log_std.detach().numpy()
    )
    assert abs(z.mean()) < 0.05
    assert z.std() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("settings", [{"actor": "gru"}, {"diversity": 0.5}])
def test_actors_that_no_fast_path_knows_play_as_everybody_does(settings) -> None:
    world, population = ready("mirrorenv/ants-v0", **settings)
    seeds = world_seeds(1, np.arange(COPIES))
    plain = play(world, population, seeds, torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(played(world, population).actions, plain.actions)


def test_plain_updates_play_as_they_always_have() -> None:
    world, population = ready("mirrorenv/ants-v0", fast=False)
    seeds = world_seeds(1, np.arange(COPIES))
    plain = play(world, population, seeds, torch.Generator().manual_seed(0))
    found = played(world, population)
    np.testing.assert_array_equal(found.actions, plain.actions)
    np.testing.assert_array_equal(found.log_probability, plain.log_probability)
