"""The configuration goes into Ray Tune as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from ray import tune

from mirrorenv.rllib import MirrorPPO, MirrorPPOConfig

pytestmark = pytest.mark.ray


def test_a_tuner_runs_the_config_and_reports_both_returns(tmp_path: Path) -> None:
    config = MirrorPPOConfig().environment("mirrorenv/ants-v0", env_config={"horizon": 8})
    config.learning(episodes_per_iteration=16, minibatch_episodes=8, epochs=1)
    run_config = tune.RunConfig(
        storage_path=str(tmp_path), stop={"training_iteration": 2}, verbose=0
    )
    results = tune.Tuner(MirrorPPO, param_space=config, run_config=run_config).fit()
    assert not results.errors
    metrics = results[0].metrics
    assert metrics["env_runners"]["num_env_steps_sampled_lifetime"] == 2 * 16 * 8
    assert metrics["env_runners"]["mirror_return_mean"] <= 1.3863
