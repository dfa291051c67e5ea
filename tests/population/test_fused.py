"""Updates by hand-shaped products (`learning.update = "fast"`) are those of the plain path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mirrorenv.envs import make_batch
from mirrorenv.population import Population, population_shape
from mirrorenv.population.experience import play, world_seeds
from mirrorenv.population.fused import additive_evidence, summed_over_time, tanh_network
from mirrorenv.population.layers import StackedLinear, StackedMLP
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.minibatches import minibatches
from mirrorenv.population.neighbourhood import settle_neighbours
from mirrorenv.population.objectives.updates import (
    after_update,
    clip_gradients,
    learn_from,
    optimiser_of,
)
from mirrorenv.population.settings import LearningSettings, MirrorSettings, PopulationSettings
from mirrorenv.population.train_batch import learner_columns, train_batch

CLOSE = 1e-6
"""What weights may differ by after one iteration."""
SEED = 6
"""One at which no step lands on the kink of a ReLU: there, a unit of an observer learns from a step
more or less, and its weights differ by up to 3e-5 (of vectors, 3 seeds of 12)."""


def one_iteration(
    update: str,
    world_id: str,
    settings: PopulationSettings,
    mirror: MirrorSettings,
    episodes: int,
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Weights after the updates of one iteration, on episodes that the plain path played, and the
    last metrics."""
    learning = LearningSettings(
        episodes_per_iteration=episodes, minibatch_episodes=episodes // 4, update=update
    )
    world = make_batch(world_id, episodes)
    population = Population(
        population_shape(world), settle_neighbours(settings, mirror, world), seed=SEED
    )
    set_objectives(population, mirror, learning.model_copy(update={"update": "plain"}), seed=SEED)
    ids = np.arange(episodes)
    record = play(world, population, world_seeds(SEED, ids), torch.Generator().manual_seed(SEED))
    columns = train_batch(
        population,
        record,
        mirror,
        learning,
        run=SEED,
        episodes=ids,
        rng=np.random.default_rng(SEED),
    )
    set_objectives(population, mirror, learning, seed=SEED)
    assert population.fast == (update == "fast")
    objectives = population.objectives
    optimiser = optimiser_of(objectives)
    data = {
        name: torch.from_numpy(np.ascontiguousarray(one))
        for name, one in learner_columns(columns, mirror.weight).items()
    }
    population.reseed(SEED)
    learn_from(objectives, data)
    for minibatch in minibatches(data, learning, SEED):
        output = population.output(minibatch)
        loss, metrics = population.loss(minibatch, output)
        optimiser.zero_grad()
        loss.backward()
        clip_gradients(objectives, population)
        optimiser.step()
        after_update(objectives, output, minibatch)
    weights = {name: one.detach().clone() for name, one in population.named_parameters()}
    return weights, {name: float(value) for name, value in metrics.items()}


CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "ants": ("mirrorenv/ants-v0", {}, {}),
    "one network for all": ("mirrorenv/ants-v0", {"weights": "shared"}, {}),
    "unpaid": ("mirrorenv/chain-v0", {}, {"weight": 0.0}),
    "vectors": ("mirrorenv/point-v0", {}, {}),
    "another reward": ("mirrorenv/conformity-v0", {}, {"reward": "eoi"}),
    "read through the trunk": ("mirrorenv/ants-v0", {"observer": {"trunk": "shared"}}, {}),
    "gru": ("mirrorenv/ants-v0", {"actor": "gru", "observer": {"head": "gru"}}, {}),
    "joint": ("mirrorenv/ants-v0", {"observer": {"head": "joint"}}, {}),
    "an auxiliary": ("mirrorenv/ants-v0", {"auxiliaries": ({"name": "self_model"},)}, {}),
    "an auxiliary ahead": (
        "mirrorenv/ants-v0",
        {"auxiliaries": ({"name": "self_model", "ahead": 2, "targets": ["first", "trunk"]},)},
        {},
    ),
    "a slow target": (
        "mirrorenv/chain-v0",
        {"auxiliaries": ({"name": "self_model", "ahead": 1, "ema": 0.9, "head": "mlp"},)},
        {},
    ),
    "a probe": ("mirrorenv/ants-v0", {"auxiliaries": ({"name": "self_model", "weight": 0},)}, {}),
    "set diversity": ("mirrorenv/ants-v0", {"diversity": 1.0}, {}),
    "near": (
        "mirrorenv/dispersion-v0",
        {"observer": {"neighbours": 2, "slots_per_update": 0}},
        {},
    ),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_weights_after_an_iteration_are_those_of_the_plain_path(case: str) -> None:
    world, settings, mirror = CASES[case]
    made = PopulationSettings(initial_gain=0.5, **settings)
    pays = MirrorSettings(**mirror)
    plain, said = one_iteration("plain", world, made, pays, 32)
    fast, also_said = one_iteration("fast", world, made, pays, 32)
    apart = {name: float((plain[name] - fast[name]).abs().max()) for name in plain}
    assert max(apart.values()) < CLOSE, max(apart, key=apart.__getitem__)
    assert said.keys() == also_said.keys()
    for name, value in said.items():
        assert also_said[name] == pytest.approx(value, rel=1e-3, abs=1e-4), name


def test_whole_size_iterations_agree_too() -> None:
    ways = [
        one_iteration(update, "mirrorenv/ants-v0", PopulationSettings(), MirrorSettings(), 256)[0]
        for update in ("plain", "fast")
    ]
    assert all((one - ways[1][name]).abs().max() < CLOSE for name, one in ways[0].items())


# -- the functions against the modules they stand for ----------------------------------------------


def gradients_of(total: Tensor, parameters: list[Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad(total, parameters))


@pytest.mark.parametrize("stack", [1, 3])
@pytest.mark.parametrize("used", [("outputs",), ("hidden",), ("first",), ("outputs", "hidden")])
def test_a_tanh_network_and_its_gradients(stack: int, used: tuple[str, ...]) -> None:
    generator = torch.Generator().manual_seed(1)
    trunk = StackedMLP(stack, 5, 8, generator)
    head = StackedLinear(stack, 8, 4, 1.0, generator)
    rows = torch.randn(stack, 7, 5, generator=generator)
    layers = (trunk.first, trunk.second, head)
    parameters = [one for layer in layers for one in (layer.weight, layer.bias)]
    outputs, first, hidden = tanh_network(
        rows,
        (trunk.first.weight, trunk.first.bias),
        (trunk.second.weight, trunk.second.bias),
        (head.weight, head.bias),
        4,
    )
    plain_first = torch.tanh(trunk.first(rows))
    plain_hidden = torch.tanh(trunk.second(plain_first))
    plain = {
        "outputs": head(plain_hidden).transpose(1, 2),
        "hidden": plain_hidden,
        "first": plain_first,
    }
    ways = []
    for found in ({"outputs": outputs, "hidden": hidden, "first": first}, plain):
        total = sum((found[name].pow(3).sum() for name in used), start=torch.zeros(()))
        total = total + 0.0 * sum(one.sum() for one in parameters)
        ways.append([total, *gradients_of(total, parameters)])
    for one, other in zip(*ways, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_outputs_that_do_not_go_through_train_their_own_weights_alone() -> None:
    generator = torch.Generator().manual_seed(1)
    trunk = StackedMLP(2, 5, 8, generator)
    head = StackedLinear(2, 8, 3, 1.0, generator)
    outputs, *_ = tanh_network(
        torch.randn(2, 7, 5, generator=generator),
        (trunk.first.weight, trunk.first.bias),
        (trunk.second.weight, trunk.second.bias),
        (head.weight, head.bias),
        2,
    )
    outputs[:, 2].square().sum().backward()
    assert head.weight.grad is not None and head.weight.grad[..., 2].abs().sum() > 0
    for layer in (trunk.first, trunk.second):
        assert layer.weight.grad is not None and not layer.weight.grad.any()


def test_observers_evidence_and_its_gradients() -> None:
    generator = torch.Generator().manual_seed(2)
    first = StackedLinear(3, 5, 8, 1.0, generator)
    last = StackedLinear(3, 8, 4, 1.0, generator)
    rows = torch.randn(9, 5, generator=generator)
    parameters = [first.weight, first.bias, last.weight, last.bias]
    fused = additive_evidence(rows, (first.weight, first.bias), (last.weight, last.bias))
    plain = last.columns(torch.relu(first.columns_alike(rows)))
    torch.testing.assert_close(fused, plain, rtol=1e-5, atol=1e-6)
    one = gradients_of(fused.pow(3).sum(), parameters)
    other = gradients_of(plain.pow(3).sum(), parameters)
    for mine, theirs in zip(one, other, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_sums_over_time_and_their_gradients() -> None:
    steps = torch.randn(2, 3, 6, 4, dtype=torch.float64, requires_grad=True)
    mask = (torch.arange(6)[:, None] < torch.tensor([6, 1, 3, 0])).double()
    assert torch.autograd.gradcheck(lambda x: summed_over_time(x, mask), steps)
    torch.testing.assert_close(summed_over_time(steps, mask), (steps * mask).cumsum(2))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, None),
        ({"actor": "gru"}, "actor gru"),
        ({"observer": {"head": "gru"}}, "head gru"),
        ({"observer": {"head": "joint"}}, "head joint"),
        ({"observer": {"trunk": "shared"}}, "head additive"),
        ({"actor": "gru", "observer": {"head": "gru"}}, "actor gru and head gru"),
    ],
)
def test_what_has_no_fast_arithmetic_is_named(
    settings: dict[str, Any], said: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    world = make_batch("mirrorenv/chain-v0", 4)
    population = Population(population_shape(world), PopulationSettings.checked(settings))
    set_objectives(population, MirrorSettings(), LearningSettings(update="fast"))
    assert (said is None) == (not caplog.messages)
    assert said is None or f"known for {said} here" in caplog.messages[0]
