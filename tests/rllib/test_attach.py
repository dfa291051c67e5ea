"""The mirror attached to RLlib's own algorithms: what is read, what is paid, what learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.algorithms.appo import APPOConfig
from ray.rllib.algorithms.dqn import DQNConfig
from ray.rllib.algorithms.impala import IMPALAConfig
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModuleSpec
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from mirrorenv.errors import ConfigError, MirrorError
from mirrorenv.rllib import MirrorPPOConfig, attach
from mirrorenv.rllib.attaching.module import MIRROR
from mirrorenv.rllib.attaching.rows import flat_rows, readable
from mirrorenv.rllib.attaching.settings import AttachSettings

pytestmark = pytest.mark.ray

ANTS = "mirrorenv/ants-v0"
KINDS = {"ppo": PPOConfig, "appo": APPOConfig, "impala": IMPALAConfig}


def small(kind: str = "ppo", **settings: Any) -> Any:
    """A config of a few short episodes an iteration."""
    config = KINDS[kind]().environment("ants-v0", env_config={"horizon": 8})
    config.training(train_batch_size_per_learner=256, lr=1e-3, gamma=1.0)
    if kind == "ppo":
        config.training(minibatch_size=128, num_epochs=1)
    config.env_runners(num_env_runners=0, num_envs_per_env_runner=8)
    config.debugging(seed=0, log_level="ERROR").reporting(min_time_s_per_iteration=0)
    return attach(config, **settings) if settings.pop("attached", True) else config


def heads(algorithm: Algorithm) -> dict[str, Any]:
    """The observers' weights in the learner."""
    state = algorithm.learner_group.get_state(components="learner/rl_module")
    found: dict[str, Any] = state["learner"]["rl_module"][MIRROR]
    return found


def figures_of(algorithm: Algorithm) -> dict[str, Any]:
    """The mirror's figures of the first iteration that has some: asynchronous algorithms report
    when their learner thread does."""
    for _ in range(50):
        found: dict[str, Any] = algorithm.train().get("learners", {}).get(MIRROR, {})
        if "top1" in found:
            return found
    raise AssertionError("no figures in 50 iterations")


# -- what observers read ---------------------------------------------------------------------------


def test_every_space_of_fixed_size_becomes_rows_as_gymnasium_flattens_it() -> None:
    space = spaces.Dict(
        {
            "near": spaces.Box(-1.0, 1.0, (2, 2)),
            "kind": spaces.Discrete(3, start=5),
            "pair": spaces.MultiDiscrete([2, 3]),
            "bits": spaces.MultiBinary(2),
            "two": spaces.Tuple((spaces.Discrete(2), spaces.Box(0.0, 1.0, (1,)))),
        }
    )
    space.seed(0)
    values = [space.sample() for _ in range(4)]

    def stack(key: str) -> Any:
        return np.stack([np.asarray(value[key]) for value in values])

    stacked: dict[str, Any] = {key: stack(key) for key in ("near", "kind", "pair", "bits")}
    stacked["two"] = tuple(
        np.stack([np.asarray(value["two"][i]) for value in values]) for i in range(2)
    )
    expected = np.stack([np.asarray(spaces.flatten(space, value)) for value in values])
    np.testing.assert_allclose(flat_rows(space, stacked, "here"), expected)


def test_what_must_not_be_read_is_hidden_by_number_or_by_key() -> None:
    space = spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Box(0.0, 1.0, (3,))})
    assert readable(space, ("a", -1), "here").tolist() == [False, False, True, True, False]
    with pytest.raises(ConfigError, match="no key 'c' to hide; keys: a, b"):
        readable(space, ("c",), "here")
    with pytest.raises(ConfigError, match="5 numbers, and none at 5"):
        readable(space, (5,), "here")


# -- what the learner's pipeline makes of episodes -------------------------------------------------


@pytest.mark.parametrize("bootstrap", [False, True])
def test_the_reward_is_in_the_episodes_before_anything_computes_advantages(bootstrap: bool) -> None:
    algorithm = small(weight=2.0, bootstrap=bootstrap).build_algo()
    try:
        learner = algorithm.learner_group._learner
        pieces = learner._learner_connector.connectors
        names = [type(piece).__name__ for piece in pieces]
        assert names[:2] == ["AddOneTsToEpisodesAndTruncate", "MirrorPiece"]
        episodes = algorithm.env_runner.sample(num_episodes=8)
        batch: dict[str, Any] = {}
        for piece in pieces[:2]:
            batch = piece(rl_module=learner.module, batch=batch, episodes=episodes, shared_data={})
        module = learner.module[MIRROR]
        belief = module.author_log_belief(*pieces[1]._record(episodes)).numpy()
        final = belief[:, -1].mean(axis=1)  # (R, N, N), mean over observers
        for r, episode in enumerate(episodes):
            for n, agent in enumerate(pieces[1].cast.agents):
                paid = episode.agent_episodes[agent].get_rewards()
                assert len(paid) == 9  # eight steps, and RLlib's own after the end
                assert paid[-1] == 0
                # ants earn nothing else: all increments are log N + log belief at the end
                assert paid.sum() == pytest.approx(2 * (np.log(4) + final[r, n, n]), abs=1e-4)
        modules = [key[-1] for key in batch[Columns.LOSS_MASK]]
        assert modules == sorted(modules)  # what keeps the gradients of two learners together
        flags = [ended[-2] for ended in batch[Columns.TERMINATEDS].values()]
        assert set(flags) == {not bootstrap}
    finally:
        algorithm.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_heads_learn_in_the_learner_and_stand_in_the_checkpoint(kind: str, tmp_path: Path) -> None:
    algorithm = small(kind, weight=1.0).build_algo()
    try:
        before = heads(algorithm)
        figures = figures_of(algorithm)
        assert 0 <= figures["top1"] <= 1
        assert figures["information"] == pytest.approx(figures["mirror_return"], abs=1e-3)
        assert MIRROR not in algorithm.env_runner.module  # no stale copy of the heads anywhere
        if kind == "ppo":  # the others go on learning in a thread
            after = heads(algorithm)
            assert any((before[name] != after[name]).any() for name in before)
            algorithm.save_to_path(tmp_path)
            restored = Algorithm.from_checkpoint(str(tmp_path))
            try:
                found = heads(restored)
                assert all((found[name] == after[name]).all() for name in after)
                assert restored.train()["learners"][MIRROR]["top1"] >= 0
            finally:
                restored.stop()
    finally:
        algorithm.stop()


def test_one_shared_module_of_the_users_own_and_only_some_that_learn() -> None:
    config = small(attached=False)
    config.multi_agent(
        policies={"own", "still"},
        policy_mapping_fn=lambda agent, episode, **_: "own" if agent < "ant_2" else "still",
        policies_to_train=["own"],
    )
    config.rl_module(
        rl_module_spec=MultiRLModuleSpec(
            rl_module_specs={"own": RLModuleSpec(model_config={"fcnet_hiddens": [16]})}
        )
    )
    algorithm = attach(config, weight=1.0).build_algo()
    try:
        module = algorithm.get_module("own")
        assert module.model_config["fcnet_hiddens"] == [16]
        learners = algorithm.train()["learners"]
        assert {"own", MIRROR} <= set(learners)
        assert "total_loss" not in learners.get("still", {})
    finally:
        algorithm.stop()


# -- what is refused -------------------------------------------------------------------------------


def _twice() -> AlgorithmConfig:
    found: AlgorithmConfig = attach(small())
    return found


def _named_mirror() -> AlgorithmConfig:
    config: AlgorithmConfig = small(attached=False)
    return config.multi_agent(policies={MIRROR}, policy_mapping_fn=lambda *_, **__: MIRROR)


WRONG: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no environment": (PPOConfig, {}, "no environment given"),
    "unknown environment": (
        lambda: PPOConfig().environment("antz-v0"),
        {},
        "no environment is called 'antz-v0'",
    ),
    "replay": (lambda: DQNConfig().environment(ANTS), {}, "replays old episodes"),
    "our own": (lambda: MirrorPPOConfig().environment(ANTS), {}, "has its own mirror"),
    "twice": (_twice, {}, "has a mirror already"),
    "a policy of that name": (_named_mirror, {}, "call your policy another"),
    "aggregators": (
        lambda: IMPALAConfig().environment(ANTS).learners(num_aggregator_actors_per_learner=1),
        {},
        "heads that never learn",
    ),
    "a setting": (lambda: PPOConfig().environment(ANTS), {"wait": 1}, "wait.*weight"),
    "a head that needs a policy": (
        lambda: PPOConfig().environment(ANTS),
        {"head": "likelihood"},
        "which only MirrorPPO does",
    ),
    "teams": (
        lambda: PPOConfig().environment(ANTS),
        {"credit": "adversarial", "teams": (0, 1)},
        "2 teams for 4 agents",
    ),
    "a number to hide": (
        lambda: PPOConfig().environment(ANTS),
        {"unseen": (99,)},
        "none at 99 to hide",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_have_a_mirror_is_refused_by_name(name: str) -> None:
    make, settings, words = WRONG[name]
    with pytest.raises(MirrorError, match=words):
        attach(make(), **settings)


def _modules_again(config: Any) -> Any:
    return config.rl_module(rl_module_spec=RLModuleSpec())


def _connector_again(config: Any) -> Any:
    return config.learners(learner_connector=lambda *_: [])


def _fragments_again(config: Any) -> Any:
    return config.env_runners(batch_mode="truncate_episodes")


@pytest.mark.parametrize("change", [_modules_again, _connector_again, _fragments_again])
def test_what_would_take_the_mirror_off_again_is_refused(change: Any) -> None:
    with pytest.raises(ConfigError, match=r"call attach last|whole episodes"):
        change(small()).build_algo()


def test_settings_say_what_belongs_together() -> None:
    with pytest.raises(ConfigError, match="teams belong to credit"):
        AttachSettings.checked({"teams": (0, 1)}, "attach")


# -- slow ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_ants_are_recognised_by_an_algorithm_of_rllibs_own(kind: str) -> None:
    config = KINDS[kind]().environment(ANTS)
    config.training(lr=1e-3, gamma=1.0, entropy_coeff=0.01, train_batch_size_per_learner=1024)
    if kind == "ppo":
        config.training(train_batch_size_per_learner=4096, minibatch_size=1024, num_epochs=4)
    config.env_runners(num_env_runners=0, num_envs_per_env_runner=16).debugging(seed=0)
    algorithm = attach(config, weight=1.0).build_algo()
    try:
        best = 0.0
        for _ in range(12):
            best = max(best, algorithm.train()["learners"][MIRROR].get("top1", 0.0))
            if best > 0.9:
                break
        assert best > 0.9
    finally:
        algorithm.stop()


@pytest.mark.slow
def test_two_runners_and_two_learners_hold_the_same_weights() -> None:
    """Stock RLlib does not: with a module for each agent, its learners drift apart."""
    config = small(attached=False)
    config.env_runners(num_env_runners=2).learners(num_learners=2)
    algorithm = attach(config, weight=1.0).build_algo()
    try:
        for _ in range(3):
            algorithm.train()
        states = algorithm.learner_group.foreach_learner(lambda learner: learner.module.get_state())
        one, two = (state.get() for state in states)
        assert set(one) == {"ant_0", "ant_1", "ant_2", "ant_3", MIRROR}
        for module in one:
            for name, weight in one[module].items():
                np.testing.assert_array_equal(weight, two[module][name])
    finally:
        algorithm.stop()
