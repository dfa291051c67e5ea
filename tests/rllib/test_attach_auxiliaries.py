"""Auxiliary objectives of RLlib's own modules, through `attach`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner

from mirrorenv.errors import ConfigError, MirrorError
from mirrorenv.rllib import attach
from mirrorenv.rllib.attaching.auxiliaries import SETTINGS

pytestmark = pytest.mark.ray


def small(*auxiliaries: dict[str, Any], **model: Any) -> Any:
    config = PPOConfig().environment("ants-v0", env_config={"horizon": 8})
    config.training(train_batch_size_per_learner=256, lr=1e-3, minibatch_size=128, num_epochs=2)
    config.env_runners(num_env_runners=0, num_envs_per_env_runner=8)
    config.debugging(seed=0, log_level="ERROR").reporting(min_time_s_per_iteration=0)
    if model:
        config.rl_module(model_config=model)
    return attach(config, auxiliaries=list(auxiliaries), weight=0.0)


def learned(config: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures of an ant and the learner's state after two iterations, the second of which begins
    with what the first ended with."""
    algorithm = config.build_algo()
    try:
        algorithm.train()
        state = algorithm.learner_group.get_state()
        algorithm.learner_group.set_state(state)
        figures = algorithm.train()["learners"]["ant_0"]
        return figures, algorithm.learner_group.get_state()["learner"]
    finally:
        algorithm.stop()


def test_a_self_model_and_mind_states_learn_beside_ppo_and_a_probe_is_not_felt() -> None:
    mind = {"name": "mind_state", "ahead": 0, "codes": 4, "weight": 0.0, "warm_up": 1}
    felt, state = learned(small({"name": "self_model"}, mind))
    assert felt["self_model/error"] > 0 and felt["mind_state/codes_used"] > 0
    assert set(state[SETTINGS]) == {"ant_0", "ant_1", "ant_2", "ant_3"}
    assert state[SETTINGS]["ant_0"]["mind_state.updates"] > 2
    _, plain = learned(small())
    _, probed = learned(small({"name": "self_model", "weight": 0.0}, mind))

    def weights(found: dict[str, Any]) -> dict[str, Any]:
        return dict(found["rl_module"]["ant_0"])

    for name, value in weights(plain).items():
        np.testing.assert_array_equal(value, weights(probed)[name])
    assert any((value != weights(state)[name]).any() for name, value in weights(plain).items())


def test_a_module_with_memory_is_predicted_ahead() -> None:
    figures, _ = learned(small({"name": "self_model", "ahead": 1}, use_lstm=True, max_seq_len=8))
    assert figures["self_model/error"] > 0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": "mind_state"}, "ahead = 1"),
        ({"name": "mind_state", "ahead": 0, "fed": "true"}, "feeds something back"),
        ({"name": "self_model", "layer": "trunk"}, "Did you mean|policy"),
        ({"name": "self_model", "share": 0.3}, "share"),
    ],
)
def test_what_rllibs_modules_cannot_give_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(MirrorError, match=says):
        small(given).build_algo()


def test_another_learner_is_refused() -> None:
    class Own(PPOTorchLearner):
        pass

    config = PPOConfig().environment("ants-v0").learners(learner_class=Own)
    with pytest.raises(ConfigError, match="Own"):
        attach(config, auxiliaries=[{"name": "self_model"}])
