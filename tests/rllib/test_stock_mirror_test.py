"""RLlib's own PPO plays a MirrorTest as any other game: it reads the lineup, gives evidence and is
paid for it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirrorenv import MirrorTest
from mirrorenv.errors import ConfigError
from mirrorenv.rllib.command.rollouts import StopAfter, roll_out, write_rollouts
from mirrorenv.rllib.command.stock import stock_config
from mirrorenv.rllib.multi_agent_env import make_multi_agent_env
from tests.rllib.test_multi_agent_env import played
from tests.sb3.voices import Voices

pytestmark = pytest.mark.ray

HERE = "tests.rllib.test_stock_mirror_test"


def heard() -> MirrorTest:
    """Two agents, told apart by what they hear."""
    return MirrorTest(Voices(2))


def unheard() -> MirrorTest:
    """The same without voices: nothing tells them apart."""
    return MirrorTest(Voices(2, heard=False))


def test_the_game_keeps_its_recognition_phase_and_its_dictionary_of_actions() -> None:
    env = make_multi_agent_env(f"{HERE}:heard", {})
    acts = env.get_action_space("voice_0")
    assert (acts["act"].n, acts["evidence"].shape) == (2, (4,))
    episode = played(env, seed=3)
    for agent in episode.agent_episodes.values():
        assert len(agent) == Voices.max_cycles + 1  # one step more: who did which
        assert agent.is_terminated
        assert agent.get_rewards()[-1] != 0
    assert set(env.env._ended.values()) == {"truncated"}


def taught(name: str, iterations: int) -> float:
    """Nats that an agent's own recognition is worth after training, on 60 episodes nobody was
    trained on."""
    settings = {
        "lr": 3e-3,
        "gamma": 1.0,
        "train_batch_size_per_learner": 240,
        "minibatch_size": 120,
        "num_epochs": 6,
        "num_envs_per_env_runner": 8,
        "vf_loss_coeff": 0.5,
        "seed": 0,
        "log_level": "ERROR",
    }
    config = stock_config(
        f"{HERE}:{name}", {}, model_config={"fcnet_hiddens": [32]}, settings=settings
    )
    algorithm = config.build_algo()
    try:
        for _ in range(iterations):
            algorithm.train()
        episodes: Any = algorithm.env_runner.sample(num_episodes=60)
    finally:
        algorithm.stop()
    return float(np.mean([one.get_return() for one in episodes])) / 2  # of two agents


def test_it_learns_to_recognise_where_that_is_possible_and_only_there() -> None:
    assert taught("heard", 8) > 0.3 * math.log(2)
    assert taught("unheard", 2) < 0.1


def test_evidence_without_its_noise_is_refused_where_rllib_fails() -> None:
    with pytest.raises(ConfigError, match="Leave explore=false out"):
        roll_out(
            None, StopAfter(0, 1), algorithm="PPO", env=f"{HERE}:heard", config={"explore": False}
        )


def test_played_episodes_keep_act_and_evidence_apart(tmp_path: Path) -> None:
    rollouts = roll_out(None, StopAfter(0, 2), algorithm="PPO", env=f"{HERE}:heard")
    write_rollouts(rollouts, tmp_path / "episodes.npz")
    with np.load(tmp_path / "episodes.npz") as arrays:
        assert arrays["1/voice_0/actions.act"].shape == (3,)
        assert arrays["1/voice_0/actions.evidence"].shape == (3, 4)
