"""What RLlib users do with any algorithm works with MirrorPPO, or is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ray import tune
from ray.rllib.callbacks.callbacks import RLlibCallback
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

import mirrorenv
from mirrorenv.errors import ConfigError, MirrorError, WorldError
from mirrorenv.rllib import MirrorPPO, MirrorPPOConfig
from mirrorenv.rllib.ignored import LEARNING_NAMES
from mirrorenv.rllib.module import PopulationModule
from mirrorenv.rllib.parallel_env import as_parallel
from tests.rllib.test_recipes import recipe_at

pytestmark = pytest.mark.ray

STUDY = Path(__file__).resolve().parents[2] / "benchmarks" / "studies" / "rllib_habits.py"


def ants() -> MirrorPPOConfig:
    config = MirrorPPOConfig().environment("mirrorenv/ants-v0", env_config={"horizon": 8})
    config.learning(episodes_per_iteration=8, minibatch_episodes=8, epochs=1)
    return config


class AtEpisodes(RLlibCallback):
    def on_episode_step(self, **kwargs: Any) -> None:
        """Never called."""


# -- refused before anything starts ----------------------------------------------------------------

WITHOUT_EFFECT: dict[str, Callable[[MirrorPPOConfig], Any]] = {
    "explore": lambda c: c.env_runners(explore=False),
    "num_envs_per_env_runner": lambda c: c.env_runners(num_envs_per_env_runner=2),
    "rollout_fragment_length": lambda c: c.env_runners(rollout_fragment_length=7),
    "env_to_module_connector": lambda c: c.env_runners(env_to_module_connector=lambda *_: []),
    "learner_connector": lambda c: c.learners(learner_connector=lambda *_: []),
    "clip_rewards": lambda c: c.environment(clip_rewards=1e-4),
    "model_config": lambda c: c.rl_module(model_config={"fcnet_hiddens": [4]}),
    "rl_module_spec": lambda c: c.rl_module(rl_module_spec=RLModuleSpec()),
    "policies": lambda c: c.multi_agent(policies={"a", "b"}),
    "output": lambda c: c.offline_data(output="somewhere"),
    "train_batch_size_per_learner": lambda c: c.update_from_dict(
        {"train_batch_size_per_learner": 7}
    ),
    "on_episode_step": lambda c: c.callbacks(AtEpisodes),
    "on_sample_end": lambda c: c.callbacks(on_sample_end=lambda **_: None),
    "evaluation_duration": lambda c: c.evaluation(evaluation_duration_unit="timesteps"),
    "evaluation_num_env_runners": lambda c: c.evaluation(evaluation_num_env_runners=1),
}


@pytest.mark.parametrize("option", WITHOUT_EFFECT)
def test_an_option_without_effect_is_refused_by_its_name(option: str) -> None:
    config = ants()
    WITHOUT_EFFECT[option](config)
    with pytest.raises(ConfigError, match=option):
        config.validate()


def test_nothing_is_refused_that_was_not_set() -> None:
    ants().validate()
    ants().env_runners(batch_mode="complete_episodes").validate()


@pytest.mark.parametrize("theirs", LEARNING_NAMES)
def test_what_rllib_calls_otherwise_is_the_same_setting(theirs: str) -> None:
    """RLlib's own default among the values: in a search it is a value like any other."""
    field = LEARNING_NAMES[theirs]
    config = ants()
    assert getattr(config, theirs) == getattr(config.learning_settings, field)
    for value in (1, 3 if theirs == "num_epochs" else 0.5):
        trial = MirrorPPOConfig().update_from_dict({**config.to_dict(), theirs: value})
        assert getattr(trial.learning_settings, field) == value == getattr(trial, theirs)
    config.learning(**{field: 1})
    assert getattr(config, theirs) == 1


def test_rllibs_own_default_rate_counts_in_a_search() -> None:
    trial = MirrorPPOConfig().update_from_dict({**ants().to_dict(), "lr": 5e-5})
    assert trial.learning_settings.learning_rate == 5e-5


@pytest.mark.parametrize("place", ["mirror", "population", "learning"])
def test_a_search_space_in_the_wrong_place_is_told_the_right_one(place: str) -> None:
    for space in (tune.grid_search([1, 2]), tune.uniform(0, 1)):
        with pytest.raises(ConfigError, match=r"param_space: \{\*\*config.to_dict\(\), "):
            getattr(ants(), place)(weight=space)


# -- works -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def module() -> PopulationModule:
    spec = ants().get_multi_rl_module_spec(
        spaces={"default_policy": ants().world_spaces()}, inference_only=False
    )
    made = spec.build()["default_policy"]
    assert isinstance(made, PopulationModule)
    return made


def test_one_agent_is_served_like_the_same_agent_among_all(module: PopulationModule) -> None:
    seen = np.random.default_rng(0).uniform(-1, 1, (5, 4, 2)).astype(np.float32)
    for serve in (module.forward_inference, module.forward_exploration):
        module._draws.manual_seed(3)
        together = serve({"obs": seen})
        module._draws.manual_seed(3)
        alone = serve({"obs": seen[:, 2], "agent": 2})
        assert together["actions"].shape == (5, 4)
        torch.testing.assert_close(alone["actions"], together["actions"][:, 2])
        torch.testing.assert_close(alone["action_logp"], together["action_logp"][:, 2])


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ({"obs": np.zeros((5, 2), np.float32)}, r"give \(B, 4, 2\)"),
        ({"obs": np.zeros((5, 2), np.float32), "agent": 4}, "from 0 to 3"),
        ({"obs": np.zeros((5, 3), np.float32), "agent": 1}, r"\(B, 2\) with 'agent'"),
    ],
)
def test_what_cannot_be_served_is_told_the_shape(
    module: PopulationModule, batch: dict[str, Any], words: str
) -> None:
    with pytest.raises(MirrorError, match=words):
        module.forward_inference(batch)


def test_an_environment_of_rllibs_own_kind_is_a_world() -> None:
    walkers = recipe_at(STUDY).Walkers
    env = as_parallel(walkers())
    observations, _ = env.reset(seed=0)
    assert set(observations) == set(env.agents) == {"a", "b"}
    for _ in range(8):
        _, paid, ended, cut, _ = env.step({"a": 0, "b": 1})
    assert cut == {"a": True, "b": True} and not any(ended.values()) and not env.agents
    assert paid == {"a": 0.0, "b": 0.0}
    assert MirrorPPOConfig().environment(walkers).settled().shape.num_agents == 2
    nobody = walkers()
    nobody.possible_agents = []
    with pytest.raises(WorldError, match="fill possible_agents"):
        as_parallel(nobody)


def test_a_petting_zoo_environment_in_rllibs_wrapper_is_taken_out_of_it() -> None:
    from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv

    inner = mirrorenv.make("mirrorenv/ants-v0")
    assert as_parallel(ParallelPettingZooEnv(inner)) is inner


@pytest.mark.slow
def test_every_habit_of_the_table_works_or_is_refused_by_name(tmp_path: Path) -> None:
    study = recipe_at(STUDY)
    algorithm = study.small().build_algo()
    try:
        for name, habit in study.HABITS.items():
            assert study.answer(habit, algorithm, tmp_path), name
    finally:
        algorithm.stop()


@pytest.mark.slow
@pytest.mark.parametrize("learners", [1, 2])
def test_two_runners_and_one_or_two_learners_train(learners: int) -> None:
    config = ants().env_runners(num_env_runners=2).learners(num_learners=learners)
    algorithm = config.build_algo()
    try:
        for _ in range(2):
            result = algorithm.train()
        assert result["env_runners"]["num_env_steps_sampled_lifetime"] == 2 * 64
    finally:
        algorithm.stop()


def test_ids_without_the_prefix_and_relative_paths_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = MirrorPPOConfig().environment("ants-v0", env_config={"horizon": 8})
    assert config.env == "mirrorenv/ants-v0"
    algorithm = config.learning(episodes_per_iteration=8, minibatch_episodes=8).build_algo()
    monkeypatch.chdir(tmp_path)
    try:
        algorithm.save_to_path(tmp_path / "here")
        MirrorPPO.from_checkpoint("here").stop()
    finally:
        algorithm.stop()
