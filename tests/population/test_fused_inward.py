"""What objectives that look inward compute in fast updates is what they compute in plain ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mirrorenv
from mirrorenv.population import Population, population_shape
from mirrorenv.population.objectives.base import Hidden
from mirrorenv.population.objectives.codebook import nearest, sums_by_code
from mirrorenv.population.objectives.fused_inward import (
    Reads,
    nearest_columns,
    normalised_rows,
    plain_rows,
    predicted_error,
    predicted_names,
    sums_by_place,
)
from mirrorenv.population.objectives.rows import first_episodes
from mirrorenv.population.settings import PopulationSettings

AGENTS, ROWS, READ, WIDTH, TOLD, CODES = 3, 7, 5, 6, 2, 4


def drawn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def a_live(some: bool) -> Tensor:
    live = torch.ones(AGENTS, READ, dtype=torch.float64)
    live[0, 2:] = 0.0
    live[1] = 0.0
    return live * some


def a_head(told: bool, outputs: int) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """What is read, weight, bias, and what is told."""
    hidden = drawn(AGENTS, ROWS, WIDTH).requires_grad_()
    weight = drawn(AGENTS, WIDTH + TOLD * told, outputs, seed=1).requires_grad_()
    bias = drawn(AGENTS, 1, outputs, seed=2).requires_grad_()
    return hidden, weight, bias, drawn(AGENTS, READ, TOLD, seed=3) if told else None


def plain(hidden: Tensor, weight: Tensor, bias: Tensor, told: Tensor | None) -> Tensor:
    read = hidden[:, :READ]
    return torch.baddbmm(bias, read if told is None else torch.cat([read, told], -1), weight)


def assert_alike(one: Tensor, other: Tensor, leaves: list[Tensor]) -> None:
    torch.testing.assert_close(one, other)
    for a, b in zip(
        torch.autograd.grad(1.7 * one, leaves),
        torch.autograd.grad(1.7 * other, leaves),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("some", [True, False])
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("normalise", [True, False])
def test_squared_errors_and_their_gradients(some: bool, told: bool, normalise: bool) -> None:
    hidden, weight, bias, features = a_head(told, WIDTH)
    target = 3.0 + 2.0 * drawn(AGENTS, READ, WIDTH, seed=4)
    live = a_live(some)
    wanted = nn.functional.layer_norm(target, (WIDTH,)) if normalise else target
    error = (plain(hidden, weight, bias, features) - wanted).square().mean(-1)
    loss = (error * live).sum() / live.sum().clamp_min(1.0)
    rows = normalised_rows(target) if normalise else plain_rows(target)
    found = predicted_error(Reads(hidden, features), weight, bias, rows, live)
    assert_alike(loss, found, [hidden, weight, bias])
    torch.testing.assert_close(rows.written(), wanted)
    mean = (wanted * live.unsqueeze(-1)).sum(1) / live.sum(1, keepdim=True).clamp_min(1.0)
    far = ((wanted - mean.unsqueeze(1)).square() * live.unsqueeze(-1)).sum()
    torch.testing.assert_close(rows.variation(live), far)


@pytest.mark.parametrize("some", [True, False])
@pytest.mark.parametrize("told", [True, False])
def test_cross_entropies_and_their_gradients(some: bool, told: bool) -> None:
    hidden, weight, bias, features = a_head(told, CODES)
    target = torch.randint(CODES, (AGENTS, READ), generator=torch.Generator().manual_seed(5))
    live = a_live(some)
    log_p = plain(hidden, weight, bias, features).log_softmax(-1)
    chosen = log_p.gather(-1, target.unsqueeze(-1)).squeeze(-1)
    loss = -(chosen * live).sum() / live.sum().clamp_min(1.0)
    found, chances, right = predicted_names(Reads(hidden, features), weight, bias, target, live)
    torch.testing.assert_close(chances, chosen.detach())
    assert (right == (log_p.argmax(-1) == target)).all()
    twice = [torch.autograd.grad(found, hidden, retain_graph=True)[0] for _ in range(2)]
    torch.testing.assert_close(*twice)  # a gradient is measured before the one that is applied
    assert_alike(loss, found, [hidden, weight, bias])


def test_the_nearest_code_and_the_first_of_equals() -> None:
    rows = drawn(AGENTS, ROWS, WIDTH)
    codes = drawn(AGENTS, CODES, WIDTH, seed=1)
    assert (nearest_columns(rows, codes) == nearest(rows, codes)).all()
    codes[:, 2] = codes[:, 1]
    assert (nearest_columns(rows, codes) != 2).all()


def test_sums_of_the_rows_of_a_code() -> None:
    rows = drawn(AGENTS, READ, WIDTH)
    codes = torch.randint(CODES, (AGENTS, READ), generator=torch.Generator().manual_seed(5))
    for one, other in zip(
        sums_by_place(rows, codes, a_live(True), CODES),
        sums_by_code(rows, codes, a_live(True), CODES),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


AUXILIARIES: list[dict[str, Any]] = [
    {"name": "self_model"},
    {"name": "self_model", "ahead": 1},
    {"name": "self_model", "head": "mlp", "normalise": False, "targets": ["first", "trunk"]},
    {"name": "mind_state", "codes": 4},
    {"name": "mind_state", "codes": 4, "ahead": 2, "predictor": "mlp"},
]


@pytest.mark.parametrize("given", AUXILIARIES, ids=str)
@pytest.mark.parametrize("episodes", [1.0, 0.5])
def test_fast_and_plain_auxiliaries_lose_and_log_alike(
    given: dict[str, Any], episodes: float
) -> None:
    shape = population_shape(mirrorenv.make_batch("mirrorenv/ants-v0", 1))
    settings = PopulationSettings(auxiliaries=({**given, "episodes": episodes},))
    generator = torch.Generator().manual_seed(0)
    layers = {
        name: torch.randn(6, 5, shape.num_agents, 64, generator=generator).requires_grad_()
        for name in ("first", "trunk")
    }
    mask = torch.ones(6, 5, shape.num_agents)
    mask[0, 3:] = 0.0
    batch = {"mask": mask, "actions": torch.zeros(6, 5, shape.num_agents, dtype=torch.int64)}
    ways = []
    for fast in (False, True):
        population = Population(shape, settings)
        population.fast = fast
        (_, one), *_ = population.named_auxiliaries()
        for parameter in one.parameters():  # a head that says something
            nn.init.normal_(parameter, generator=torch.Generator().manual_seed(1))
        if "age" in dict(one.named_buffers()):
            one.get_buffer("age").fill_(10)
            one.get_buffer("updates").fill_(10)
        loss, metrics = one.loss(population, Hidden(layers), batch)
        gradients = torch.autograd.grad(loss, [layers["trunk"], *one.parameters()])
        one.after_update(Hidden({name: x.detach() for name, x in layers.items()}), batch)
        ways.append([loss.detach(), *gradients, *metrics.values(), *one.buffers()])
    for plain_one, fast_one in zip(*ways, strict=True):
        torch.testing.assert_close(plain_one, fast_one, rtol=1e-4, atol=1e-5, equal_nan=True)


def test_the_gradient_of_the_first_episodes() -> None:
    hidden = drawn(AGENTS, ROWS, READ, WIDTH).permute(2, 1, 0, 3).requires_grad_()
    weight = drawn(2, ROWS, AGENTS, WIDTH, seed=1)
    (one,) = torch.autograd.grad((hidden[:2] * weight).sum(), hidden)
    (other,) = torch.autograd.grad((first_episodes(hidden, 2) * weight).sum(), hidden)
    assert torch.equal(one, other)
