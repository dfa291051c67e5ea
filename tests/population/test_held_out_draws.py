"""What agents draw in held-out episodes follows from the whole seed, or is the same under all."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorenv.envs import make_batch
from mirrorenv.envs.base import ArrayWorld
from mirrorenv.mirror.arrays import AnyArray
from mirrorenv.population.experience import population_shape
from mirrorenv.population.population import Population
from mirrorenv.population.reading import play_held_out
from mirrorenv.population.settings import Draws, PopulationSettings

EPISODES = 8


@pytest.fixture(scope="module")
def world() -> ArrayWorld:
    """Without chance of its own: what differs between seeds is what agents draw."""
    return make_batch("mirrorenv/conformity-v0", EPISODES)


@pytest.fixture(scope="module")
def population(world: ArrayWorld) -> Population:
    return Population(population_shape(world), PopulationSettings(hidden=4), seed=1)


def actions(
    population: Population, world: ArrayWorld, seed: int, *, part: int = 0, draws: Draws = "own"
) -> AnyArray:
    return play_held_out(population, world, seed=seed, part=part, draws=draws).actions


@settings(max_examples=20, deadline=None)
@given(pair=st.lists(st.integers(0, 2**31 - 1), min_size=2, max_size=2, unique=True))
def test_two_seeds_draw_differently_in_a_world_without_chance(
    pair: list[int], population: Population, world: ArrayWorld
) -> None:
    one, other = (actions(population, world, seed) for seed in pair)
    assert not np.array_equal(one, other)
    assert np.array_equal(one, actions(population, world, pair[0]))


def test_common_draws_are_the_same_under_every_seed(
    population: Population, world: ArrayWorld
) -> None:
    one, other = (actions(population, world, seed, draws="common") for seed in (1, 1_000_000))
    assert np.array_equal(one, other)


@pytest.mark.parametrize("draws", get_args(Draws))
def test_parts_draw_differently(draws: Draws, population: Population, world: ArrayWorld) -> None:
    first, second = (actions(population, world, 3, part=part, draws=draws) for part in (0, 1))
    assert not np.array_equal(first, second)
