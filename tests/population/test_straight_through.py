"""Gradients through a fed code: to the step that predicted it, and no further."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from benchmarks.shared.runner import load_recipe
from mirrorenv.envs import make_batch
from mirrorenv.errors import ConfigError
from mirrorenv.population import Population, population_shape
from mirrorenv.population.objectives import Host, build_objective
from mirrorenv.population.settings import LearningSettings, PopulationSettings

WORLD = "mirrorenv/chain-v0"
LEARNING = LearningSettings(episodes_per_iteration=8, minibatch_episodes=4, epochs=2)


def made(through: bool, **more: Any) -> Population:
    given = {"name": "mind_state", "codes": 4, "fed": "predicted", "straight_through": through}
    settings = PopulationSettings(hidden=8, auxiliaries=(given,), **more)
    return Population(population_shape(make_batch(WORLD, 1)), settings, seed=1)


@pytest.mark.parametrize("through", [False, True])
def test_a_gradient_goes_through_a_predicted_code_one_step_back_if_it_is_asked_for(
    through: bool,
) -> None:
    population = made(through, initial_gain=1.0)
    (head,) = (one.head for _, one in population.named_auxiliaries())
    torch.nn.init.normal_(head.output.weight, generator=torch.Generator().manual_seed(0))
    fed = torch.nn.functional.one_hot(torch.randint(4, (2, 5, 6)), 4).float()
    seen = torch.randn(2, 5, 6, population.shape.observation_size, requires_grad=True)
    batch = {"observations": seen, "mask": torch.ones(2, 5, 6), "fed": fed}
    law = population.output(batch).distribution.outputs
    with torch.no_grad():
        assert torch.equal(law, population.output(batch).distribution.outputs)
    slope = torch.autograd.grad(law[:, 3].square().sum(), seen)[0]
    assert slope[:, 3].any() and not slope[:, 4].any() and not slope[:, :2].any()
    assert slope[:, 2].any() == through


def test_what_goes_straight_through_trains() -> None:
    learned = {}
    for through in (True, False):
        population = made(through)
        loop = load_recipe("bare_loop").train(
            WORLD, seed=1, learning=LEARNING, population=population
        )
        assert all(math.isfinite(value) for value in next(loop).values())
        learned[through] = torch.cat([one.flatten() for one in population.actor.parameters()])
    assert not torch.equal(learned[True], learned[False])


def test_only_a_predicted_code_has_a_gradient() -> None:
    given = {"name": "mind_state", "fed": "true", "straight_through": True}
    with pytest.raises(ConfigError, match="fed = predicted"):
        build_objective(given, Host({"h": 4}))
