"""Environments of others through RLlib: by path, class, function or a name registered with Tune."""

from __future__ import annotations

from typing import Any

import pytest
from ray import tune

from mirrorenv.errors import ConfigError, UnknownNameError
from mirrorenv.rllib.algorithm import MirrorPPOConfig
from mirrorenv.rllib.worlds import make_world
from tests.envs.strangers import Dying, Stranger

pytestmark = pytest.mark.ray


def configured(env: Any, **env_config: Any) -> MirrorPPOConfig:
    return MirrorPPOConfig().environment(env, env_config=env_config)


class Configured(Stranger):
    """As RLlib's users write them: one argument, the whole env_config."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config["agents_wanted"], config.get("horizon", 6))


def test_every_way_to_name_an_environment_makes_its_world() -> None:
    tune.register_env("strangers", lambda config: Stranger(config["agents_wanted"]))
    ways = {
        "path": configured("tests.envs.strangers:Stranger", num_agents_=4),
        "class": configured(Stranger, num_agents_=4),
        "function": configured(lambda: Stranger(4)),
        "keyword": MirrorPPOConfig().environment(
            env=lambda count=2: Stranger(count), env_config={"count": 4}
        ),
        "rllib's class": configured(Configured, agents_wanted=4),
        "rllib's function": configured(
            lambda config: Stranger(config["agents_wanted"]), agents_wanted=4
        ),
        "tune": configured("strangers", agents_wanted=4),
    }
    for way, config in ways.items():
        world = make_world(config, 2)
        assert (world.num_agents, world.num_envs, world.horizon) == (4, 2, 6), way


def test_our_arguments_reach_the_batch_from_env_config() -> None:
    assert make_world(configured(Configured, agents_wanted=2, horizon=3), 1).horizon == 3
    assert make_world(configured(Stranger, horizon=3), 1).horizon == 3


def test_nothing_named_and_nothing_known_are_errors() -> None:
    with pytest.raises(ConfigError, match="no world given"):
        make_world(MirrorPPOConfig(), 1)
    with pytest.raises(UnknownNameError):
        make_world(configured("stranger-things"), 1)


@pytest.mark.parametrize("env", [Dying, lambda: Dying()], ids=["class", "function"])
def test_agents_that_die_are_trained(env: Any) -> None:
    config = configured(env).learning(episodes_per_iteration=8, minibatch_episodes=4, epochs=1)
    algorithm = config.build_algo()
    try:
        result = algorithm.train()
    finally:
        algorithm.stop()
    assert 8 < result["env_runners"]["num_env_steps_sampled_lifetime"] <= 8 * 6
