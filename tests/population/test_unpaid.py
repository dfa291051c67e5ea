"""What is not paid trains nothing but itself: whoever watches, the actors come out the same to the
bit."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from mirrorenv.envs import make_batch
from mirrorenv.population import Population, population_shape
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.objectives import known_objectives, optimiser_of
from mirrorenv.population.objectives.updates import clip_gradients
from mirrorenv.population.observers import HEADS
from mirrorenv.population.settings import (
    LearningSettings,
    MirrorSettings,
    ObserverSettings,
    PopulationSettings,
)
from mirrorenv.population.train_batch import train_batch

WORLD = "mirrorenv/chain-v0"  # it pays
LEARNING = LearningSettings(
    episodes_per_iteration=8, minibatch_episodes=4, epochs=2, grad_norm=0.05
)
REWARDS = ["mirror", *sorted(known_objectives(paying=True))]


@pytest.fixture(scope="module")
def bare_loop() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "training" / "bare_loop.py"
    spec = importlib.util.spec_from_file_location("bare_loop", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def policy_of(population: Population) -> dict[str, Tensor]:
    """Everything of the actors but the mirror critic, which is the unpaid stream's own reader."""
    held = {name: p.detach().clone() for name, p in population.actor.named_parameters()}
    names = {id(p): name for name, p in population.actor.named_parameters()}
    for parameter, index in population.actor.mirror_entries():
        held[names[id(parameter)]][index] = 0.0
    return held


def trained(
    bare_loop: ModuleType,
    *,
    reward: str = "mirror",
    actor: str = "mlp",
    weights: str = "separate",
    observers_seed: int = 0,
    iterations: int = 2,
    mirror: dict[str, Any] | None = None,
    **observer: Any,
) -> dict[str, Tensor]:
    settings = PopulationSettings(
        actor=actor,
        weights=weights,
        hidden=8,
        initial_gain=1.0,
        observer=ObserverSettings(hidden=8, **observer),
    )
    shape = population_shape(make_batch(WORLD, 1))
    population = Population(shape, settings, seed=3)
    other = Population(shape, settings, seed=3 + observers_seed)
    population.observers.load_state_dict(other.observers.state_dict())
    rows = bare_loop.train(
        WORLD,
        seed=3,
        mirror=MirrorSettings(reward=reward, **(mirror or {"weight": 0.0})),
        learning=LEARNING,
        population=population,
    )
    for _ in range(iterations):
        next(rows)
    return policy_of(population)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("weights", ["separate", "shared"])
@pytest.mark.parametrize("actor", ["mlp", "gru"])
@pytest.mark.parametrize("trunk", ["separate", "shared", "stopped"])
@pytest.mark.parametrize("reward", REWARDS)
def test_at_weight_zero_actors_do_not_depend_on_who_watches(
    bare_loop, reward, trunk, actor, weights
):
    kind = {"reward": reward, "actor": actor, "weights": weights, "trunk": trunk}
    one = trained(bare_loop, **kind)
    other = trained(
        bare_loop,
        **kind,
        observers_seed=1,
        head="gru",
        slots_per_update=1,
        prefixes_per_update=2,
        learning_rate=0.1,
    )
    assert same(one, other)


@pytest.mark.parametrize("head", sorted(HEADS))
def test_at_weight_zero_no_head_is_felt(bare_loop, head):
    kind = {"trunk": "shared", "actor": "gru"}
    assert same(trained(bare_loop, **kind), trained(bare_loop, **kind, head=head))


def test_with_networks_of_their_own_actors_do_not_depend_on_what_observers_read_through(bare_loop):
    made = [trained(bare_loop, trunk=trunk) for trunk in ("separate", "shared", "stopped")]
    assert same(made[0], made[1]) and same(made[0], made[2])


@pytest.mark.parametrize("reward", [one for one in REWARDS if one != "mirror"])
def test_observers_that_nobody_is_paid_by_are_not_felt_where_something_else_is_paid(
    bare_loop, reward
):
    kind = {"reward": reward, "mirror": {"weight": 1.0}, "trunk": "shared"}
    assert same(trained(bare_loop, **kind), trained(bare_loop, **kind, head="joint"))


@pytest.mark.parametrize("mirror", [{"weight": 1.0}, {"weight": 0.5, "control": "random_reward"}])
def test_what_is_paid_is_felt(bare_loop, mirror):
    assert not same(trained(bare_loop), trained(bare_loop, mirror=mirror))
    assert not same(
        trained(bare_loop, mirror=mirror, trunk="shared"),
        trained(bare_loop, mirror=mirror, trunk="stopped"),
    )


@pytest.mark.parametrize("weights", ["separate", "shared"])
def test_without_any_observer_the_actors_are_the_same(bare_loop, weights, monkeypatch):
    watched = trained(bare_loop, weights=weights)

    def without_mirror(function: Any, place: int) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            return function(*args[:place], None, *args[place + 1 :], **kwargs)

        return call

    for function, place in ((set_objectives, 1), (train_batch, 2)):
        monkeypatch.setattr(bare_loop, function.__name__, without_mirror(function, place))
    assert same(watched, trained(bare_loop, weights=weights))


@pytest.mark.parametrize("paid", [False, True])
def test_the_mirror_critics_error_reaches_the_trunk_only_where_it_is_paid(paid):
    shape = population_shape(make_batch(WORLD, 1))
    population = Population(shape, PopulationSettings(hidden=8), seed=0)
    set_objectives(population, MirrorSettings(weight=float(paid)), LEARNING)
    seen = torch.randn(2, 3, shape.num_agents, shape.observation_size)
    population.actor.sequence(seen).mirror_value.sum().backward()
    touched = {name for name, p in population.actor.named_parameters() if p.grad is not None}
    assert any(name.startswith("trunk") for name in touched) == paid
    assert "critics.weight" in touched


def test_the_unpaid_mirror_critic_has_a_gradient_norm_of_its_own():
    shape = population_shape(make_batch(WORLD, 1))
    population = Population(shape, PopulationSettings(hidden=8), seed=0)
    set_objectives(population, MirrorSettings(weight=0.0), LEARNING)
    optimiser_of(population.objectives)
    for parameter in population.parameters():
        parameter.grad = torch.ones_like(parameter)
    own = [p.grad[index] for p, index in population.actor.mirror_entries() if p.grad is not None]
    for gradient in own:
        gradient.mul_(1e6)
    clip_gradients(population.objectives, population)
    norm = torch.stack([gradient.norm() for gradient in own]).norm()
    assert norm == pytest.approx(LEARNING.grad_norm, rel=1e-3)
    trunk = (
        sum(p.grad.square().sum() for p in population.actor.parameters() if p.grad is not None)
        - norm.square()
    )
    assert trunk.sqrt() == pytest.approx(LEARNING.grad_norm, rel=1e-3)


def test_a_weight_that_comes_later_is_paid_throughout():
    assert MirrorSettings(weight=0.0, final_weight=0.5).paid
    assert MirrorSettings(weight=0.5, final_weight=0.0).paid
    assert not MirrorSettings(weight=0.0, final_weight=0.0).paid
