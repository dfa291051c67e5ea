"""The `rllib` command, up to where Ray would start: its options, and what is refused and why."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from safetensors.numpy import save
from typer.testing import CliRunner

from mirrorenv.errors import ConfigError, MirrorError
from mirrorenv.results import write_manifest
from mirrorenv.rllib.command import main as command
from mirrorenv.rllib.command.config import ALGORITHMS, algorithm_config, current_names, variants
from mirrorenv.rllib.command.experiment_files import read_experiments
from mirrorenv.rllib.command.experiments import Experiment
from mirrorenv.rllib.command.options import GONE
from tests.test_docs import _shown_commands

# Every option of `rllib` in Ray 2.40, the last one with the code of its command (2.41 has the
# script without it).
RAY_TRAIN = """--algo --run -a -r --env -e --config -c --stop -s --experiment-name -n --num-samples
--checkpoint-freq --checkpoint-at-end --no-checkpoint-at-end --storage-path --restore
--resources-per-trial --keep-checkpoints-num --checkpoint-score-attr --log-info -v --log-debug
-vv --framework --trace --no-trace --local-mode --no-local-mode --ray-address --ray-ui
--no-ray-ui --ray-num-cpus --ray-num-gpus --ray-num-nodes --ray-object-store-memory --resume
--no-resume --scheduler --scheduler-config --local-dir --upload-dir"""
RAY_FILE = """--stop -s --env -e --checkpoint-freq --checkpoint-at-end --no-checkpoint-at-end
--keep-checkpoints-num --checkpoint-score-attr --log-info -v --log-debug -vv --framework
--trace --no-trace --wandb-key --wandb-project --wandb-run-name --local-mode --no-local-mode
--ray-address --ray-ui --no-ray-ui --ray-num-cpus --ray-num-gpus --ray-num-nodes
--ray-object-store-memory --resume --no-resume --scheduler --scheduler-config"""
RAY_EVALUATE = """--algo --run -a -r --env -e --local-mode --no-local-mode --render --no-render
--steps --episodes --out --config -c --save-info --no-save-info --use-shelve --no-use-shelve
--track-progress --no-track-progress"""

FIRST = ("--algo", "MirrorPPO", "--env", "mirrorenv/ants-v0")


def silent(text: str) -> None:
    """Hears no notice."""


def refused(*words: str) -> str:
    result = CliRunner().invoke(command.app, list(words))
    assert isinstance(result.exception, MirrorError), result.output
    return str(result.exception)


def checked(**fields: Any) -> Experiment:
    given = {"name": "x", "algorithm": "PPO", "env": "mirrorenv/ants-v0", "config": {}, "stop": {}}
    return Experiment.checked(silent, **{**given, **fields})


@pytest.mark.parametrize(
    ("name", "options"),
    [("train", RAY_TRAIN), ("file", RAY_FILE), ("evaluate", RAY_EVALUATE)],
    ids=lambda x: str(x)[:8],
)
def test_every_option_of_rays_command_is_known(name: str, options: str) -> None:
    top: Any = typer.main.get_command(command.app)
    train = top.commands["train"]
    one = {"train": train, "evaluate": top.commands["evaluate"], "file": train.commands["file"]}[
        name
    ]
    known = {
        option
        for parameter in one.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert not set(options.split()) - known


@pytest.mark.parametrize(
    "words",
    [
        ("train", *FIRST, "--trace"),
        ("train", *FIRST, "--local-mode"),
        ("train", *FIRST, "--resources-per-trial", '{"cpu": 1}'),
        ("train", *FIRST, "--local-dir", "x"),
        ("train", *FIRST, "--upload-dir", "x"),
        ("train", *FIRST, "--framework", "tf2"),
        ("train", "file", "x.yaml", "--wandb-key", "secret"),
        ("train", "file", "x.yaml", "--wandb-project", "x"),
        ("train", "file", "x.yaml", "--wandb-run-name", "x"),
        ("evaluate", "x", "--use-shelve"),
        ("evaluate", "x", "--save-info"),
        ("evaluate", "x", "--render"),
        ("evaluate", "x", "--local-mode"),
        ("evaluate", "x", "--track-progress"),
        ("evaluate", "x", "--out", "rollouts.pkl"),
        ("rollout", "x", "--run", "PPO"),
        ("example", "list"),
    ],
    ids=lambda words: " ".join(word for word in words if word not in FIRST),
)
def test_what_has_no_meaning_any_more_is_refused_with_a_remedy(words: tuple[str, ...]) -> None:
    said = refused(*words)
    option = next((word for word in words if word.startswith("--") and word not in FIRST), words[0])
    assert option in said or words[0] in said
    assert "secret" not in said


def test_every_refused_option_exists_and_says_what_to_do_instead() -> None:
    for name, remedy in GONE.items():
        assert len(remedy) > 20, name


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("train",), "no algorithm given: --algo MirrorPPO"),
        (("train", "--algo", "MirrorPPO"), "no environment given"),
        (("train", "--algo", "DQN", "--env", "mirrorenv/ants-v0"), "register_worlds"),
        (
            ("train", "--algo", "PPO", "--env", "mirrorenv/antz-v0"),
            "Did you mean mirrorenv/ants-v0",
        ),
        (("train", *FIRST, "--config", "{weight: 1}"), "--config is not valid JSON"),
        (("train", *FIRST, "--stop", "[1]"), "--stop must be a JSON object"),
        (("train", *FIRST, "--stop", '{"reward": 1}'), "--stop 'reward' is never reported"),
        (
            ("train", *FIRST, "--ray-address", "auto", "--ray-num-cpus", "2"),
            "give one or the other",
        ),
        (("train", "file", "nothing.yaml"), "cannot read nothing.yaml"),
        (("train", "file", "https://example.org/x.yaml"), "files are not fetched"),
        (("train", "file", "x.toml"), "ends in .yaml, .yml or .py"),
        (("evaluate",), "give --algo and --env"),
        (("evaluate", "nowhere"), "is no checkpoint of this command"),
        (("evaluate", "x", "--steps", "0"), "one of them must be above 0"),
    ],
    ids=lambda x: " ".join(x)[:40] if isinstance(x, tuple) else "",
)
def test_a_mistake_is_answered_with_its_remedy(words: tuple[str, ...], says: str) -> None:
    assert says in refused(*words)


@pytest.mark.parametrize(
    ("algorithm", "config", "says"),
    [
        ("PPO", {"learning_rate": 1}, "setting of PPO in --config"),
        ("PPO", {"num_gpus": 1}, "num_gpus_per_learner"),
        ("PPO", {"multiagent": {}}, "policies"),
        ("PPO", {"mirror": {"weight": 1}}, "--algo MirrorPPO"),
        ("PPO", {"framework": "tf2"}, "only torch"),
        (
            "PPO",
            {"num_learners": 2, "policies": ["ant_0", "ant_1", "ant_2", "ant_3"]},
            "without an error",
        ),
        ("MirrorPPO", {"lr": 0.1}, "learning.learning_rate"),
        ("MirrorPPO", {"num_sgd_iter": 3}, "learning.epochs"),
        ("MirrorPPO", {"mirror": {"wieght": 1}}, "wieght"),
        ("MirrorPPO", {"learning": {"epochs": 0}}, "epochs"),
        ("MirrorPPO", {"env_config": {"agent": 3}}, "unknown world argument"),
        ("PPO", {"lr": {"eval": "__import__('os').getcwd()"}}, "runs code"),
        ("PPO", {"lr": {"grid_search": []}}, "needs a list of values"),
    ],
    ids=lambda x: str(x)[:30],
)
def test_a_wrong_setting_is_refused_before_anything_starts(
    algorithm: str, config: dict[str, Any], says: str
) -> None:
    with pytest.raises(MirrorError) as refusal:
        checked(algorithm=algorithm, config=config)
    assert says in str(refusal.value)


def test_old_names_are_translated_and_said() -> None:
    heard: list[str] = []
    config = {
        "num_workers": 2,
        "sgd_minibatch_size": 64,
        "model": {"fcnet_hiddens": [8]},
        "framework": "torch",
    }
    today = current_names("PPO", config, heard.append)
    assert today == {
        "num_env_runners": 2,
        "minibatch_size": 64,
        "model_config": {"fcnet_hiddens": [8]},
    }
    assert len(heard) == 3
    built = algorithm_config("PPO", "mirrorenv/ants-v0", {}, today)
    assert (built.num_env_runners, built.minibatch_size) == (2, 64)
    experiment = Experiment.checked(
        heard.append,
        name="x",
        algorithm="PPO",
        env="mirrorenv/ants-v0",
        config={},
        stop={"timesteps_total": 5},
    )
    assert experiment.stop == {"env_runners/num_env_steps_sampled_lifetime": 5}
    assert "timesteps_total" in heard[-1]


def test_settings_reach_the_algorithm() -> None:
    config = {
        "mirror": {"weight": 0.5},
        "population": {"hidden": 8},
        "learning": {"epochs": 2},
        "seed": 7,
    }
    built = algorithm_config(
        "MirrorPPO", "mirrorenv/ants-v0", {"horizon": 4}, {**config, "total_steps": 99}
    )
    assert (built.mirror_settings.weight, built.population_settings.hidden) == (0.5, 8)
    assert (built.learning_settings.epochs, built.seed, built.total_steps) == (2, 7, 99)
    assert built.env_config == {"horizon": 4}


def test_grid_searches_span_every_combination() -> None:
    config = {
        "lr": {"grid_search": [1, 2]},
        "mirror": {"weight": {"grid_search": [3, 4, 5]}, "floor": 0.1},
        "seed": 0,
    }
    found = [(one["lr"], one["mirror"]["weight"]) for one in variants(config)]
    assert sorted(found) == [(lr, weight) for lr in (1, 2) for weight in (3, 4, 5)]


def test_no_stop_is_said() -> None:
    heard: list[str] = []
    Experiment.checked(
        heard.append, name="x", algorithm="PPO", env="mirrorenv/ants-v0", config={}, stop={}
    )
    assert "until it is interrupted" in heard[0]


YAML = """
first:
  run: PPO
  env: mirrorenv/ants-v0
  stop: {training_iteration: 3}
  num_samples: 2
  checkpoint_config: {checkpoint_frequency: 1, num_to_keep: 4}
  config: {lr: {grid_search: [0.1, 0.2]}, env_config: {horizon: 8}}
second: {run: MirrorPPO, config: {env: mirrorenv/pacmen-v0, mirror: {weight: 0}}}
"""


def test_a_yaml_file_holds_experiments_by_name(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(YAML)
    first, second = read_experiments(file, silent, storage_path="here")
    assert (
        first.algorithm,
        first.num_samples,
        first.checkpoint_freq,
        first.keep_checkpoints_num,
    ) == ("PPO", 2, 1, 4)
    assert first.config["env_config"] == {"horizon": 8}
    assert (second.name, second.env, second.config["mirror"]) == (
        "second",
        "mirrorenv/pacmen-v0",
        {"weight": 0},
    )
    assert read_experiments(file, silent, "mirrorenv/pacmen-v0")[0].env == "mirrorenv/pacmen-v0"
    json.dumps(vars(first))  # an experiment is data


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n", "holds no experiments"),
        ("x: {env: mirrorenv/ants-v0}", "no algorithm"),
        ("x: {run: PPO, env: mirrorenv/ants-v0, search_alg: random}", "search_alg"),
        (
            "x: {run: PPO, env: mirrorenv/ants-v0, checkpoint_config: {often: 1}}",
            "checkpoint_frequency",
        ),
        ("x: !!python/object/apply:os.getcwd []", "cannot read"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=says):
        read_experiments(file, silent)


PYTHON = """
from {module} import {cls}
config = {cls}().environment("mirrorenv/ants-v0", env_config={{"horizon": 8}}){more}
stop = {{"training_iteration": 2}}
"""


@pytest.mark.parametrize(
    ("module", "cls", "more", "algorithm", "holds"),
    [
        (
            "mirrorenv.rllib",
            "MirrorPPOConfig",
            ".mirror(weight=0.5)",
            "MirrorPPO",
            {"mirror": {"weight": 0.5}},
        ),
        ("ray.rllib.algorithms.ppo", "PPOConfig", ".training(lr=0.1)", "PPO", {"lr": 0.1}),
        (
            "ray.rllib.algorithms.ppo",
            "PPOConfig",
            ".callbacks(on_train_result=print)",
            "PPO",
            "would lose",
        ),
        ("ray.rllib.algorithms.dqn", "DQNConfig", "", "DQN", "drives MirrorPPO and PPO"),
    ],
)
def test_a_python_file_sets_config(
    tmp_path: Path, module: str, cls: str, more: str, algorithm: str, holds: dict[str, Any] | str
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(PYTHON.format(module=module, cls=cls, more=more))
    if isinstance(holds, str):
        with pytest.raises(ConfigError, match=holds):
            read_experiments(file, silent)
        return
    (experiment,) = read_experiments(file, silent)
    assert (experiment.name, experiment.algorithm, experiment.stop) == (
        "mine",
        algorithm,
        {"training_iteration": 2},
    )
    assert experiment.config["env_config"] == {"horizon": 8}
    assert holds.items() <= experiment.config.items()


@pytest.mark.parametrize(
    ("version", "brings"), [("2.40.0", True), ("2.41.0", True), ("2.60.0", False)]
)
def test_a_ray_that_brings_its_own_command_is_not_shadowed(
    monkeypatch: pytest.MonkeyPatch, version: str, brings: bool
) -> None:
    points = [importlib.metadata.EntryPoint("ray", "ray.scripts.scripts:main", "console_scripts")]
    if brings:
        points.append(
            importlib.metadata.EntryPoint(
                "rllib", "ray.rllib.scripts:cli [rllib]", "console_scripts"
            )
        )
    monkeypatch.setattr(
        command, "distribution", lambda name: SimpleNamespace(version=version, entry_points=points)
    )
    if brings:
        with pytest.raises(
            MirrorError, match=rf"Ray {version} has an rllib command of its own.*pip install"
        ):
            command.check_not_shadowing()
    else:
        command.check_not_shadowing()


def test_commands_on_the_pages_exist_with_their_options() -> None:
    top: Any = typer.main.get_command(command.app)
    shown = _shown_commands("rllib")
    assert {page for page, _ in shown} >= {"rllib-command.md"}
    for page, words in shown:
        one = top.commands[words[0]]
        one = one.commands[words[1]] if words[0] == "train" and words[1] == "file" else one
        known = {
            option
            for parameter in one.params
            for option in (*parameter.opts, *parameter.secondary_opts)
        }
        unknown = [word for word in words if word.startswith("--") and word not in known]
        assert not unknown, f"{page}: rllib {words[0]} has no option {unknown}"


def test_the_algorithms_are_those_the_command_names() -> None:
    assert set(ALGORITHMS) == {"MirrorPPO", "PPO"}


def test_a_checkpoint_of_stock_ppo_runs_no_code_that_it_names(tmp_path: Path) -> None:
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "modules.safetensors").write_bytes(save({}))
    about = {
        "env": "tests.rllib.no_such_module:run",
        "env_config": {},
        "policies": ["shared"],
        "model_config": {},
    }
    (folder / "config.json").write_text(json.dumps(about))
    write_manifest(folder, ["modules.safetensors", "config.json"])
    assert "--env tests.rllib.no_such_module:run" in refused("evaluate", str(tmp_path))
    assert "No module named" in refused(
        "evaluate", str(tmp_path), "--env", "tests.rllib.no_such_module:run"
    )
