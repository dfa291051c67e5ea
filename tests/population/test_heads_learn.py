"""Heads that really learn: plain differences at once, faint ones up to the exact limit and not
beyond."""

from __future__ import annotations

import math

import pytest
import torch

from mirrorenv.population.actions import Choice
from mirrorenv.population.observers import HEADS, LineupTensors, build_head
from mirrorenv.population.settings import ObserverSettings, PopulationShape
from tests.population.learning import Tables, information, teach


def habits() -> Tables:
    """Agent n answers every state with action n nine times out of ten."""
    distribution = torch.full((3, 2, 3), 0.05)
    for n in range(3):
        distribution[n, :, n] = 0.9
    return Tables(distribution.log())


def faint(seed: int = 0) -> Tables:
    """Dirichlet-like agents that are hard to tell apart."""
    return Tables(
        torch.randn(3, 3, 3, generator=torch.Generator().manual_seed(seed)).mul(0.5).log_softmax(-1)
    )


@pytest.mark.parametrize("head", HEADS)
def test_plain_habits_are_recognised_after_a_few_updates(head: str) -> None:
    nats, top1, limit = information(teach(head, habits(), time=5, updates=40), habits(), time=5)
    assert top1 > 0.95
    assert nats > 0.85 * limit > 0.85 * 0.95 * math.log(3)


@pytest.mark.parametrize("head", HEADS)
def test_faint_differences_are_learned_up_to_the_exact_limit(head: str) -> None:
    nats, _, limit = information(teach(head, faint(), time=12, updates=150), faint(), time=12)
    assert 0.2 * math.log(3) < limit < 0.8 * math.log(3)
    assert 0.85 * limit < nats < 1.03 * limit


@pytest.mark.parametrize("head", HEADS)
def test_agents_that_are_one_and_the_same_teach_nothing(head: str) -> None:
    same = Tables(faint().log_p[:1].expand(3, -1, -1))
    nats, top1, _ = information(teach(head, same, time=5, updates=60), same, time=5)
    assert nats < 0.01
    assert abs(top1 - 1 / 3) < 0.05


def test_the_likelihood_head_recognises_itself_before_it_has_learned_anything() -> None:
    agents = habits()
    head = build_head(
        agents.shape(), ObserverSettings(head="likelihood"), 64, torch.Generator().manual_seed(0)
    )
    lineup, authors, log_p = agents.play(200, 10, torch.Generator().manual_seed(1))
    with torch.no_grad():
        belief = head.evidence(lineup, own=log_p.transpose(2, 3))[:, -1].softmax(-1)  # (B, J, K, N)
    for j in range(3):
        mine = belief[:, j, :, j]
        assert mine[authors == j].mean() > 0.9
        assert mine[authors != j].mean() < 0.05


def test_only_attention_sees_what_lies_in_the_comparison() -> None:
    """Author n is the slot with the n-th largest value; a shift common to the lineup makes values
    alone useless."""
    shape = PopulationShape(num_agents=3, observation_size=1, actions=Choice(choices=2))
    generator = torch.Generator().manual_seed(0)

    def lineups(count: int) -> tuple[LineupTensors, torch.Tensor]:
        values = torch.rand(count, 1, 3, generator=generator) + 3 * torch.randn(
            count, 1, 1, generator=generator
        )
        authors = values[:, 0].argsort(-1).argsort(-1)
        return LineupTensors(
            values[..., None], torch.zeros(count, 1, 3, 2), torch.ones(count, 1, 3)
        ), authors

    right = {}
    for name in ("joint", "additive"):
        head = build_head(shape, ObserverSettings(head=name, hidden=32), 32, generator)
        optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
        for _ in range(200):
            lineup, authors = lineups(64)
            loss = head.loss(head.evidence(lineup), authors[:, None], lineup.slot_mask())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        lineup, authors = lineups(500)
        with torch.no_grad():
            right[name] = (
                (head.evidence(lineup)[:, -1].argmax(-1) == authors[:, None]).float().mean().item()
            )
    assert right["joint"] > 0.7
    assert right["additive"] < 0.5
