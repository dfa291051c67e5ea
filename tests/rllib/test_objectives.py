"""Objectives in MirrorPPO: from outside, kept in checkpoints, unpaid streams that nobody feels."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from mirrorenv.envs import make_batch
from mirrorenv.errors import ConfigError
from mirrorenv.rllib import MirrorPPOConfig, load_settings, train
from mirrorenv.rllib import algorithm as algorithm_module
from mirrorenv.rllib.checked_settings import settle

HERE = "tests.population.outside"
SMALL = {"episodes_per_iteration": 8, "minibatch_episodes": 4, "epochs": 2}


def config(mirror: dict[str, Any], *, learners: int = 0, **population: Any) -> MirrorPPOConfig:
    made = MirrorPPOConfig().environment("mirrorenv/chain-v0").mirror(**mirror)
    made = made.population(hidden=8, **population).learning(**SMALL)
    return made.learners(num_learners=learners).debugging(seed=2, log_level="ERROR")


def trained(given: MirrorPPOConfig, iterations: int = 2) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metrics of the last iteration, and the weights of the population."""
    algorithm = given.build_algo()
    try:
        for _ in range(iterations):
            result = algorithm.train()
        state = {name: one.clone() for name, one in algorithm.population.state_dict().items()}
        return result["learners"]["default_policy"], state
    finally:
        algorithm.stop()


def actors_of(state: dict[str, Any]) -> dict[str, Any]:
    """The actors' weights without the mirror critic."""
    held = {name: one.clone() for name, one in state.items() if name.startswith("actor.")}
    for name in ("actor.critics.weight", "actor.critics.bias"):
        held[name][..., 1] = 0.0
    return held


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(torch.equal(value, actors_of(other)[name]) for name, value in actors_of(one).items())


def test_an_auxiliary_and_a_reward_from_outside_are_trained():
    learner, _ = trained(
        config({"reward": f"{HERE}:Movement"}, auxiliaries=[{"name": f"{HERE}:NextHidden"}])
    )
    assert learner["objectives"]["NextHidden/error"] == learner["NextHidden/error"] > 0.0
    assert "scale" in learner and "policy_loss" in learner


@pytest.mark.parametrize("learners", [0, 2])
def test_every_tenant_moves_in_on_one_learner_and_on_two(learners):
    tenants = ("Codebook", "FedCode", "HindsightTable", "LeastChanged")
    given = config(
        {}, learners=learners, auxiliaries=[{"name": f"{HERE}:{name}"} for name in tenants]
    )
    learner, state = trained(given, iterations=1)
    assert learner["Codebook/cross_entropy"] > 0.0
    world = make_batch("mirrorenv/chain-v0", 1)
    steps = SMALL["episodes_per_iteration"] * world.horizon * world.num_agents
    assert state["auxiliaries.HindsightTable.table"][1].sum() == steps  # every one, once


def test_a_run_lists_what_it_learns_from_and_keeps_its_auxiliaries(tmp_path):
    listed = json.dumps([{"name": f"{HERE}:NextHidden", "weight": 0.1}])
    sets = [f"population.auxiliaries={listed}", "total_steps=48", "population.hidden=8"]
    sets += [f"learning.{name}={value}" for name, value in SMALL.items()]
    sets += ["evaluation.checkpoints=1", "evaluation.episodes=8", "evaluation.baselines=false"]
    folder = train(load_settings("mirrorenv/chain-v0", overrides=sets), tmp_path / "run")
    rows = folder.metrics()
    assert all(row["NextHidden/error"] > 0.0 and "kl" in row for row in rows)


def test_a_wrong_auxiliary_is_refused_before_anything_starts(tmp_path):
    settings = load_settings(
        "mirrorenv/chain-v0",
        overrides=[f"population.auxiliaries=[{{name: '{HERE}:NextHidden', layr: trunk}}]"],
    )
    with pytest.raises(ConfigError, match=r"auxiliaries\[0\].layr.*layer"):
        train(settings, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("trunk", ["separate", "shared"])
def test_at_weight_zero_nobody_feels_who_watches(trunk):
    observers = [
        {"trunk": trunk, "hidden": 8},
        {"trunk": trunk, "hidden": 8, "head": "gru", "slots_per_update": 1, "learning_rate": 0.1},
    ]
    one, other = (trained(config({"weight": 0.0}, observer=observer))[1] for observer in observers)
    assert same(one, other)


def test_a_probe_is_not_felt_and_an_auxiliary_is():
    auxiliary = {"name": f"{HERE}:NextHidden"}
    plain = trained(config({}))[1]
    assert same(plain, trained(config({}, auxiliaries=[{**auxiliary, "weight": 0.0}]))[1])
    assert not same(plain, trained(config({}, auxiliaries=[auxiliary]))[1])


def test_settings_are_checked_once_and_again_only_when_they_change(monkeypatch):
    calls = []

    def counted(*args: Any) -> Any:
        calls.append(args)
        return settle(*args)

    monkeypatch.setattr(algorithm_module, "settle", counted)
    given = config({})
    for _ in range(2):
        given.validate()
        given.world_spaces()
        given.get_default_rl_module_spec()
    assert len(calls) == 1
    given.mirror(weight=0.5).validate()
    assert len(calls) == 2


def test_a_schedule_without_an_end_is_refused():
    with pytest.raises(ConfigError, match="total_steps"):
        config({"final_weight": 0.0}).validate()
