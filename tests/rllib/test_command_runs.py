"""The `rllib` command from training to evaluation, in the tests' own Ray."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mirrorenv.errors import ConfigError, MirrorError, RunFolderError, TrainingError
from mirrorenv.rllib.command import main as command
from mirrorenv.rllib.command.rollouts import StopAfter

pytestmark = pytest.mark.ray

SMALL = {
    "MirrorPPO": {"learning": {"episodes_per_iteration": 8, "minibatch_episodes": 8, "epochs": 1}},
    "PPO": {
        "train_batch_size_per_learner": 32,
        "minibatch_size": 32,
        "num_epochs": 1,
        "model_config": {"fcnet_hiddens": [8]},
    },
}


def train_words(
    algorithm: str, folder: Path, *more: str, env: str = "mirrorenv/ants-v0", **config: Any
) -> list[str]:
    settings = {**SMALL[algorithm], "env_config": {"horizon": 8}, **config}
    where = ("--storage-path", str(folder), "--experiment-name", "it")
    return [
        "train",
        "--algo",
        algorithm,
        "--env",
        env,
        "--config",
        json.dumps(settings),
        *where,
        "--json",
        *more,
    ]


def ran(*words: str) -> dict[str, Any]:
    """The JSON object that a command prints last."""
    result = CliRunner().invoke(command.app, list(words), catch_exceptions=False)
    answer: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    return answer


def failed(*words: str) -> MirrorError:
    result = CliRunner().invoke(command.app, list(words))
    assert isinstance(result.exception, MirrorError), result.output
    return result.exception


@pytest.fixture(scope="module", params=["MirrorPPO", "PPO"])
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, Any]:
    """(algorithm, storage path, outcome) of one small run each."""
    folder = tmp_path_factory.mktemp(request.param)
    answer = ran(*train_words(request.param, folder, "--stop", '{"training_iteration": 2}'))
    return request.param, folder, answer["trials"]


def test_training_ends_with_samples_and_a_checkpoint(trained: tuple[str, Path, Any]) -> None:
    algorithm, _, trials = trained
    (trial,) = trials
    assert (trial["status"], trial["iterations"], trial["error"]) == ("TERMINATED", 2, None)
    assert trial["env_steps"] == {"MirrorPPO": 2 * 8 * 8, "PPO": 2 * 32}[algorithm]
    assert (trial["mirror_return_mean"] is not None) == (algorithm == "MirrorPPO")
    assert Path(trial["checkpoint"]).is_dir()


@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_a_checkpoint_is_evaluated_and_its_episodes_written(
    trained: tuple[str, Path, Any], suffix: str, tmp_path: Path
) -> None:
    algorithm, folder, _ = trained
    out = tmp_path / f"episodes{suffix}"
    summary = ran(
        "evaluate",
        str(folder / "it"),
        "--episodes",
        "8",
        "--out",
        str(out),
        "--track-progress",
        "--json",
    )
    assert (summary["algorithm"], summary["episodes"], summary["env_steps"]) == (algorithm, 8, 64)
    assert (summary["recognition"] is not None) == (algorithm == "MirrorPPO")
    if summary["recognition"]:
        assert 0 <= summary["recognition"]["top1"]["value"] <= 1
    # the progress file is gone
    assert sorted(path.name for path in tmp_path.iterdir()) == [out.name]
    if suffix == ".npz":
        with np.load(out) as arrays:  # NumPy's default: no pickle
            assert arrays["7/ant_3/actions"].shape == (8,)
            assert json.loads(str(arrays["summary"]))["episodes"] == 8
    else:
        assert len(json.loads(out.read_text())["episodes"]) == 8


def test_an_evaluation_follows_from_its_seed_and_agrees_with_the_checkpoint(
    trained: tuple[str, Path, Any],
) -> None:
    algorithm, folder, _ = trained
    other = {"PPO": "MirrorPPO", "MirrorPPO": "PPO"}[algorithm]
    assert f"was trained by {algorithm}" in str(
        failed("evaluate", str(folder / "it"), "--algo", other)
    )
    assert isinstance(failed("evaluate", str(folder / "it"), "--config", '{"lr": 1}'), ConfigError)
    assert isinstance(
        failed("evaluate", str(folder / "it"), "--env", "mirrorenv/pacmen-v0"), MirrorError
    )


def test_one_changed_byte_is_noticed(trained: tuple[str, Path, Any]) -> None:
    _, folder, trials = trained
    (weights,) = Path(trials[0]["checkpoint"]).rglob("*.safetensors")
    whole = weights.read_bytes()
    try:
        weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        assert "damaged" in str(failed("evaluate", str(folder / "it"))) or "checksum" in str(
            failed("evaluate", str(folder / "it"))
        )
    finally:
        weights.write_bytes(whole)


def test_nothing_is_resumed_that_is_not_there_or_not_the_same(
    trained: tuple[str, Path, Any], tmp_path: Path
) -> None:
    algorithm, folder, _ = trained
    stop = ("--stop", '{"training_iteration": 2}')
    assert isinstance(failed(*train_words(algorithm, tmp_path, *stop, "--resume")), RunFolderError)
    changed = failed(*train_words(algorithm, folder, *stop, "--resume", seed=9))
    assert "is another experiment (config was" in str(changed)


@pytest.mark.slow
def test_a_grid_search_trains_every_value(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    config = {
        **SMALL["MirrorPPO"],
        "env_config": {"horizon": 8},
        "mirror": {"weight": {"grid_search": [0.0, 1.0]}},
    }
    experiment = {
        "run": "MirrorPPO",
        "env": "mirrorenv/ants-v0",
        "stop": {"training_iteration": 1},
        "config": config,
    }
    file.write_text(json.dumps({"sweep": experiment}))  # JSON is YAML
    trials = ran("train", "file", str(file), "--storage-path", str(tmp_path / "runs"), "--json")[
        "trials"
    ]
    assert [trial["status"] for trial in trials] == ["TERMINATED"] * 2
    about = [
        json.loads((Path(t["checkpoint"]) / "population" / "config.json").read_text())["run"]
        for t in trials
    ]
    assert sorted(one["mirror"]["weight"] for one in about) == [0.0, 1.0]


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "good"), [("MirrorPPO", 2), ("PPO", 8)])
def test_a_run_that_failed_says_so_and_goes_on_with_resume(
    algorithm: str, good: int, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    words = train_words(
        algorithm,
        tmp_path / "runs",
        *("--stop", '{"training_iteration": 3}', "--checkpoint-freq", "1"),
        env="tests.rllib.troubled:Breaking",
        env_config={"horizon": 6, "flag": str(broken), "good": good},
    )
    broken.touch()
    error = failed(*words)
    assert isinstance(error, TrainingError)
    assert "the bridge is out" in str(error)
    broken.unlink()
    (trial,) = ran(*words, "--resume")["trials"]
    assert (trial["status"], trial["iterations"]) == ("TERMINATED", 3)
    lines = (Path(trial["folder"]) / "result.json").read_text().splitlines()
    # none again, none left out
    assert [json.loads(line)["training_iteration"] for line in lines] == [1, 2, 3]


@pytest.mark.parametrize("algorithm", ["MirrorPPO", "PPO"])
def test_untrained_agents_can_be_evaluated(algorithm: str) -> None:
    words = (
        "evaluate",
        "--algo",
        algorithm,
        "--env",
        "mirrorenv/ants-v0",
        "--episodes",
        "8",
        "--json",
    )
    assert ran(*words)["episodes"] == 8


@pytest.mark.parametrize(
    ("steps", "episodes", "expected"), [(100, 0, 4), (0, 7, 7), (100, 2, 2), (1, 0, 1), (64, 3, 2)]
)
def test_evaluation_stops_at_whichever_limit_is_first(
    steps: int, episodes: int, expected: int
) -> None:
    assert StopAfter(steps, episodes).episodes_at_most(horizon=32) == expected


@pytest.mark.slow
def test_env_runners_that_never_answer_end_the_command_with_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    words = train_words(
        "PPO",
        tmp_path / "runs",
        *("--stop", '{"training_iteration": 2}'),
        env="tests.rllib.troubled:Breaking",
        env_config={"horizon": 6, "flag": str(broken)},
        num_env_runners=1,
    )
    assert "no sample arrived" in str(failed(*words))
