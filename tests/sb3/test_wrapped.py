"""What stands between environment and policy: scores and attributes see through it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mirrorenv.errors import ConfigError

pytest.importorskip("stable_baselines3", reason="needs the extra 'sb3': pip install '.[sb3]'")

from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import VecExtractDictObs, VecFrameStack, VecNormalize

from mirrorenv import MirrorTest
from mirrorenv.sb3 import MirrorCallback, vec_env
from mirrorenv.sb3.wrapped import Glasses
from tests.sb3.voices import Voices


def ants() -> Any:
    return vec_env("mirrorenv/ants-v0", 4, mirror={"weight": 1.0}, horizon=6)


WRAPPED = {
    "VecNormalize": lambda env: VecNormalize(env, norm_reward=False),
    "VecFrameStack": lambda env: VecFrameStack(env, 3),
    "both": lambda env: VecFrameStack(VecNormalize(env, norm_reward=False), 3),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_other_copies_are_seen_as_the_wrapper_shows_its_own(name: str) -> None:
    env = WRAPPED[name](ants())
    inside = env.unwrapped
    glasses = Glasses(env)
    for step in range(4):
        shown: Any = env.reset() if step == 0 else env.step(np.ones(16, int))[0]
        raw = np.concatenate([row.present(row.seen) for row in inside.rows])
        seen = glasses.see(raw, first=step == 0)
        assert seen.shape == shown.shape
        if name != "both":  # there the wrapper holds frames by the means of their own step
            np.testing.assert_allclose(seen, shown, atol=1e-6)


def test_a_score_reads_what_the_policy_was_trained_on() -> None:
    env = VecFrameStack(VecNormalize(ants(), norm_reward=False), 3)
    model = PPO("MlpPolicy", env, n_steps=6, batch_size=24, n_epochs=1, seed=0)
    callback = MirrorCallback()
    model.learn(96, callback=callback)
    assert 0 <= callback.score(episodes=8).top1.value <= 1


def test_an_unknown_wrapper_is_refused() -> None:
    env = vec_env(lambda: MirrorTest(Voices(2)), 1)
    with pytest.raises(ConfigError, match="VecExtractDictObs makes of observations"):
        Glasses(VecExtractDictObs(env, "agent"))


def test_auxiliaries_beside_a_wrapper_that_alters_observations_are_refused() -> None:
    env = VecNormalize(ants(), norm_reward=False)
    model = PPO("MlpPolicy", env, n_steps=6, batch_size=24, seed=0)
    with pytest.raises(ConfigError, match="leave VecNormalize"):
        model.learn(96, callback=MirrorCallback(auxiliaries=[{"name": "self_model"}]))


class Tuned(Voices):
    """With something to read, set and call."""

    pitch = 4

    def higher(self, by: int) -> int:
        return self.pitch + by


@pytest.mark.parametrize("game", [False, True])
def test_attributes_and_methods_reach_the_environment(game: bool) -> None:
    env = vec_env((lambda: MirrorTest(Tuned(2))) if game else (lambda: Tuned(2)), 2)
    assert env.get_attr("pitch") == [4, 4, 4, 4]
    env.set_attr("pitch", 7, indices=[0])
    assert env.get_attr("pitch") == [7, 7, 4, 4]
    assert env.env_method("higher", 1, indices=[1, 2]) == [8, 5]
    with pytest.raises(AttributeError, match=r"none of .*Tuned has an attribute 'nothing'"):
        env.get_attr("nothing")


def test_an_algorithm_with_a_replay_buffer_plays_a_mirror_test_which_pays_itself() -> None:
    env = vec_env(lambda: MirrorTest(Voices(2)), 2)
    model = SAC("MultiInputPolicy", env, learning_starts=8, batch_size=8, buffer_size=64, seed=0)
    model.learn(32)
    assert model.num_timesteps >= 32
