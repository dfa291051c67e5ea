"""Auxiliaries that look inward: self-models and mind states, with every control.

Shapes: B episodes, T time, N agents, H hidden, K codes.
"""

from __future__ import annotations

import importlib.util
import logging
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from mirrorenv.envs import make_batch
from mirrorenv.errors import ConfigError, UnknownNameError
from mirrorenv.population import Population, load_population, population_shape, save_population
from mirrorenv.population.actors import ENCODERS
from mirrorenv.population.actors.build import known_actors
from mirrorenv.population.experience import play
from mirrorenv.population.objectives import Hidden, Host, build_objective, optimiser_of
from mirrorenv.population.objectives.rows import felt
from mirrorenv.population.objectives.updates import (
    after_update,
    clip_gradients,
    optimiser_groups,
    sum_of_losses,
)
from mirrorenv.population.settings import LearningSettings, PopulationSettings

WORLD = "mirrorenv/chain-v0"
LEARNING = LearningSettings(episodes_per_iteration=8, minibatch_episodes=4, epochs=2)
KINDS: dict[str, dict[str, Any]] = {
    "paper": {"name": "self_model", "preset": "paper", "weight": 5.0},
    "next": {"name": "self_model", "ahead": 1, "head": "mlp"},
    "earlier": {"name": "self_model", "targets": ["first", "trunk"]},
    "slow": {"name": "self_model", "ema": 0.9},
    "no stop": {"name": "self_model", "stop_gradient": False},
    "random": {"name": "self_model", "target": "random"},
    "shuffled": {"name": "self_model", "target": "shuffled"},
    "activation": {"name": "self_model", "target": "activation"},
    "decay": {"name": "self_model", "target": "weight_decay", "spread": 0.2},
    "matched": {"name": "self_model", "share": 0.3, "measure_every": 1},
    "codes": {"name": "mind_state", "codes": 5, "warm_up": 0},
    "mlp": {"name": "mind_state", "codes": 5, "predictor": "mlp", "ahead": 4},
    "attention": {"name": "mind_state", "codes": 5, "predictor": "attention", "action": False},
    "warm": {"name": "mind_state", "codes": 5, "refit": "warm", "refit_every": 2, "warm_up": 0},
    "hungarian": {"name": "mind_state", "codes": 5, "refit": "hungarian", "refit_every": 2},
    "naive": {"name": "mind_state", "codes": 5, "refit": "naive", "refit_every": 2},
    "fsq": {"name": "mind_state", "refit": "fsq", "levels": [3, 2]},
    "random codes": {"name": "mind_state", "codes": 5, "target": "random"},
    "shuffled codes": {"name": "mind_state", "codes": 5, "target": "shuffled"},
}
FED = ("constant", "random", "true", "predicted")


@pytest.fixture(scope="module")
def bare_loop() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "training" / "bare_loop.py"
    spec = importlib.util.spec_from_file_location("bare_loop", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made(*auxiliaries: dict[str, Any], **more: Any) -> Population:
    settings = PopulationSettings(hidden=8, auxiliaries=auxiliaries, **more)
    return Population(population_shape(make_batch(WORLD, 1)), settings, seed=1)


def rows_of(
    bare_loop: ModuleType, population: Population, iterations: int = 2
) -> list[dict[str, float]]:
    rows = bare_loop.train(WORLD, seed=1, learning=LEARNING, population=population)
    return [next(rows) for _ in range(iterations)]


def same_actor(one: Population, other: Population) -> bool:
    pairs = zip(one.actor.parameters(), other.actor.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture(scope="module")
def plain(bare_loop) -> Population:
    population = made()
    rows_of(bare_loop, population)
    return population


@pytest.mark.parametrize("kind", KINDS)
def test_at_weight_0_the_policy_is_the_same_to_the_bit_and_otherwise_it_is_not(
    bare_loop, plain, kind
):
    given = {**KINDS[kind], "measure_every": 1}
    probe, heard = made({**given, "weight": 0.0}), made(given)
    rows_of(bare_loop, probe)
    rows = rows_of(bare_loop, heard)
    assert same_actor(plain, probe)
    assert not same_actor(plain, heard)
    assert all(math.isfinite(value) for row in rows for value in row.values())


@pytest.mark.parametrize("actor", sorted({*known_actors(), *ENCODERS}))
@pytest.mark.parametrize("weights", ["separate", "shared"])
@pytest.mark.parametrize("name", ["self_model", "mind_state"])
def test_they_attach_to_every_kind_of_agent(bare_loop, actor, weights, name):
    try:
        population = made({"name": name}, actor=actor, weights=weights)
    except ConfigError as error:
        if not str(error).startswith(f"population.actor = {actor} "):
            raise
        pytest.skip(f"{actor} does not act in {WORLD}: {error}")
    (row,) = rows_of(bare_loop, population, iterations=1)
    assert any(key.startswith(name) for key in row)


def test_a_self_model_learns_what_it_predicts(bare_loop):
    population = made({"name": "self_model", "learning_rate": 0.03})
    rows = rows_of(bare_loop, population, iterations=6)
    assert rows[-1]["self_model/unexplained"] < 0.5 * rows[0]["self_model/unexplained"]


def test_shuffled_targets_cannot_be_learned(bare_loop):
    given = {"name": "self_model", "target": "shuffled", "learning_rate": 0.03, "weight": 0.0}
    rows = rows_of(bare_loop, made(given), iterations=6)
    assert rows[-1]["self_model/unexplained"] > 0.9


@pytest.mark.parametrize("target", ["layers", "random"])
def test_arms_are_matched_in_gradient_norm(bare_loop, target):
    population = made({"name": "self_model", "target": target, "share": 0.5, "measure_every": 1})
    rows = rows_of(bare_loop, population, iterations=4)
    # the share is that of the measurement before, so that it holds roughly and not to the bit
    assert rows[-1]["self_model/policy_share"] == pytest.approx(1 / 1.5, abs=0.15)


def test_without_stop_gradient_targets_move_and_with_it_they_do_not():
    hidden = torch.randn(4, 5, 1, 8, requires_grad=True)
    batch = {"mask": torch.ones(4, 5, 1)}
    found = []
    for stop in (True, False):
        given = {"name": "self_model", "stop_gradient": stop, "normalise": False}
        one = build_objective(given, Host({"h": 8}))
        with torch.no_grad():  # the head predicts zero, so that only the target can move
            for parameter in one.parameters():
                parameter.zero_()
        loss, _ = one.loss(None, Hidden({"h": hidden}), batch)
        found.append(torch.autograd.grad(loss, hidden)[0].abs().sum())
    assert found[0] == 0.0 and found[1] > 0.0


def test_weight_decay_is_steered_to_the_spread_that_is_asked_for(bare_loop):
    given = {"name": "self_model", "target": "weight_decay", "spread": 0.25, "guard": 0.0}
    rows = rows_of(bare_loop, made(given), iterations=40)
    start = rows[0]["self_model/weight_spread"]
    assert start > 0.3
    assert rows[-1]["self_model/weight_spread"] == pytest.approx(0.25, abs=0.03)


def test_the_slow_copy_follows_and_is_not_optimised(bare_loop):
    population = made({"name": "self_model", "ema": 0.5})
    before = [one.clone() for one in population.auxiliaries["self_model"].twin.parameters()]
    rows_of(bare_loop, population, iterations=1)
    one = population.auxiliaries["self_model"]
    assert any((a != b).any() for a, b in zip(before, one.twin.parameters(), strict=True))
    groups = optimiser_groups({"x": one}).values()
    optimised = {id(parameter) for parameters, _ in groups for parameter in parameters}
    assert not optimised & {id(p) for p in one.twin.parameters()}


def test_what_is_felt_has_the_same_numbers_and_another_gradient():
    hidden = torch.randn(2, 3, 4, 5, requires_grad=True)
    strength = torch.tensor([[0.0], [0.25], [1.0], [2.0]])
    scaled = felt(hidden, strength)
    assert torch.equal(scaled, hidden)
    scaled.sum().backward()
    assert torch.equal(hidden.grad, strength.expand_as(hidden))
    assert felt(hidden, 1.0) is hidden and not felt(hidden, 0.0).requires_grad


# -- the guard -------------------------------------------------------------------------------------


def test_a_collapse_is_stopped_and_said(bare_loop, caplog):
    given = {
        "name": "self_model",
        "target": "activation",
        "weight": 1000.0,
        "measure_every": 1,
        "patience": 2,
    }
    population = made(given)
    with caplog.at_level(logging.WARNING):
        rows = rows_of(bare_loop, population, iterations=3)
    assert "collapse guard" in caplog.text and "probe" in caplog.text
    assert rows[-1]["self_model/stopped"] == 1.0
    before = [one.clone() for one in population.actor.parameters()]
    batch = {"mask": torch.ones(4, 6, 6), "observations": torch.randn(4, 6, 6, 1)}
    batch["observations"] = torch.randn(4, 6, 6, population.shape.observation_size)
    loss, _ = population.auxiliaries["self_model"].loss(population, population.output(batch), batch)
    assert not loss.requires_grad and len(before)


def test_without_a_guard_nothing_is_stopped(bare_loop):
    given = {"name": "self_model", "target": "activation", "weight": 1000.0, "measure_every": 1}
    population = made({**given, "patience": 1, "guard": 0.0})
    assert rows_of(bare_loop, population)[-1]["self_model/stopped"] == 0.0


# -- what is wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "self_model", "layer": "trunc"}, "trunk"),
        ({"name": "self_model", "targets": ["trnk"]}, "trunk"),
        ({"name": "self_model", "stop_gradiant": True}, "stop_gradient"),
        ({"name": "self_model", "ema": 0.9, "stop_gradient": False}, "no gradient"),
        ({"name": "self_model", "share": 0.3, "weight": 2.0}, "share"),
        ({"name": "self_model", "action": True}, "ahead to 1"),
        ({"name": "self_model", "spread": 0.1}, "weight_decay"),
        ({"name": "mind_state", "refitt": "ema"}, "refit"),
        ({"name": "mind_state", "fed": "predicted", "action": True}, "action to false"),
        ({"name": "mind_state", "fed": "predicted", "predictor": "attention"}, "linear or mlp"),
        ({"name": "mind_stat"}, "mind_state"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(given, words):
    with pytest.raises((ConfigError, UnknownNameError), match=words):
        made(given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "mind_state", "codes": 4000}, "codes = 4000.*minibatch_episodes"),
        ({"name": "mind_state", "ahead": 999}, "ahead = 999.*steps"),
        ({"name": "self_model", "ahead": 999}, "ahead = 999.*steps"),
    ],
)
def test_what_does_not_fit_the_batch_is_said(bare_loop, given, words):
    with pytest.raises(ConfigError, match=words):
        rows_of(bare_loop, made(given))


# -- mind states -----------------------------------------------------------------------------------


def test_they_are_kept_in_checkpoints(bare_loop, tmp_path):
    population = made({"name": "mind_state", "codes": 5}, {"name": "self_model", "ema": 0.9})
    rows_of(bare_loop, population, iterations=1)
    save_population(tmp_path, population, {})
    copy = load_population(tmp_path)[0].state_dict()
    for name, tensor in population.state_dict().items():
        assert torch.equal(tensor.nan_to_num(), copy[name].nan_to_num()), name


@pytest.mark.parametrize("actor", ["mlp", "gru"])
@pytest.mark.parametrize("fed", FED)
def test_a_replay_is_fed_what_the_agent_was_fed(fed, actor):
    given = {"name": "mind_state", "codes": 4, "fed": fed}
    population = made(given, actor=actor, initial_gain=1.0)
    record = play(make_batch(WORLD, 5), population, np.arange(5), torch.Generator().manual_seed(0))
    fed_back = record.columns["fed"]  # (B, T, N, K)
    assert not fed_back[:, 0].any() and (fed_back[:, 1:].sum(-1) == 1).all()
    observations, actions = torch.from_numpy(record.observations), torch.from_numpy(record.actions)
    with torch.no_grad():
        replayed = population.actor.replay_log_probability(observations, actions)
    own = torch.diagonal(replayed, dim1=2, dim2=3)
    np.testing.assert_allclose(own.numpy(), record.columns["log_probability"], atol=1e-4)


def test_another_code_changes_the_next_action_and_no_earlier_one_and_a_constant_one_nothing():
    population = made({"name": "mind_state", "codes": 4, "fed": "true"}, initial_gain=1.0)
    size = population.shape.observation_size
    seen, fed = torch.randn(1, 5, 6, size), torch.zeros(1, 5, 6, 4)
    fed[:, 1:, :, 0] = 1.0
    other = fed.clone()
    other[:, 3] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    batch = {"observations": seen, "mask": torch.ones(1, 5, 6)}

    def law(codes: torch.Tensor) -> torch.Tensor:
        return population.output({**batch, "fed": codes}).distribution.outputs

    assert torch.equal(law(fed)[:, :3], law(other)[:, :3])
    assert (law(fed)[:, 3] != law(other)[:, 3]).any()
    assert torch.equal(law(fed)[:, 4:], law(other)[:, 4:])  # an agent without memory
    constant = made({"name": "mind_state", "codes": 4, "fed": "constant"})
    _, state = constant.actor.step(seen[:, 0], constant.actor.initial_state(1))
    _, again = constant.actor.step(-9.0 * seen[:, 1], constant.actor.initial_state(1))
    assert torch.equal(state[1], again[1])  # whatever is seen


@pytest.mark.parametrize("kind", ["codes", "attention", "fsq"])
def test_a_prediction_reads_no_later_step(kind):
    one = build_objective({**KINDS[kind], "ahead": 1}, Host({"h": 8}, num_agents=2))
    hidden = torch.randn(3, 6, 2, 8, requires_grad=True)
    reads = hidden if one.pool is None else one.pool(hidden)
    later = torch.autograd.grad(reads[:, 2].sum(), hidden)[0][:, 3:]
    assert not later.any()


def test_a_language_model_learns_its_own_next_states():
    torch.manual_seed(0)
    memory = torch.nn.GRU(6, 8, batch_first=True)
    host = Host({"embedding": 6, "memory": 8}, inputs=6, module=memory)
    objectives = {}
    for number, given in enumerate(
        (
            {"name": "mind_state", "codes": 4, "warm_up": 0, "layer": "memory"},
            {"name": "self_model", "ahead": 1, "layer": "memory", "share": 0.2},
            {"name": "self_model", "targets": ["embedding"], "layer": "memory"},
            {"name": "self_model", "target": "random"},
        )
    ):
        objectives[str(number)] = build_objective(given, host, label=f"{number}")
    own = optimiser_of(objectives)
    words = torch.nn.functional.one_hot(torch.randint(6, (8, 12)), 6).float()
    batch = {"mask": torch.ones(8, 12, 1), "observations": words.unsqueeze(2)}
    losses = []
    for _ in range(60):
        hidden, _ = memory(words)
        output = Hidden({"embedding": words.unsqueeze(2), "memory": hidden.unsqueeze(2)})
        loss, metrics = sum_of_losses(objectives, None, output, batch)
        losses.append(metrics["0/cross_entropy"].item())
        memory.zero_grad()
        own.zero_grad()
        (loss + (hidden[:, :-1, :6] - words[:, 1:]).square().mean()).backward()
        clip_gradients(objectives, memory)
        own.step()
        after_update(objectives, output, batch)
    assert losses[-1] < losses[10] and metrics["0/codes_used"] == 4
    assert "1/gradient_cosine" in metrics


# -- weights that are chosen -----------------------------------------------------------------------


def adaptive(**more: Any) -> dict[str, Any]:
    return {
        "name": "adaptive",
        "of": [{"name": "self_model"}, {"name": "mind_state", "codes": 4}],
    } | more


@pytest.mark.parametrize("choice", ["agent", "fixed", "random"])
def test_chosen_weights_train_and_a_probe_of_them_does_not(bare_loop, plain, choice):
    heard, probe = made(adaptive(choice=choice)), made(adaptive(choice=choice, weight=0.0))
    rows = rows_of(bare_loop, heard, iterations=3)
    rows_of(bare_loop, probe)
    assert same_actor(plain, probe) and not same_actor(plain, heard)
    weights = [row["adaptive/weight_self_model-0"] for row in rows]
    assert (len(set(weights)) == 1) == (choice == "fixed")


def test_an_agent_comes_to_prefer_what_it_earns_more_with():
    host = made().host()
    one = build_objective(adaptive(weights=[0.0, 1.0]), host)
    mask = torch.ones(2, 3, host.num_agents)
    one.learn({"rewards": torch.zeros_like(mask), "mask": mask})
    for _ in range(60):
        paid = one.weights[one.chosen][:, 0]  # only the first objective pays
        one.learn({"rewards": paid.expand_as(mask), "mask": mask})
    likes = one.preferences.softmax(-1)
    assert (likes[:, 0, 1] > 0.7).all()
    assert (likes[:, 1, 1] - 0.5).abs().mean() < (likes[:, 0, 1] - 0.5).abs().mean()


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ({"name": "mind_state", "fed": "true"}, "feeds something back"),
        ({"name": "self_model", "target": "weight_decay"}, "no weight"),
        ({"name": "self_model", "heda": "mlp"}, "head"),
    ],
)
def test_what_has_no_weight_to_choose_is_refused(inner, words):
    with pytest.raises(ConfigError, match=words):
        made({"name": "adaptive", "of": [inner]})
