"""Populations obey masks: what they draw, what they think of it, and what an exact limit makes of
it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import mirrorenv
from mirrorenv.errors import ConfigError
from mirrorenv.population.actors import Actor, register_actor
from mirrorenv.population.experience import population_shape
from mirrorenv.population.population import Population
from mirrorenv.population.reading import policy_log_probabilities
from mirrorenv.population.rollouts import rollout
from mirrorenv.population.settings import PopulationSettings
from tests.envs.masked import JoinsLate, MaskedInfos, Nim, Uneven

WORLDS: dict[str, Any] = {
    "infos": (MaskedInfos, {}),
    "turns": (Nim, {}),
    "unlike": (Uneven, {"pad": True}),
    "late": (JoinsLate, {}),
}
ACTORS: dict[str, dict[str, Any]] = {
    "mlp": {},
    "shared gru": {"actor": "gru", "weights": "shared"},
    "common": {"diversity": 0.3},
}


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("actor", ACTORS)
def test_what_is_drawn_is_allowed_and_replays_with_its_probability(
    actor: str, world: str, fast: bool
) -> None:
    make, options = WORLDS[world]
    batch = mirrorenv.make_batch(make, 6, **options)  # refuses what its mask forbids
    settings = PopulationSettings(initial_gain=1.0, **ACTORS[actor])
    population = Population(population_shape(batch), settings)
    population.actor.fast = fast
    record = rollout(batch, population, np.arange(6), torch.Generator().manual_seed(1))
    replayed = policy_log_probabilities(population, record)  # (B, T, N, N)
    own = np.diagonal(replayed, axis1=2, axis2=3)
    lived = record.mask
    np.testing.assert_allclose(own[lived], record.log_probability[lived], atol=3e-6)
    mask = record.observations[..., batch.mask_from :]
    alone = record.mask & (mask.sum(-1) == 1)  # no choice: nothing can be told by it
    np.testing.assert_array_equal(replayed[alone], 0.0)


def test_entropy_and_its_gradient_are_those_of_what_is_allowed() -> None:
    batch = mirrorenv.make_batch(MaskedInfos, 4)
    population = Population(population_shape(batch), PopulationSettings(initial_gain=1.0))
    record = rollout(batch, population, np.arange(4), torch.Generator().manual_seed(1))
    seen = torch.from_numpy(record.observations)
    entropy = population.actor.sequence(seen).distribution.entropy()
    assert (entropy[:, 1::2] <= np.log(2) + 1e-6).all()
    assert entropy[:, ::2].max() > np.log(2)
    entropy.sum().backward()
    grads = [one.grad for one in population.actor.parameters() if one.grad is not None]
    assert all(bool(torch.isfinite(grad).all()) for grad in grads)


def test_an_actor_that_does_not_obey_masks_is_refused_with_what_to_do() -> None:
    @register_actor("masks-unknown")
    class Careless(Actor):
        def __init__(self, shape: Any, settings: Any, generator: Any) -> None:
            super().__init__()

    shape = population_shape(mirrorenv.make_batch(MaskedInfos, 1))
    with pytest.raises(ConfigError, match=r"masks-unknown.*action masks.*obeys_masks"):
        Population(shape, PopulationSettings(actor="masks-unknown"))
