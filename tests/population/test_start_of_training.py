"""Before training nobody is to be told apart: that is what the small gain of the last policy layer
is for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mirrorenv.envs import make_batch
from mirrorenv.mirror import Estimate, exact_limit, t_interval
from mirrorenv.population.experience import play, population_shape
from mirrorenv.population.population import Population
from mirrorenv.population.settings import PopulationSettings

AGENTS = 4


def limit(trunk: str, weights: str, gain: float, episodes: int = 48) -> tuple[Estimate, Estimate]:
    """Information in nats and top-1 of the exact limit on an untrained population in Pac-Men."""
    world = make_batch("mirrorenv/pacmen-v0", num_envs=episodes)
    settings = PopulationSettings(actor=trunk, weights=weights, initial_gain=gain)
    untrained = Population(population_shape(world), settings, seed=1)
    record = play(world, untrained, np.arange(episodes), torch.Generator().manual_seed(2))
    with torch.no_grad():
        log_p = untrained.actor.replay_log_probability(
            torch.from_numpy(record.observations), torch.from_numpy(record.actions)
        )
    belief = exact_limit(log_p.double().numpy(), record.mask, slot_exchangeable=True).belief
    truth = np.diagonal(belief.log_belief("marginals"), axis1=1, axis2=2)  # (B, N)
    right = belief.marginals().argmax(-1) == np.arange(AGENTS)
    return t_interval(math.log(AGENTS) + truth.mean(1)), t_interval(right.mean(1))


@pytest.mark.parametrize("weights", ["separate", "shared"])
@pytest.mark.parametrize("trunk", ["mlp", "gru"])
def test_with_the_default_gain_nobody_is_identifiable(trunk: str, weights: str) -> None:
    information, top1 = limit(trunk, weights, gain=PopulationSettings().initial_gain)
    assert abs(information.value) < 0.01  # nats, of log 4 = 1.386
    # half the width of the interval on 48 episodes is about 0.07
    assert abs(top1.value - 1 / AGENTS) < 0.1


@pytest.mark.parametrize("trunk", ["mlp", "gru"])
def test_with_gain_one_untrained_networks_are_individuals(trunk: str) -> None:
    information, top1 = limit(trunk, "separate", gain=1.0)
    assert information.low > 0.5 * math.log(AGENTS)
    assert top1.low > 0.8
