"""Training on a device: what is paid and learned from is what the CPU has, and nothing waits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import mirrorenv
from mirrorenv.errors import ConfigError
from mirrorenv.mirror import lineup_permutations
from mirrorenv.population.device import DeviceLoop, DeviceWorld
from mirrorenv.population.device.launched import Launched
from mirrorenv.population.experience import Experience, population_shape, world_seeds
from mirrorenv.population.observers import HEADS
from mirrorenv.population.population import Population
from mirrorenv.population.settings import LearningSettings, MirrorSettings, PopulationSettings
from mirrorenv.population.train_batch import combine_advantages, train_batch
from tests.population.test_device_worlds import CASES

READ_ROW_BY_ROW = sorted(set(HEADS) - {"joint"})


def loop_of(
    id: str = "mirrorenv/ants-v0",
    device: str = "cpu",
    episodes: int = 8,
    population: dict[str, Any] | None = None,
    **options: Any,
) -> DeviceLoop:
    world = mirrorenv.make_batch(id, episodes, **options)
    made = Population(population_shape(world), PopulationSettings.checked(population or {}))
    learning = LearningSettings(episodes_per_iteration=episodes, minibatch_episodes=4, epochs=1)
    loop = DeviceLoop(made.to(device), DeviceWorld(world, device), MirrorSettings(), learning)
    for objective in loop.population.objectives.values():
        objective.to(device)
    return loop


@pytest.mark.parametrize("id", ["mirrorenv/ants-v0", "mirrorenv/cartpole-v0"])
@pytest.mark.parametrize("head", READ_ROW_BY_ROW)
def test_columns_are_those_of_a_train_batch(id: str, head: str) -> None:
    loop = loop_of(id, population={"observer": {"head": head}}, horizon=20)
    episodes = np.arange(8)
    played = loop.play(world_seeds(0, episodes))
    record = Experience(
        observations=played["observations"].numpy(),
        actions=played["actions"].numpy(),
        rewards=played["rewards"].numpy(),
        mask=played["mask"].numpy() > 0,
        columns={
            name: played[name].numpy()
            for name in ("log_probability", "environment_value", "mirror_value", "last_value")
        }
        | {"last_mirror_value": played["last_value"].numpy()},
    )
    expected = train_batch(
        loop.population,
        record,
        loop.mirror,
        loop.learning,
        run=0,
        episodes=episodes,
        rng=np.random.default_rng(0),
    )
    orders = lineup_permutations(0, episodes, "training", loop.world.world.num_agents)
    paid = loop.pay(played, torch.from_numpy(orders)[:, None])
    np.testing.assert_allclose(paid.sum(1), expected["mirror_return"], atol=1e-4)
    np.testing.assert_array_equal(played["permutation"], expected["permutation"])
    for name in ("environment_target", "mirror_target"):
        np.testing.assert_allclose(played[name], expected[name], atol=1e-4, err_msg=name)
    np.testing.assert_allclose(played["advantage"], combine_advantages(expected, 1.0), atol=2e-3)


@pytest.mark.parametrize(("id", "options"), CASES)
def test_playing_paying_and_learning_wait_for_nothing(id: str, options: dict[str, Any]) -> None:
    loop = loop_of(id, "meta", **options)
    with Launched() as launched:
        loop.run()
    assert launched.waits == []


def test_agents_learn_to_be_recognised() -> None:
    loop = loop_of(episodes=128)
    paid = [float(loop.run()["mirror_return"]) for _ in range(12)]
    loop.check()
    assert paid[-1] > paid[0] + 0.1


@pytest.mark.parametrize(
    ("mirror", "says"),
    [
        ({"credit": "team"}, "credit author"),
        ({"reward": "eoi"}, "CPU only"),
        ({"final_weight": 0.5}, "one mirror weight"),
    ],
)
def test_what_it_cannot_pay_is_refused(mirror: dict[str, Any], says: str) -> None:
    world = mirrorenv.make_batch("mirrorenv/ants-v0", 2)
    population = Population(population_shape(world), PopulationSettings())
    with pytest.raises(ConfigError, match=says):
        DeviceLoop(
            population, DeviceWorld(world, "cpu"), MirrorSettings(**mirror), LearningSettings()
        )
