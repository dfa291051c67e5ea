"""Which agents observers are shown: everybody, or each its own lineup of the K agents nearest to
it.

Shapes: B batch, T time, N agents, J observers, K candidates and slots.
"""

from __future__ import annotations

import numpy as np

from mirrorenv.envs.base import ArrayWorld
from mirrorenv.errors import ConfigError
from mirrorenv.mirror import (
    MAX_EXACT_AGENTS,
    EpisodeBatch,
    Neighbourhood,
    lineup_permutations,
    mean_distance,
    nearest_agents,
    neighbourhood_permutations,
)
from mirrorenv.mirror.arrays import Ints64
from mirrorenv.population.experience import population_shape
from mirrorenv.population.observers import check_observers
from mirrorenv.population.population import Population
from mirrorenv.population.settings import MirrorSettings, ObserverSettings, PopulationSettings

__all__ = ["check_lineup_size", "check_mirror", "neighbourhoods_of", "settle_neighbours"]


# -- settings --------------------------------------------------------------------------------------


def settle_neighbours(
    settings: PopulationSettings, mirror: MirrorSettings, world: ArrayWorld
) -> PopulationSettings:
    """Check the settings of neighbourhoods against the world, and take from it where an agent is.

    Args:
        settings: as the user gave them.
        mirror: the reward that goes with them.
        world: its `place_columns` fill `observer.place` if the user named none.

    Returns:
        the settings, with a place wherever there are neighbours.

    Raises:
        UnknownNameError: if no head of that name is registered.
        ConfigError: if there is no place, the world has too few agents, the head cannot read what
            it is shown, or the reward needs whole lineups.
    """
    observer = settings.observer
    check_observers(observer)
    if not observer.neighbours:
        return settings
    shape = population_shape(world)
    name = "population.observer.neighbours"
    most = min(shape.num_agents, MAX_EXACT_AGENTS) - 1
    if observer.neighbours > most:
        raise ConfigError(
            f"{name} = {observer.neighbours} is too many: it is at most N - 1 = "
            f"{shape.num_agents - 1}, and at most "
            f"{MAX_EXACT_AGENTS - 1}, since larger lineups have no exact limit. 0 shows everybody"
        )
    place = observer.place or world.place_columns
    if not place:
        raise ConfigError(
            f"{name} is set, but this world does not say where an agent is. Name the places in its "
            "flattened "
            f"observation of {shape.observation_size} numbers that do, for example "
            "population.observer.place=[0,1]"
        )
    if not 0 <= min(place) <= max(place) < shape.observation_size:
        raise ConfigError(
            f"population.observer.place = {list(place)}: the flattened observation has "
            f"{shape.observation_size} "
            "numbers, and the first is number 0"
        )
    check_mirror(mirror)
    return settings.model_copy(update={"observer": observer.model_copy(update={"place": place})})


def check_lineup_size(agents: int, observer: ObserverSettings) -> None:
    """Whether lineups are small enough for the exact limit, beside which every evaluation stands.

    Args:
        agents: N.
        observer: who is shown how many.

    Raises:
        ConfigError: if everybody is shown and there are more than 16; it says how to show fewer.
    """
    if agents > MAX_EXACT_AGENTS and not observer.neighbours:
        raise ConfigError(
            f"{agents} agents, all shown to every observer: above {MAX_EXACT_AGENTS} there is no "
            "exact limit to "
            "measure against. Show each observer the agents nearest to it: "
            "population.observer.neighbours=8, at most "
            f"{MAX_EXACT_AGENTS - 1}"
        )


def check_mirror(mirror: MirrorSettings) -> None:
    """Whether this reward can be paid by observers of neighbourhoods.

    Raises:
        ConfigError: if it is made of beliefs about everybody.
    """
    for name, value, fine in (
        ("credit", mirror.credit, ("author", "team")),
        ("control", mirror.control, ("none", "shuffled_labels", "random_reward")),
        ("observers_per_author", mirror.observers_per_author, (0,)),
    ):
        if value not in fine:
            raise ConfigError(
                f"mirror.{name} = {value} needs observers that are shown everybody; with "
                f"population.observer.neighbours it can be {', '.join(map(str, fine))}"
            )


# -- which agents observers are shown --------------------------------------------------------------


def neighbourhoods_of(
    population: Population,
    record: EpisodeBatch,
    *,
    run: int,
    episodes: Ints64,
    one_order: bool = False,
) -> Neighbourhood:
    """Which agents each observer is shown: its nearest by the columns `observer.place`, or
    everybody.

    Args:
        population: whose settings say how many neighbours, and where an agent is.
        record: B episodes.
        run: seed of the run, by which lots are drawn and lineups shuffled.
        episodes: (B,) ids.
        one_order: let one shuffle serve all observers where they are shown everybody, as training
            does: observers are equivariant in the slots, so it costs them nothing.

    Returns:
        candidates, orders, and the distances where somebody was left out.
    """
    agents = population.shape.num_agents
    observer = population.settings.observer
    if observer.neighbours:
        places = record.observations[..., list(observer.place)]
        distance = mean_distance(places, record.mask)
        candidates = nearest_agents(distance, observer.neighbours, run=run, episodes=episodes)
        order = neighbourhood_permutations(candidates, run=run, episodes=episodes)
        return Neighbourhood(agents, candidates, order, distance)
    if one_order:
        shared = lineup_permutations(run, episodes, "training", agents)
        return Neighbourhood.everybody(shared[:, None])
    whole = np.broadcast_to(np.arange(agents), (len(episodes), agents, agents))
    return Neighbourhood.everybody(neighbourhood_permutations(whole, run=run, episodes=episodes))
