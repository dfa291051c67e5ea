"""The whole loop without Ray: ants that nobody can tell apart become recognisable to each other
within seconds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mirrorenv.envs import make_batch
from mirrorenv.population.experience import play, population_shape, world_seeds
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.objectives import known_objectives, optimiser_of
from mirrorenv.population.population import Population
from mirrorenv.population.settings import (
    LearningSettings,
    MirrorSettings,
    ObserverSettings,
    PopulationSettings,
)
from mirrorenv.population.train_batch import (
    combine_advantages,
    limit_author_log_belief,
    train_batch,
)

EPISODES = 64


def train(
    head: str, weight: float, iterations: int = 12, paid: str = "mirror"
) -> tuple[list[float], list[float]]:
    """Mirror return and exact limit in nats, mean over agents, for each iteration."""
    world = make_batch("mirrorenv/ants-v0", num_envs=EPISODES, horizon=12)
    settings = PopulationSettings(hidden=32, observer=ObserverSettings(head=head, hidden=32))
    population, learning = Population(population_shape(world), settings), LearningSettings()
    mirror = MirrorSettings(reward=paid)
    set_objectives(population, mirror, learning)
    optimizer = optimiser_of(population.objectives)
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    returns, limits = [], []
    for iteration in range(iterations):
        episodes = np.arange(EPISODES) + EPISODES * iteration
        record = play(world, population, world_seeds(0, episodes), generator)
        keys = {"run": 0, "episodes": episodes, "rng": rng}
        columns = train_batch(population, record, mirror, learning, **keys)
        columns["advantage"] = combine_advantages(columns, weight)
        returns.append(float(columns["mirror_return"].mean()))
        limits.append(
            math.log(4) + float(limit_author_log_belief(population, record)[:, -1].mean())
        )
        batch = {
            name: torch.from_numpy(np.ascontiguousarray(column)) for name, column in columns.items()
        }
        for _ in range(4):
            for rows in torch.split(torch.randperm(EPISODES, generator=generator), 32):
                part = {name: column[rows] for name, column in batch.items()}
                optimizer.zero_grad()
                population.loss(part)[0].backward()
                optimizer.step()
    return returns, limits


@pytest.mark.parametrize("head", ["additive", "joint", "likelihood"])
def test_agents_paid_for_being_recognised_become_recognisable(head: str) -> None:
    returns, limits = train(head, weight=1.0)
    assert abs(returns[0]) < 0.15 and limits[0] < 0.05
    assert returns[-1] > 0.8 * math.log(4)
    assert limits[-1] > 0.9 * math.log(4)
    assert max(returns) < math.log(4)


def test_agents_paid_for_nothing_stay_alike() -> None:
    _, limits = train("additive", weight=0.0)
    assert max(limits) < 0.3 * math.log(4)


@pytest.mark.parametrize("name", sorted(known_objectives(paying=True)))
def test_rewards_that_know_every_name_pull_agents_apart_as_well(name: str) -> None:
    _, limits = train("additive", weight=1.0, iterations=24, paid=name)
    assert limits[0] < 0.05
    assert limits[-1] > 0.6 * math.log(4)
