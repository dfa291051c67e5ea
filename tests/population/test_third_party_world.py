"""A population learns in somebody else's environment, without Ray."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import mirrorenv
from mirrorenv.population.experience import play, population_shape, world_seeds
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.population import Population
from mirrorenv.population.settings import (
    LearningSettings,
    MirrorSettings,
    ObserverSettings,
    PopulationSettings,
)
from mirrorenv.population.train_batch import combine_advantages, train_batch
from tests.envs.strangers import Dying, Many


def one_batch(world: Any, episodes: int) -> tuple[Any, dict[str, Any], Population]:
    settings = PopulationSettings(hidden=8, observer=ObserverSettings(hidden=8))
    population = Population(population_shape(world), settings)
    set_objectives(population, MirrorSettings(), LearningSettings())
    numbers = np.arange(episodes)
    experience = play(world, population, world_seeds(1, numbers), torch.Generator().manual_seed(0))
    columns = train_batch(
        population,
        experience,
        MirrorSettings(),
        LearningSettings(),
        run=1,
        episodes=numbers,
        rng=np.random.default_rng(0),
    )
    return experience, columns, population


@pytest.mark.parametrize("kind", [Dying, Many])
def test_a_train_batch_ends_where_an_agent_ends(kind: Any) -> None:
    experience, columns, _ = one_batch(mirrorenv.make_batch(kind, 6), 6)
    dead = columns["mask"] == 0
    assert dead.any() == (kind is Dying)
    weighed = combine_advantages(columns, 1.0)
    assert np.isfinite(weighed).all()
    assert not weighed[dead].any()
    assert not experience.rewards[dead].any()
    np.testing.assert_allclose(columns["environment_return"], experience.rewards.sum(1))


def test_policies_move_towards_what_simple_spread_pays() -> None:
    pytest.importorskip("mpe2", reason="mpe2 is not installed")
    world = mirrorenv.make_batch("mpe2.simple_spread_v3:parallel_env", 8, max_cycles=10)
    experience, columns, population = one_batch(world, 8)
    assert experience.observations.shape == (8, 10, 3, 18)
    advantage = torch.from_numpy(combine_advantages(columns, 1.0))
    observations, actions = (
        torch.from_numpy(experience.observations),
        torch.from_numpy(experience.actions),
    )

    def gain() -> torch.Tensor:
        return (
            population.actor.sequence(observations).distribution.log_probability(actions)
            * advantage
        ).mean()

    optimizer = torch.optim.Adam(population.parameters(), 1e-2)
    before = gain().item()
    for _ in range(5):
        optimizer.zero_grad()
        (-gain()).backward()
        optimizer.step()
    assert gain().item() > before + 1e-3
