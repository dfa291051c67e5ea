"""Observers that model themselves: heads as hosts of auxiliaries."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from benchmarks.shared.runner import load_recipe
from mirrorenv.envs import make_batch
from mirrorenv.errors import ConfigError, UnknownNameError
from mirrorenv.population import Population, population_shape
from mirrorenv.population.observers.base import LineupTensors
from mirrorenv.population.observers.registry import HEADS
from mirrorenv.population.settings import (
    LearningSettings,
    MirrorSettings,
    ObserverSettings,
    PopulationSettings,
)

WORLD = "mirrorenv/chain-v0"
LEARNING = LearningSettings(episodes_per_iteration=8, minibatch_episodes=4, epochs=1)
KINDS: dict[str, dict[str, Any]] = {
    "same step": {"name": "self_model", "measure_every": 1},
    "next step": {"name": "self_model", "ahead": 1, "share": 0.3, "measure_every": 1},
    "random": {"name": "self_model", "target": "random"},
    "decay": {"name": "self_model", "target": "weight_decay"},
    "codes": {"name": "mind_state", "codes": 5, "warm_up": 0, "settle": 0},
}


def trained(head: str, *auxiliaries: dict[str, Any], weight: float = 0.0) -> Population:
    settings = PopulationSettings(
        hidden=8, auxiliaries=auxiliaries, observer=ObserverSettings(head=head, hidden=8)
    )
    population = Population(population_shape(make_batch(WORLD, 1)), settings, seed=1)
    loop = load_recipe("bare_loop").train(
        WORLD,
        seed=1,
        mirror=MirrorSettings(weight=weight),
        learning=LEARNING,
        population=population,
    )
    row = next(loop)
    assert all(math.isfinite(value) for value in row.values())
    return population


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("head", sorted(HEADS))
def test_every_head_can_be_read_and_a_probe_of_it_is_not_felt(head: str) -> None:
    plain = trained(head)
    kind = {**KINDS["same step"], "host": "observers"}
    probe = trained(head, {**kind, "weight": 0.0})
    felt = trained(head, kind)
    assert same(plain.observers, probe.observers)
    assert same(plain.actor, probe.actor)
    assert not same(plain.observers, felt.observers)
    assert same(plain.actor, felt.actor), "at mirror weight 0 the actors do not feel observers"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_trains_an_observer(kind: str) -> None:
    felt = trained("additive", {**KINDS[kind], "host": "observers"})
    assert not same(felt.observers, trained("additive").observers)


@pytest.mark.parametrize("head", sorted(HEADS))
def test_hidden_layers_of_observers_follow_the_slots(head: str) -> None:
    settings = PopulationSettings(observer=ObserverSettings(head=head, hidden=8))
    population = Population(population_shape(make_batch(WORLD, 1)), settings, seed=1)
    shape = population.shape
    draws = torch.Generator().manual_seed(0)
    lineup = LineupTensors(
        torch.randn(2, 4, 3, shape.observation_size, generator=draws),
        torch.randn(2, 4, 3, shape.action_features, generator=draws),
        torch.ones(2, 4, 3),
    )
    order = torch.tensor([2, 0, 1])
    states = population.observers.states(lineup)  # (J, T, B*K, H)
    moved = population.observers.states(lineup.slots(order))
    assert states.shape == (shape.num_agents, 4, 2 * 3, population.observers.state_width)
    torch.testing.assert_close(moved, states[:, :, torch.cat([order, order + 3])])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "mind_state", "fed": "true"}, "fed nothing"),
        ({"name": "self_model", "ema": 0.9}, "copied"),
        ({"name": "self_model", "layer": "trunk"}, "Known: observer"),
        ({"name": "self_model", "ahead": 1, "action": True}, "no actions"),
    ],
)
def test_what_observers_cannot_be_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises((ConfigError, UnknownNameError), match=words):
        trained("additive", {**given, "host": "observers"})


def test_a_choice_of_weights_is_the_actors() -> None:
    given = {"name": "adaptive", "of": [{"name": "self_model", "host": "observers"}]}
    with pytest.raises(ConfigError, match="a host in population"):
        trained("additive", given)
