"""The seam of objectives: one file adds an auxiliary or a reward, to every host."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mirrorenv.envs import make_batch
from mirrorenv.errors import CheckpointError, ConfigError, TrainingError, UnknownNameError
from mirrorenv.population import Population, load_population, population_shape, save_population
from mirrorenv.population.checkpoint import clone
from mirrorenv.population.experience import play
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.objectives import (
    Hidden,
    Host,
    Objective,
    build_objective,
    detached,
    known_objectives,
    optimiser_of,
    register_objective,
    sum_of_losses,
)
from mirrorenv.population.objectives.updates import after_update, clip_gradients
from mirrorenv.population.settings import LearningSettings, MirrorSettings, PopulationSettings
from mirrorenv.results import write_manifest
from tests.population import outside

WORLD = "mirrorenv/chain-v0"
HERE = "tests.population.outside"
LEARNING = LearningSettings(episodes_per_iteration=8, minibatch_episodes=4, epochs=2)
TENANTS = ("Codebook", "FedCode", "HindsightTable", "LeastChanged")


@pytest.fixture(scope="module")
def bare_loop() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "training" / "bare_loop.py"
    spec = importlib.util.spec_from_file_location("bare_loop", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def auxiliary(name: str, **settings: Any) -> dict[str, Any]:
    return {"name": f"{HERE}:{name}", **settings}


def made(*auxiliaries: dict[str, Any], actor: str = "mlp", **more: Any) -> Population:
    settings = PopulationSettings(actor=actor, hidden=8, auxiliaries=auxiliaries, **more)
    return Population(population_shape(make_batch(WORLD, 1)), settings, seed=1)


def rows_of(
    bare_loop: ModuleType, population: Population, iterations: int = 2, **mirror: Any
) -> list[dict[str, float]]:
    rows = bare_loop.train(
        WORLD, seed=1, mirror=MirrorSettings(**mirror), learning=LEARNING, population=population
    )
    return [next(rows) for _ in range(iterations)]


def actor_of(population: Population) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in population.actor.named_parameters()}


def moved(before: dict[str, Tensor], population: Population) -> bool:
    return any((before[name] != p).any() for name, p in population.actor.named_parameters())


# -- from outside ----------------------------------------------------------------------------------


@pytest.mark.parametrize("actor", ["mlp", "gru"])
@pytest.mark.parametrize("weights", ["separate", "shared"])
def test_an_auxiliary_from_outside_is_trained_by_the_bare_loop(bare_loop, actor, weights):
    population = made(auxiliary("NextHidden", learning_rate=0.03), actor=actor, weights=weights)
    rows = rows_of(bare_loop, population, iterations=4)
    assert rows[-1]["NextHidden/error"] < rows[0]["NextHidden/error"]


def test_an_auxiliary_changes_the_actors_and_a_probe_does_not(bare_loop):
    plain, probe, felt = (
        made(*some)
        for some in (
            (),
            (auxiliary("NextHidden", weight=0.0, learning_rate=0.1),),
            (auxiliary("NextHidden", weight=0.5),),
        )
    )
    for population in (plain, probe, felt):
        rows_of(bare_loop, population)
    assert not moved(actor_of(plain), probe)
    assert moved(actor_of(plain), felt)
    untrained = made(auxiliary("NextHidden")).state_dict()["auxiliaries.NextHidden.weight_matrix"]
    assert (probe.state_dict()["auxiliaries.NextHidden.weight_matrix"] != untrained).any()


def test_a_reward_from_outside_is_paid_by_the_bare_loop(bare_loop):
    population = made()
    rows = rows_of(bare_loop, population, reward=f"{HERE}:Movement")
    assert rows[0]["mirror_return"] > 0.0 and rows[-1]["scale"] != rows[0]["scale"]
    assert not any("Movement" in name for name in population.state_dict())


def test_what_pays_and_is_an_auxiliary_too_is_one_objective(bare_loop):
    population = made(auxiliary("LeastChanged"))
    rows = rows_of(bare_loop, population, reward=f"{HERE}:LeastChanged")
    assert list(population.objectives) == ["ppo", "recognition", "LeastChanged"]
    assert rows[-1]["mirror_return"] < 0.0


def test_a_registered_name_is_found_and_a_wrong_one_or_a_wrong_setting_is_corrected():
    register_objective("next_hidden_of_a_test")(outside.NextHidden)
    assert "next_hidden_of_a_test" in known_objectives()
    assert "eoi" in known_objectives(paying=True)
    assert "next_hidden_of_a_test" not in known_objectives(paying=True)
    made({"name": "next_hidden_of_a_test"})
    for given, error, words in (
        ({"name": "next_hiden_of_a_test"}, UnknownNameError, "next_hidden_of_a_test"),
        (auxiliary("NextHidden", wieght=1.0), ConfigError, r"auxiliaries\[0\].wieght.*weight"),
        (auxiliary("NextHidden", weight=-1.0), ConfigError, "weight"),
        (auxiliary("NextHidden", layer="trunc"), UnknownNameError, "trunk"),
        (auxiliary("Nothing"), ConfigError, "cannot be imported"),
        ({"name": "tests.population.small:DISCRETE"}, ConfigError, "no mirrorenv"),
        ({"weight": 1.0}, ConfigError, "no name"),
    ):
        with pytest.raises(error, match=words):
            made(given)


def test_what_does_not_pay_cannot_be_paid(bare_loop):
    with pytest.raises(ConfigError, match="pays nothing"):
        rows_of(bare_loop, made(), reward=f"{HERE}:NextHidden")


def test_without_objectives_there_is_no_loss():
    with pytest.raises(TrainingError, match="set_objectives"):
        made().loss({"mask": torch.ones(1, 1, 6)})


# -- settings that a bare loop once ignored --------------------------------------------------------


def test_the_bare_loop_pays_what_the_schedule_says(bare_loop):
    rows = bare_loop.train(
        WORLD,
        mirror=MirrorSettings(weight=1.0, final_weight=0.0),
        learning=LEARNING,
        total_steps=2 * 8 * make_batch(WORLD, 1).horizon,
    )
    assert [next(rows)["mirror_weight"] for _ in range(4)] == [1.0, 0.5, 0.0, 0.0]
    with pytest.raises(ConfigError, match="total_steps"):
        next(bare_loop.train(WORLD, mirror=MirrorSettings(final_weight=0.0)))


def test_the_bare_loop_measures_the_diversity_that_is_set(bare_loop):
    rows = rows_of(bare_loop, made(diversity=1.0))
    assert all(row["diversity"] > 0.0 for row in rows)


# -- checkpoints -----------------------------------------------------------------------------------


@pytest.mark.parametrize("tenant", TENANTS)
def test_auxiliaries_are_kept_in_checkpoints(bare_loop, tenant, tmp_path):
    population = made(auxiliary(tenant))
    rows_of(bare_loop, population, iterations=1)
    save_population(tmp_path, population, {})
    for copy in (load_population(tmp_path)[0], clone(population)):
        for name, tensor in population.state_dict().items():
            assert torch.equal(tensor, copy.state_dict()[name]), name


# -- the five tenants ------------------------------------------------------------------------------


@pytest.mark.parametrize("tenant", TENANTS)
def test_every_tenant_moves_in(bare_loop, tenant):
    population = made(auxiliary(tenant), actor="gru")
    before = {n: b.clone() for n, b in population.auxiliaries[tenant].named_buffers()}
    rows_of(bare_loop, population)
    after = dict(population.auxiliaries[tenant].named_buffers())
    assert any((before[name] != after[name]).any() for name in before)


def test_a_codebook_follows_the_means_of_what_is_nearest():
    population = made(auxiliary("Codebook", codes=2, follow=0.0))
    set_objectives(population, None, LEARNING)
    ((_, codebook),) = population.named_auxiliaries()
    assert isinstance(codebook, outside.Codebook)
    hidden = torch.randn(3, 4, 6, 8)
    which = codebook.nearest(hidden)
    after_update(population.objectives, Hidden({"trunk": hidden}), {"mask": torch.ones(3, 4, 6)})
    for code in which.unique().tolist():
        torch.testing.assert_close(codebook.codes[code], hidden[which == code].mean(0))


@pytest.mark.parametrize("actor", ["mlp", "gru"])
def test_what_is_fed_is_recorded_and_a_sequence_gives_what_steps_gave(actor):
    population = made(auxiliary("FedCode"), actor=actor, initial_gain=1.0)
    world = make_batch(WORLD, 5)
    record = play(world, population, np.arange(5), torch.Generator().manual_seed(0))
    assert record.columns["fed"].shape == (*record.mask.shape, 4)
    assert (
        not record.columns["fed"][:, 0].any() and (record.columns["fed"][:, 1:].sum(-1) == 1).all()
    )
    batch = {
        "observations": torch.from_numpy(record.observations),
        "fed": torch.from_numpy(record.columns["fed"]),
        "mask": torch.from_numpy(record.mask),
    }
    actions = torch.from_numpy(record.actions)
    with torch.no_grad():
        law = population.output(batch).distribution
        np.testing.assert_allclose(
            law.log_probability(actions).numpy(), record.log_probability, atol=1e-5
        )
        # the limit: every policy replayed on every trajectory, its own codes fed to it
        replayed = population.actor.replay_log_probability(batch["observations"], actions)
        own = torch.diagonal(replayed, dim1=2, dim2=3)
        np.testing.assert_allclose(own.numpy(), record.log_probability, atol=1e-5)


def test_a_fed_code_changes_the_next_law_and_no_earlier_one():
    population = made(auxiliary("FedCode"), initial_gain=1.0)
    seen, fed = torch.randn(1, 5, 6, population.shape.observation_size), torch.zeros(1, 5, 6, 4)
    other = fed.clone()
    other[:, 3, :, 1] = 1.0
    batch = {"observations": seen, "mask": torch.ones(1, 5, 6)}
    one, two = (
        population.output({**batch, "fed": codes}).distribution.outputs for codes in (fed, other)
    )
    assert torch.equal(one[:, :3], two[:, :3]) and (one[:, 3] != two[:, 3]).any()


def test_observers_cannot_read_through_a_trunk_that_is_fed():
    with pytest.raises(ConfigError, match="trunk to separate"):
        made(auxiliary("FedCode"), observer={"trunk": "shared"})


def test_a_hindsight_table_holds_the_mean_of_what_came_after():
    population = made(auxiliary("HindsightTable"))
    set_objectives(population, None, LEARNING)
    ((_, table),) = population.named_auxiliaries()
    table.learn(
        {
            "rewards": torch.tensor([[[1.0], [2.0], [4.0]]]),
            "actions": torch.tensor([[[0], [1], [0]]]),
            "mask": torch.tensor([[[1.0], [1.0], [1.0]]]),
        }
    )
    assert table.table[:, :2].tolist() == [[7.0 + 4.0, 6.0], [2.0, 1.0]]


def test_gradients_are_seen_before_they_are_clipped_and_may_be_changed():
    class Silencer(Objective):
        reads_output = False

        def parts(self) -> dict[str, Any]:
            return {}

        def after_gradients(self, gradients: Any) -> None:
            for name, gradient in gradients.items():
                assert gradient.norm() > 1.0
                if name.startswith("actor.policy"):
                    gradient.zero_()

    population = made()
    set_objectives(population, MirrorSettings(), LEARNING)
    population.objectives["silencer"] = Silencer(
        outside.ObjectiveSettings(name="silencer"), Host({}), torch.Generator()
    )
    for parameter in population.parameters():
        parameter.grad = torch.full_like(parameter, 10.0)
    clip_gradients(population.objectives, population)
    assert not population.actor.policy.weight.grad.any()
    assert population.actor.trunk.first.weight.grad.any()


class TinyLM(nn.Module):
    """A causal language model of one recurrent layer."""

    def __init__(self, vocabulary: int = 11, width: int = 8) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.memory = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Hidden]:
        hidden, _ = self.memory(self.embed(tokens))  # (B, T, H)
        return self.head(hidden), Hidden({"memory": hidden.unsqueeze(2)})


@pytest.mark.parametrize("weight", [0.0, 1.0])
@pytest.mark.parametrize("tenant", ["NextHidden", "Codebook"])
def test_a_language_model_is_a_host_like_any_other(tenant, weight):
    def trained(objectives: dict[str, Objective]) -> tuple[TinyLM, float]:
        torch.manual_seed(0)
        model, tokens = TinyLM(), torch.randint(11, (4, 6))
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
        own = optimiser_of(objectives) if objectives else None
        batch, value = {"mask": torch.ones(4, 6, 1)}, 0.0
        for _ in range(5):
            logits, output = model(tokens)
            said = logits[:, :-1].flatten(0, 1)
            loss = nn.functional.cross_entropy(said, tokens[:, 1:].flatten())
            if own is not None:
                extra, metrics = sum_of_losses(objectives, None, output, batch)
                loss, value = loss + extra, float(next(iter(metrics.values())))
                own.zero_grad()
            optimiser.zero_grad()
            loss.backward()
            clip_gradients(objectives, model)
            optimiser.step()
            if own is not None:
                own.step()
                after_update(objectives, output, batch)
        return model, value

    host = Host(layers={"memory": 8})
    objective = build_objective(auxiliary(tenant, layer="memory", weight=weight), host)
    plain, _ = trained({})
    model, value = trained({objective.label: objective})
    pairs = zip(plain.parameters(), model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs) == (weight == 0.0) and value > 0.0


def test_a_detached_output_has_no_gradient_anywhere():
    population = made()
    batch = {"observations": torch.randn(2, 3, 6, population.shape.observation_size)}
    output = population.output({**batch, "mask": torch.ones(2, 3, 6)})
    found = detached(output)
    assert output.distribution.outputs.requires_grad
    tensors = (found.distribution.outputs, found.mirror_value, *found.hidden.values())
    assert not any(one.requires_grad for one in tensors)


def test_a_checkpoint_does_not_import_code_that_nobody_named(tmp_path):
    population = made()
    save_population(tmp_path, population, {})
    config = tmp_path / "config.json"
    text = json.loads(config.read_text())
    text["population"]["auxiliaries"] = [{"name": "antigravity:Objective"}]
    config.write_text(json.dumps(text))
    write_manifest(tmp_path, ["population.safetensors", "config.json"])
    with pytest.raises(CheckpointError, match="names code to run"):
        load_population(tmp_path)
    assert "antigravity" not in sys.modules
