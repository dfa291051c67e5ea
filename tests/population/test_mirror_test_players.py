"""Our own trainer takes MirrorTest off; what it trained goes back into the game and earns its
score."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import mirrorenv
from mirrorenv.errors import ShapeError
from mirrorenv.population.experience import play, population_shape, world_seeds
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.mirror_test import play_mirror_test
from mirrorenv.population.objectives import observer_loss, ppo_loss, read_minibatch
from mirrorenv.population.population import Population
from mirrorenv.population.settings import (
    LearningSettings,
    MirrorSettings,
    ObserverSettings,
    PopulationSettings,
)
from mirrorenv.population.train_batch import combine_advantages, train_batch

EPISODES = 64


def game(**arguments: Any) -> Any:
    return mirrorenv.MirrorTest(
        mirrorenv.make("mirrorenv/ants-v0", num_agents=3, horizon=10), **arguments
    )


def trained(iterations: int) -> Population:
    """The bare loop, in the environment as a stranger's: made from the wrapped one."""
    with pytest.warns(UserWarning, match="taken off"):
        world = mirrorenv.make_batch(game, EPISODES)
    settings, learning = (
        PopulationSettings(hidden=32, observer=ObserverSettings(hidden=32)),
        LearningSettings(),
    )
    population = Population(population_shape(world), settings)
    set_objectives(population, MirrorSettings(), learning)
    parts = ((population.actor, learning.learning_rate), (population.observers, 3e-3))
    optimizer = torch.optim.Adam(
        [{"params": part.parameters(), "lr": rate} for part, rate in parts]
    )
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    for iteration in range(iterations):
        episodes = np.arange(EPISODES) + EPISODES * iteration
        record = play(world, population, world_seeds(0, episodes), generator)
        columns = train_batch(
            population, record, MirrorSettings(), learning, run=0, episodes=episodes, rng=rng
        )
        columns["advantage"] = combine_advantages(columns, 1.0)
        batch = {
            name: torch.from_numpy(np.ascontiguousarray(column)) for name, column in columns.items()
        }
        for rows in [*torch.arange(EPISODES).split(16)] * 4:
            part = {name: column[rows] for name, column in batch.items()}
            loss, _ = ppo_loss(population.actor.sequence(part["observations"]), part, learning)
            reading = read_minibatch(population, part, settings.observer, generator)
            optimizer.zero_grad()
            (loss + observer_loss(population, reading)[0]).backward()
            optimizer.step()
    return population


def test_what_our_trainer_learned_earns_the_score_in_the_game() -> None:
    env = game(legibility=0.5)
    before = play_mirror_test(trained(0), env, list(range(30)))
    assert abs(before.recognition.mean()) < 0.1
    after = play_mirror_test(trained(10), env, list(range(30)))
    assert after.recognition.mean() > 0.6 * math.log(3)
    assert after.top1.mean() > 0.75
    # ants earn nothing else
    paid = after.recognition + 0.5 * after.recognition.mean(axis=1, keepdims=True)
    assert after.returns.sum() == pytest.approx(paid.sum())


def test_a_population_that_does_not_fit_is_refused() -> None:
    population = trained(0)
    with pytest.raises(ShapeError, match="show='both'"):
        play_mirror_test(population, game(show="actions"), [1])
    with pytest.raises(ShapeError, match="expects"):
        play_mirror_test(population, mirrorenv.MirrorTest(mirrorenv.make("mirrorenv/ants-v0")), [1])
