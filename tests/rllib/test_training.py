"""Training through RLlib: it learns, it is repeatable, learners agree, and nothing fails in
silence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mirrorenv.errors import (
    CheckpointError,
    RunFolderError,
    TrainingError,
    UnknownNameError,
    WorldError,
)
from mirrorenv.population.checkpoint import load_population
from mirrorenv.results import RunFolder, write_report
from mirrorenv.rllib.algorithm import MirrorPPO, MirrorPPOConfig
from mirrorenv.rllib.run import Progress, train
from mirrorenv.rllib.settings import RunSettings, load_settings

pytestmark = pytest.mark.ray


def ants(*overrides: str) -> RunSettings:
    small = ("evaluation.episodes=64", "evaluation.checkpoints=1", "evaluation.baselines=false")
    return load_settings("mirrorenv/ants-v0", (), (*small, *overrides))


def small_config(**learning: Any) -> MirrorPPOConfig:
    config = MirrorPPOConfig().environment("mirrorenv/ants-v0", env_config={"horizon": 8})
    return config.learning(episodes_per_iteration=16, minibatch_episodes=8, epochs=1, **learning)


def weights(algorithm: MirrorPPO) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in algorithm.population.state_dict().items()}


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return train(
        ants("total_steps=57344", "evaluation.baselines=true"),
        tmp_path_factory.mktemp("runs") / "ants",
    )


def test_four_agents_become_recognisable(finished_run: RunFolder) -> None:
    first, last = finished_run.evaluations()[0], finished_run.evaluations()[-1]
    assert abs(first["learned"]["top1"]["value"] - 0.25) < 0.08  # nothing identifiable at the start
    assert first["limit"]["information"]["value"] < 0.05
    assert last["learned"]["top1"]["value"] > 0.85
    assert last["learned"]["information"]["value"] > 0.9
    assert last["learned"]["information"]["value"] <= last["limit"]["information"]["value"] + 0.05
    assert last["baselines"]["chance"]["top1"]["value"] == pytest.approx(0.25, abs=1e-6)


def test_a_run_folder_holds_what_is_needed_to_tell_the_run_again(finished_run: RunFolder) -> None:
    assert finished_run.status == "finished"
    rows = finished_run.metrics()
    assert [row["iteration"] for row in rows] == list(range(1, len(rows) + 1))
    assert rows[-1]["env_steps"] == finished_run.evaluations()[-1]["env_steps"] == 57344
    assert finished_run.config["world"] == "mirrorenv/ants-v0"
    board = EventAccumulator(str(finished_run.tensorboard_path)).Reload()
    assert set(board.Tags()["scalars"]) >= {
        "train/mirror_return",
        "learned/top1",
        "limit/top1",
        "limit/information",
    }
    assert [event.step for event in board.Scalars("learned/top1")] == [0, 57344]
    assert (
        finished_run.info["seed"] == 0
        and {"mirrorenv", "ray", "torch"} <= finished_run.info["versions"].keys()
    )
    page = write_report(finished_run.path).read_text("utf-8")
    assert "mirrorenv/ants-v0" in page


def test_a_checkpoint_plays_on_and_a_damaged_one_is_refused(
    finished_run: RunFolder, tmp_path: Path
) -> None:
    checkpoint = finished_run.checkpoints()[-1]
    population, about = load_population(checkpoint)
    assert about["world"] == "mirrorenv/ants-v0"
    assert population.shape.num_agents == 4
    torn = tmp_path / "torn"
    shutil.copytree(checkpoint, torn)
    data = bytearray((torn / "population.safetensors").read_bytes())
    data[-1] ^= 1
    (torn / "population.safetensors").write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="damaged"):
        load_population(torn)
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        load_population(tmp_path)


def test_without_the_mirror_reward_ants_stay_alike(tmp_path: Path) -> None:
    folder = train(ants("total_steps=32768", "mirror.weight=0"), tmp_path / "off")
    last = folder.evaluations()[-1]
    assert abs(last["learned"]["top1"]["value"] - 0.25) < 0.08
    # not only unrecognised: there is nothing to recognise
    assert last["limit"]["information"]["value"] < 0.02


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    results = []
    for seed in (1, 1, 2):
        algorithm = small_config().debugging(seed=seed).build_algo()
        algorithm.train()
        algorithm.train()
        results.append(weights(algorithm))
        algorithm.stop()
    same = all(torch.equal(results[0][name], results[1][name]) for name in results[0])
    other = all(torch.equal(results[0][name], results[2][name]) for name in results[0])
    assert same
    assert not other


def test_two_learners_hold_equal_weights_and_two_runners_send_whole_iterations() -> None:
    algorithm = small_config().learners(num_learners=2).env_runners(num_env_runners=2).build_algo()
    try:
        before = weights(algorithm)
        for _ in range(2):
            algorithm.train()
        assert algorithm.steps_done == 2 * 16 * 8
        states = [
            result.get()
            for result in algorithm.learner_group.foreach_learner(
                lambda learner: {
                    n: p.detach().numpy()
                    for n, p in learner.module["default_policy"].named_parameters()
                }
            )
        ]
        assert len(states) == 2
        for name in states[0]:
            np.testing.assert_array_equal(states[0][name], states[1][name], err_msg=name)
        after = weights(algorithm)  # the driver's copy follows the learners
        assert any(not torch.equal(before[name], after[name]) for name in before)
        learned = {
            name.removeprefix("module.").removeprefix("population."): w
            for name, w in states[0].items()
        }
        for name, tensor in after.items():
            np.testing.assert_array_equal(tensor.numpy(), learned[name], err_msg=name)
    finally:
        algorithm.stop()


def test_set_diversity_is_one_scale_for_learners_runners_and_the_driver() -> None:
    config = (
        small_config()
        .population(diversity=2.0)
        .learners(num_learners=2)
        .env_runners(num_env_runners=1)
    )
    algorithm = config.build_algo()
    try:
        for _ in range(2):
            algorithm.train()

        def estimate(module: Any) -> float:
            common = getattr(module, "module", module).population.actor.common
            return float(common.estimate)

        held = [
            result.get()
            for result in algorithm.learner_group.foreach_learner(
                lambda learner: estimate(learner.module["default_policy"])
            )
        ]
        sampling = algorithm.env_runner_group.foreach_env_runner(
            lambda runner: float(runner.module.population.actor.common.estimate),
            local_env_runner=False,
        )
        common = algorithm.population.actor.common
        assert common is not None and held[0] == float(common.estimate) == sampling[0] > 0
    finally:
        algorithm.stop()


def test_iterations_without_samples_end_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    algorithm = small_config().env_runners(num_env_runners=1).build_algo()
    try:
        monkeypatch.setattr(algorithm.env_runner_group, "foreach_env_runner", lambda *a, **k: [])
        with pytest.raises(TrainingError, match="no sample arrived"):
            for _ in range(3):
                algorithm.training_step()
    finally:
        algorithm.stop()


@pytest.mark.parametrize(
    ("watched", "error", "says"),
    [(True, WorldError, "agent 'ant_0': the reward is"), (False, TrainingError, "not finite")],
)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_world_that_pays_nan_or_infinity_stops_the_run(
    monkeypatch: pytest.MonkeyPatch, bad: float, watched: bool, error: type[Exception], says: str
) -> None:
    from mirrorenv.envs.worlds.ants import Ants

    real = Ants.step

    def broken(self: Ants, actions: Any) -> Any:
        return real(self, actions)._replace(rewards=np.full((self.num_envs, 4), bad, np.float32))

    monkeypatch.setattr(Ants, "step", broken)
    config = small_config()
    config.validate_world = watched
    algorithm = config.build_algo()
    try:
        with pytest.raises(error, match=says):
            algorithm.training_step()
    finally:
        algorithm.stop()


def test_rllib_options_that_would_be_ignored_are_refused() -> None:
    with pytest.raises(TypeError, match=r"use \.learning"):
        MirrorPPOConfig().training(lr=1e-3)


# a reward with a model of its own goes on with it
@pytest.mark.parametrize("reward", ["mirror", "eoi"])
def test_a_run_that_was_cut_short_ends_as_if_it_had_not_been(tmp_path: Path, reward: str) -> None:
    settings = ants(
        "total_steps=4096",
        "learning.episodes_per_iteration=32",
        "evaluation.checkpoints=2",
        "evaluation.episodes=8",
        f"mirror.reward={reward}",
    )
    whole = train(settings, tmp_path / "whole")

    def cut(row: dict[str, Any]) -> None:
        if row["iteration"] == 3:  # one iteration after the checkpoint at the second
            raise KeyboardInterrupt  # Ctrl-C

    with pytest.raises(KeyboardInterrupt):
        train(settings, tmp_path / "cut", progress=Progress(iteration=cut))
    interrupted = RunFolder.open(tmp_path / "cut")
    assert (interrupted.status, interrupted.info["reason"]) == (
        "interrupted",
        "interrupted from the keyboard",
    )
    resumed = train(settings, tmp_path / "cut")
    timing = {"seconds", "env_steps_per_second"}
    for read in (RunFolder.metrics, RunFolder.evaluations):
        ours, theirs = (
            [{k: v for k, v in r.items() if k not in timing} for r in read(f)]
            for f in (resumed, whole)
        )
        assert ours == theirs
    ends = [folder.checkpoints()[-1] / "population.safetensors" for folder in (resumed, whole)]
    assert ends[0].read_bytes() == ends[1].read_bytes()


def test_a_finished_run_is_not_run_again(finished_run: RunFolder) -> None:
    before = (finished_run.path / "metrics.jsonl").read_bytes()
    again = train(ants("total_steps=57344", "evaluation.baselines=true"), finished_run.path)
    assert again.status == "finished"
    assert (finished_run.path / "metrics.jsonl").read_bytes() == before


def test_an_unknown_world_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="mirrorenv/ants-v0"):
        train(RunSettings(world="mirrorenv/antz-v0"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_with_another_run_is_not_written_over(finished_run: RunFolder) -> None:
    before = (finished_run.path / "metrics.jsonl").read_bytes()
    with pytest.raises(RunFolderError, match="seed"):
        train(ants("seed=5"), finished_run.path)
    assert (finished_run.path / "metrics.jsonl").read_bytes() == before


def test_the_mirror_weight_follows_its_schedule() -> None:
    algorithm = small_config(total_steps=512).mirror(weight=3.0, final_weight=1.0).build_algo()
    try:
        seen = []
        for _ in range(5):
            seen.append(algorithm.mirror_weight())
            algorithm.train()
        assert seen == pytest.approx([3.0, 2.5, 2.0, 1.5, 1.0])
    finally:
        algorithm.stop()


def test_metrics_are_json_lines(finished_run: RunFolder) -> None:
    for line in (finished_run.path / "metrics.jsonl").read_text("utf-8").splitlines():
        assert set(json.loads(line)) >= {
            "iteration",
            "env_steps",
            "return",
            "mirror_return",
            "observer_loss",
        }
