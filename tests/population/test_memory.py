"""What is large is there once: images of an iteration's episodes."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from gymnasium import spaces

from mirrorenv.envs.base import ClockedWorld
from mirrorenv.population import Population, population_shape
from mirrorenv.population.episodes import sample_episodes
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.settings import LearningSettings, MirrorSettings, PopulationSettings

SIDE = (84, 84, 3)
EPISODES = 4
HORIZON = 16


class Pictures(ClockedWorld):
    """Two agents that see an image and choose one of two."""

    def __init__(self, num_envs: int) -> None:
        super().__init__(
            num_envs=num_envs,
            num_agents=2,
            horizon=HORIZON,
            observation_space=spaces.Box(0.0, 255.0, SIDE),
            action_space=spaces.Discrete(2),
        )

    def _start(self) -> None:
        pass

    def _advance(self, actions, live):
        return np.zeros(actions.shape, np.float32), None

    def _observe(self):
        shape = (self.num_envs, self.num_agents, *SIDE)
        return np.full(shape, np.float32(self.clock.max()), np.float32)


@pytest.mark.parametrize("update", ["plain", "fast"])
def test_the_images_of_an_iteration_are_in_memory_once(update: str) -> None:
    world = Pictures(EPISODES)
    population = Population(
        population_shape(world), PopulationSettings(hidden=4, observer={"hidden": 4}), 0
    )
    mirror = MirrorSettings()
    learning = LearningSettings(episodes_per_iteration=EPISODES, update=update)
    set_objectives(population, mirror, learning)
    step = EPISODES * 2 * int(np.prod(SIDE)) * 4  # bytes of what a step shows
    torch.zeros(1)
    tracemalloc.start()
    try:
        columns = sample_episodes(
            world,
            population,
            mirror,
            learning,
            run=0,
            episodes=np.arange(EPISODES),
            iteration=0,
        )
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    column = columns["observations"]
    assert column.nbytes == HORIZON * step
    # beside the column: what the world shows, keeps and showed before, and masks of an episode
    assert most < column.nbytes + 6 * step
