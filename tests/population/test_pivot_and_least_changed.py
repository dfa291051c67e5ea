"""Still weights stay to the bit; change in the least gradients is told from no change."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorenv.population.objectives.base import Host, build_objective
from mirrorenv.population.objectives.least_changed import LeastChanged, relative_change
from mirrorenv.population.objectives.pivot import Pivot
from mirrorenv.population.settings import PopulationShape

SHAPE = PopulationShape(num_agents=3, observation_size=2, actions={"kind": "choice", "choices": 2})  # type: ignore[arg-type]


def made(name: str, **options: Any) -> Any:
    host = Host({"trunk": 4}, num_agents=3, shape=SHAPE)
    return build_objective({"name": name, **options}, host)


def gradients(seed: int = 0, scale: float = 1.0) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    sizes = {"actor.a": 1.0, "actor.b": 0.01, "actor.c": 10.0, "observers.d": 1e-6}
    return {
        name: scale * size * torch.randn(3, 5, 4, generator=draw) for name, size in sizes.items()
    }


@settings(max_examples=20, deadline=None)
@given(st.floats(0.0, 1.0), st.integers(0, 2**16))
def test_a_share_of_the_actors_weights_is_still_and_follows_from_the_seed(
    share: float, seed: int
) -> None:
    pivot = made("pivot", share=share, seed=seed)
    assert isinstance(pivot, Pivot)
    shown = gradients()
    before = {name: gradient.clone() for name, gradient in shown.items()}
    pivot.after_gradients(shown)
    torch.testing.assert_close(shown["observers.d"], before["observers.d"])
    zero = torch.cat([(shown[f"actor.{one}"] == 0).flatten() for one in "abc"])
    assert abs(float(zero.float().mean()) - share) < 0.25
    again = gradients()
    made("pivot", share=share, seed=seed).after_gradients(again)
    torch.testing.assert_close(again, shown)


def test_frozen_weights_keep_their_value_under_adam_and_others_move() -> None:
    pivot = made("pivot", share=0.5)
    weight = torch.nn.Parameter(torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(1)))
    first = weight.detach().clone()
    optimiser = torch.optim.Adam([weight], lr=0.1)
    for step in range(5):
        weight.grad = gradients(step)["actor.a"]
        pivot.after_gradients({"actor.a": weight.grad})
        optimiser.step()
    still = pivot.still("actor.a", weight)
    assert torch.equal(weight.detach()[still], first[still])
    assert (weight.detach()[~still] != first[~still]).all()


def test_slow_weights_move_in_one_update_of_several() -> None:
    pivot = made("pivot", share=1.0, every=3)
    moved = []
    for step in range(6):
        shown = gradients(step)
        pivot.after_gradients(shown)
        moved.append(bool(shown["actor.a"].any()))
    assert moved == [False, False, True, False, False, True]


def test_without_change_nothing_is_paid() -> None:
    reward = made("least_changed")
    assert isinstance(reward, LeastChanged)
    for _ in range(3):
        reward.after_gradients(gradients(0))
    assert torch.equal(reward.change, torch.zeros(3))


def test_the_smallest_gradients_decide_and_keep_their_identity() -> None:
    reward = made("least_changed", share=0.34)
    reward.after_gradients(gradients(0))
    other = gradients(0)
    other["actor.c"] = 5 * other["actor.c"]  # the largest: not looked at
    reward.after_gradients(other)
    assert torch.equal(reward.change, torch.zeros(3))
    other["actor.b"] = other["actor.b"].clone()
    other["actor.b"][1] *= 1.5  # agent 1's smallest; still the smallest on average
    reward.after_gradients(other)
    expected = 0.5 / 1.25
    torch.testing.assert_close(reward.change, torch.tensor([0.0, expected, 0.0]))


def test_change_is_relative_and_clipped() -> None:
    one = torch.tensor([0.0, 1.0, 1.0, 0.0])
    other = torch.tensor([0.0, 1.0, 3.0, 5.0])
    torch.testing.assert_close(relative_change(other, one, 0.9), torch.tensor([0.0, 0.0, 0.9, 0.9]))


def test_noise_alone_is_paid_which_is_its_first_control() -> None:
    reward = made("least_changed")
    for seed in range(20):
        reward.after_gradients(gradients(seed))
    assert (reward.change > 0).all()


@pytest.mark.parametrize("option", [{"share": 2.0}, {"every": -1}, {"portion": 0.1}])
def test_a_wrong_setting_is_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"pivot|objective|setting"):
        made("pivot", **option)
