"""Auxiliaries of a Stable-Baselines3 policy, and observers that it does not feel."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import PPO

from mirrorenv.errors import ConfigError, UnknownNameError
from mirrorenv.population.settings import ObserverSettings
from mirrorenv.sb3 import MirrorCallback, vec_env

HERE = "tests.population.outside"


def trained(callback: MirrorCallback | None, weight: float = 0.0) -> dict[str, Any]:
    """The policy's weights after two rollouts in a world that pays."""
    env = vec_env("mirrorenv/chain-v0", 2, mirror={"weight": weight}, seed=4)
    model = PPO(
        "MlpPolicy",
        env,
        n_steps=16,
        batch_size=64,
        n_epochs=1,
        seed=4,
        device="cpu",
        policy_kwargs={"net_arch": [8]},
    )
    model.learn(2 * 16 * env.num_envs, callback=callback)
    return {name: one.clone() for name, one in model.policy.state_dict().items()}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def watching(**more: Any) -> MirrorCallback:
    return MirrorCallback(ObserverSettings(hidden=8), epochs=1, minibatch_episodes=8, **more)


def test_at_weight_zero_the_policy_is_the_same_whoever_watches_and_if_nobody_does():
    alone = trained(None)
    assert same(alone, trained(watching()))
    other = ObserverSettings(hidden=4, head="gru", slots_per_update=1, learning_rate=0.1)
    assert same(alone, trained(MirrorCallback(other, epochs=2, seed=9)))
    assert not same(alone, trained(watching(), weight=1.0))


@pytest.mark.parametrize("name", ["NextHidden", "Codebook"])
def test_an_auxiliary_is_felt_and_a_probe_is_not(name):
    auxiliary = {"name": f"{HERE}:{name}", "layer": "policy"}
    plain = trained(watching())
    probe = watching(auxiliaries=[{**auxiliary, "weight": 0.0}])
    assert same(plain, trained(probe))
    assert not same(plain, trained(watching(auxiliaries=[auxiliary])))
    assert name in probe.observers.objectives


def test_what_does_not_fit_is_refused():
    for auxiliary, error, words in (
        ({"name": f"{HERE}:FedCode", "layer": "policy"}, ConfigError, "feeds something back"),
        ({"name": f"{HERE}:NextHidden"}, UnknownNameError, "hidden layer"),
    ):
        with pytest.raises(error, match=words):
            trained(watching(auxiliaries=[auxiliary]))
