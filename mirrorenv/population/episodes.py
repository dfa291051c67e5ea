"""Playing the episodes of an iteration: whoever plays them, here or in an actor of Ray's, they are
the same.

Shapes: B episodes.
"""

from __future__ import annotations

import numpy as np
import torch

from mirrorenv.envs.base import ArrayWorld
from mirrorenv.mirror.arrays import Ints64
from mirrorenv.population.experience import world_seeds
from mirrorenv.population.population import Population
from mirrorenv.population.rollouts import rollout
from mirrorenv.population.settings import LearningSettings, MirrorSettings
from mirrorenv.population.train_batch import Columns, train_batch

__all__ = ["sample_episodes"]


def sample_episodes(
    world: ArrayWorld,
    population: Population,
    mirror: MirrorSettings,
    learning: LearningSettings,
    *,
    run: int,
    episodes: Ints64,
    iteration: int,
) -> Columns:
    """Play the episodes with these ids and pay for them.

    The worlds follow from the ids; the agents' random choices from the run's seed, the iteration
    and the first id.

    Args:
        world: B copies.
        population: who acts, and whose observers pay.
        mirror: the reward and its controls.
        learning: discount factors.
        run: seed of the run.
        episodes: (B,) ids within the run.
        iteration: number of the training iteration, from 0.

    Returns:
        columns of `mirrorenv.population.train_batch.train_batch`, a row for each episode.
    """
    choices = np.random.SeedSequence([run, iteration, int(episodes[0])])
    generator = torch.Generator().manual_seed(
        int(choices.generate_state(1, np.uint64)[0] >> np.uint64(1))
    )
    experience = rollout(world, population, world_seeds(run, episodes), generator)
    rng = np.random.default_rng(choices)
    return train_batch(
        population, experience, mirror, learning, run=run, episodes=episodes, rng=rng
    )
