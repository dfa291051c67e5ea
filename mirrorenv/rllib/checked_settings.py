"""Settings that have met their world: checked once, before anything starts."""

from __future__ import annotations

from typing import Any, NamedTuple

from mirrorenv.envs.base import ArrayWorld
from mirrorenv.population.experience import population_shape
from mirrorenv.population.neighbourhood import settle_neighbours
from mirrorenv.population.population import Population
from mirrorenv.population.settings import MirrorSettings, PopulationSettings, PopulationShape
from mirrorenv.population.train_batch import check_reward

__all__ = ["Settled", "settle"]


class Settled(NamedTuple):
    """What a run is built from."""

    shape: PopulationShape
    """What the world fixes."""
    population: PopulationSettings
    """What the user chose, completed by what the world knows."""
    spaces: tuple[Any, Any]
    """Observation and action space of one agent."""


def settle(world: ArrayWorld, population: PopulationSettings, mirror: MirrorSettings) -> Settled:
    """Check settings against the world they are for.

    Args:
        world: one copy, or more.
        population: who acts and recognises.
        mirror: what is paid.

    Raises:
        MirrorError: for a world whose spaces cannot be learned in, a head, an auxiliary or a reward
            that is unknown or has a wrong setting, or a neighbourhood that does not fit.
    """
    settled = settle_neighbours(population, mirror, world)
    check_reward(mirror, world.num_agents)
    shape = population_shape(world)
    Population(shape, settled)  # its parts say what is wrong with their settings
    return Settled(shape, settled, (world.observation_space, world.action_space))
