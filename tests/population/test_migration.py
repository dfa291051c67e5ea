"""What older versions wrote is read; what a user types under an old name is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mirrorenv.errors import CheckpointError, ConfigError
from mirrorenv.population.checkpoint import load_population, save_population
from mirrorenv.population.migration import (
    VERSION,
    present_state,
    present_weights,
    read_draws,
    read_population,
    read_run,
    read_shape,
)
from mirrorenv.population.settings import PopulationSettings, PopulationShape
from mirrorenv.results import RunFolder, write_manifest
from mirrorenv.rllib.schedule import schedule
from mirrorenv.rllib.settings import RunSettings, config_of
from tests.population.small import DISCRETE, population, some_episodes

VERSION_1: dict[str, Any] = {
    "world": "mirrorenv/ants-v0",
    "population": {"trunk": "gru", "weights": "shared", "observer": {"trunk": "stopped"}},
}


def test_settings_of_version_1_are_read_by_todays_names() -> None:
    settings = read_run(VERSION_1)
    read = PopulationSettings.checked(settings["population"])
    assert (read.actor, read.weights, read.observer.trunk) == ("gru", "shared", "stopped")
    assert VERSION_1["population"]["trunk"] == "gru"  # what was handed in is left as it is


def test_settings_of_today_are_read_as_they_are() -> None:
    today = PopulationSettings(actor="gru").model_dump(mode="json")
    for version in (1, VERSION):  # recorded settings that name no version may be young
        assert read_population(today, version) == today
    shape = DISCRETE.model_dump(mode="json")
    assert PopulationShape(**read_shape(shape, VERSION)) == DISCRETE


def test_a_configuration_that_names_no_kind_of_update_means_the_plain_path_for_ever() -> None:
    """Recorded runs retrain to the same bytes: what they do not name is what it was then."""
    read = PopulationSettings.checked(read_run({"population": {}})["population"])
    assert (read.actor, read.weights, read.diversity) == ("mlp", "separate", None)
    assert (read.hidden, read.initial_gain, read.observer.head) == (64, 0.01, "additive")
    assert set(read_run({"learning": {"clip": 0.1}})["learning"]) == {"clip"}  # nothing is added


@pytest.mark.parametrize("version", [{}, {"version": 1}, {"version": 2}])
def test_runs_from_before_the_schedule_evaluate_as_many_episodes_each_time(
    version: dict[str, int],
) -> None:
    for said in ({}, {"evaluation": {"episodes": 32}}):
        read = RunSettings.checked(read_run({**said, **version, "world": "mirrorenv/ants-v0"}))
        plan = schedule(read, horizon=32)
        assert plan.before_last == plan.episodes == read.evaluation.episodes
    named = read_run({**version, "evaluation": {"episodes_before_last": 9}})
    assert named["evaluation"] == {"episodes_before_last": 9, "draws": "common"}
    today = read_run({"version": VERSION, "evaluation": {"episodes": 32}})
    assert today["evaluation"] == {"episodes": 32}


@pytest.mark.parametrize("version", [{}, {"version": 2}, {"version": 3}])
def test_runs_from_before_the_choice_of_draws_go_on_drawing_the_same_under_every_seed(
    version: dict[str, int],
) -> None:
    for said in ({}, {"evaluation": {"episodes": 32}}):
        assert read_draws({**said, **version}) == "common"
        assert read_run({**said, **version})["evaluation"]["draws"] == "common"
    assert read_draws({**version, "evaluation": {"draws": "own"}}) == "own"
    today = config_of(RunSettings(world="mirrorenv/ants-v0"))
    assert read_draws(today) == today["evaluation"]["draws"] == "own"


@pytest.mark.parametrize("said", ["shared", 2, None, ["own"]])
def test_draws_that_no_version_writes_are_refused(said: Any) -> None:
    with pytest.raises(ConfigError, match="one of own, common"):
        read_draws({"version": VERSION, "evaluation": {"draws": said}})


@pytest.mark.parametrize("version", [VERSION + 1, 0, "2", True])
def test_a_later_version_is_refused_in_one_line(version: Any) -> None:
    with pytest.raises(ConfigError, match="version") as caught:
        read_run({"version": version})
    assert "\n" not in str(caught.value)


def test_an_old_name_that_is_typed_is_refused_with_the_new_one() -> None:
    with pytest.raises(ConfigError, match=r"'population\.trunk' is called 'population\.actor'"):
        PopulationSettings.checked({"trunk": "gru"}, "population")
    with pytest.raises(ValueError, match="'trunk' is called 'actor' now"):
        PopulationSettings(trunk="gru")  # type: ignore[call-arg]


def test_the_state_of_an_old_run_has_todays_names() -> None:
    old = {
        "rl_module": {"population.planner.policy.weight": 1, "population.head.output.bias": 2},
        "optimizer": {"default_policy_planner": [{"step": 3}], "default_policy_observer": []},
    }
    assert present_state(old) == {
        "rl_module": {"population.actor.policy.weight": 1, "population.observers.output.bias": 2},
        "optimizer": {"default_policy_actor": [{"step": 3}], "default_policy_observer": []},
    }
    assert present_state(present_state(old)) == present_state(old)


def as_version_1(folder: Path) -> None:
    """Rewrite a checkpoint as version 1 would have written it."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    del config["version"]
    config["population"]["trunk"] = config["population"].pop("actor")
    config["shape"] = {
        "num_agents": 3,
        "observation_size": 4,
        "num_actions": 5,
        "action_size": 0,
        "action_low": -1.0,
        "action_high": 1.0,
    }
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    weights = {
        name.replace("actor.", "planner.", 1).replace("observers.", "head.", 1): tensor
        for name, tensor in load_file(folder / "population.safetensors").items()
    }
    save_file(weights, folder / "population.safetensors")
    write_manifest(folder, ["population.safetensors", "config.json"])


def test_a_checkpoint_of_version_1_acts_as_it_did(tmp_path: Path) -> None:
    model = population("gru", "shared", "stopped")
    save_population(tmp_path / "c", model, {"world": "w"})
    as_version_1(tmp_path / "c")
    read, about = load_population(tmp_path / "c")
    seen = some_episodes()[0]
    assert about == {"world": "w"} and read.settings == model.settings
    assert torch.equal(
        read.actor.sequence(seen).mirror_value, model.actor.sequence(seen).mirror_value
    )


def test_a_checkpoint_of_a_later_version_is_refused(tmp_path: Path) -> None:
    save_population(tmp_path / "c", population(), {"world": "w"})
    config = json.loads((tmp_path / "c" / "config.json").read_text("utf-8"))
    (tmp_path / "c" / "config.json").write_text(json.dumps({**config, "version": 99}), "utf-8")
    write_manifest(tmp_path / "c", ["population.safetensors", "config.json"])
    with pytest.raises(CheckpointError, match="later mirrorenv"):
        load_population(tmp_path / "c")


def test_a_run_of_version_1_is_resumed_by_the_same_settings_of_today(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "run", VERSION_1, seed=0)
    wanted = {"version": VERSION, **read_run(VERSION_1)}
    again = RunFolder.create(
        tmp_path / "run",
        wanted,
        seed=0,
        if_exists="resume",
        present=lambda recorded: {"version": VERSION, **read_run(recorded)},
    )
    assert again.config == wanted


def test_policies_that_deviate_from_a_common_one_keep_their_networks_inside() -> None:
    old = {"planner.log_std": 0, "planner.trunk.a": 1, "planner.common.trunk.a": 2, "head.a": 3}
    today = {
        "actor.log_std": 0,
        "actor.own.trunk.a": 1,
        "actor.common.trunk.a": 2,
        "observers.a": 3,
    }
    assert present_weights(old) == today == present_weights(today)
    inside = {f"population.{name}": value for name, value in old.items()}
    assert present_state(inside) == {f"population.{name}": v for name, v in today.items()}
