"""A mirror critic that is not paid trains itself and nothing else, bit for bit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mirrorenv.population.actors import Actor
from tests.population.small import PLANNERS, loud, population, some_episodes


def gradients(actor: Actor, target: float) -> dict[str, Tensor]:
    """Of a loss of policy and both critics; `target` is what the mirror critic should have said."""
    observations, actions = some_episodes()
    output = actor.sequence(observations)
    loss = output.distribution.log_probability(actions).mean()
    loss = loss + output.environment_value.square().mean()
    loss = loss + (output.mirror_value - target).square().mean()
    actor.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    return {name: p.grad.clone() for name, p in actor.named_parameters() if p.grad is not None}


def without_critic(actor: Actor) -> dict[str, Tensor]:
    """What is left of the present gradients when the mirror critic's own entries are taken out."""
    for parameter, index in actor.mirror_entries():
        assert parameter.grad is not None
        parameter.grad[index] = 0.0
    return {name: p.grad.clone() for name, p in actor.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(("trunk", "weights", "reads"), PLANNERS)
def test_an_unpaid_critic_leaves_every_other_gradient_bit_identical(
    trunk: str, weights: str, reads: str
) -> None:
    actor = population(trunk, weights, reads).actor
    loud(actor)
    actor.mirror_paid = False
    right, first = gradients(actor, 0.0), without_critic(actor)
    wrong, second = gradients(actor, 1e6), without_critic(actor)
    assert any(not torch.equal(right[name], wrong[name]) for name in right)  # the critic learns
    for name, gradient in first.items():
        assert torch.equal(gradient, second[name]), name


@pytest.mark.parametrize(("trunk", "weights", "reads"), PLANNERS)
def test_whether_it_is_paid_changes_no_output_and_a_paid_one_trains_the_trunk(
    trunk: str, weights: str, reads: str
) -> None:
    actor = population(trunk, weights, reads).actor
    loud(actor)
    observations = some_episodes()[0]
    paid, trained = actor.sequence(observations), gradients(actor, 3.0)
    actor.mirror_paid = False
    unpaid, detached = actor.sequence(observations), gradients(actor, 3.0)
    assert torch.equal(paid.mirror_value, unpaid.mirror_value)
    assert torch.equal(paid.environment_value, unpaid.environment_value)
    in_trunk = [name for name in trained if name.startswith("trunk.")]
    assert any(not torch.equal(trained[name], detached[name]) for name in in_trunk)
    for parameter, index in actor.mirror_entries():
        name = next(name for name, one in actor.named_parameters() if one is parameter)
        torch.testing.assert_close(trained[name][index], detached[name][index])
