"""Losses whose values and gradients are computed in one pass are the plain ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from mirrorenv.population.actors import ActorOutput
from mirrorenv.population.distributions import Categorical
from mirrorenv.population.fused_losses import chosen_of_columns, name_loss
from mirrorenv.population.objectives.ppo import ppo_loss
from mirrorenv.population.observers import Head
from mirrorenv.population.settings import LearningSettings

BATCH, TIME, AGENTS, CHOICES = 3, 4, 2, 5


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def a_mask() -> Tensor:
    """Agents that stop at different times, and one that never acted."""
    lengths = torch.tensor([[4, 1], [2, 4], [0, 3]])
    return (torch.arange(TIME)[None, :, None] < lengths[:, None]).double()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_choices_along_any_axis(axis: int) -> None:
    shape = [3, 4, 2]
    logits = drawn(*shape).requires_grad_()
    shape[axis] = 1
    actions = torch.randint(2, shape, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(lambda one: chosen_of_columns(one, actions, axis), logits)
    plain = Categorical(logits.movedim(axis, -1).contiguous())
    chosen, entropy = chosen_of_columns(logits, actions, axis)
    torch.testing.assert_close(chosen, plain.log_probability(actions.squeeze(axis)))
    torch.testing.assert_close(entropy, plain.entropy())


def test_logits_in_columns_say_the_same_as_logits_in_rows() -> None:
    rows = drawn(BATCH, TIME, AGENTS, CHOICES)
    columns = rows.permute(2, 3, 1, 0).contiguous().permute(3, 2, 0, 1)
    assert columns.stride(-1) != 1
    actions = torch.randint(CHOICES, rows.shape[:-1], generator=torch.Generator().manual_seed(1))
    for one, other in zip(
        Categorical(rows).of_chosen(actions), Categorical(columns).of_chosen(actions), strict=True
    ):
        assert one.shape == actions.shape
        torch.testing.assert_close(one, other)


class _Said(Categorical):
    """What was said of the actions, whatever they are."""

    def __init__(self, log_probability: Tensor, entropy: Tensor) -> None:
        self.said = (log_probability, entropy)

    def log_probability(self, actions: Tensor) -> Tensor:
        return self.said[0]

    def entropy(self) -> Tensor:
        return self.said[1]

    def of_chosen(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        return self.said


def a_minibatch(mask: Tensor, old: Tensor) -> dict[str, Tensor]:
    names = ("advantage", "environment_target", "mirror_target")
    columns = {name: drawn(*mask.shape, seed=10 + n) for n, name in enumerate(names)}
    return {**columns, "mask": mask, "actions": mask, "log_probability": old}


@pytest.mark.parametrize("scale", [0.0, 0.05, 1.0])  # ratios that are 1, inside, and clipped
@pytest.mark.parametrize("live", ["some", "none"])
def test_ppos_loss_its_parts_and_its_gradients(scale: float, live: str) -> None:
    mask = a_mask() if live == "some" else torch.zeros_like(a_mask())
    old = drawn(*mask.shape, seed=3)
    batch = a_minibatch(mask, old)
    given = [(old + scale * drawn(*mask.shape)).requires_grad_()]
    given += [drawn(*mask.shape, seed=4 + n).requires_grad_() for n in range(3)]
    ways = []
    for update in ("plain", "fast"):
        output = ActorOutput(_Said(*given[:2]), *given[2:], {})
        loss, metrics = ppo_loss(output, batch, LearningSettings(update=update, entropy=0.3))
        ways.append((metrics, [loss, *torch.autograd.grad(1.7 * loss, given)]))
    (plain, first), (fast, second) = ways
    assert plain.keys() == fast.keys()
    for name, value in plain.items():
        torch.testing.assert_close(fast[name], value, msg=name)
        assert not fast[name].requires_grad
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("live", ["some", "none"])
def test_the_names_loss_its_share_and_its_gradient(live: str) -> None:
    observers, slots = 3, 2
    evidence = drawn(BATCH, TIME, observers, slots, AGENTS)
    target = torch.randint(AGENTS, (BATCH, 1, slots), generator=torch.Generator().manual_seed(0))
    mask = (a_mask() if live == "some" else torch.zeros_like(a_mask())).unsqueeze(2)
    ways: list[Any] = []
    one = evidence.clone().requires_grad_()
    plain = Head.loss(Any, one, target, mask)  # type: ignore[arg-type]  # asks nothing of itself
    ways.append((plain, torch.autograd.grad(1.7 * plain, one)[0]))
    two = evidence.clone().requires_grad_()
    loss, share = name_loss(
        two.permute(2, 4, 1, 0, 3).flatten(3),
        target.flatten(),
        mask.transpose(0, 1).flatten(1),
    )
    ways.append((loss, torch.autograd.grad(1.7 * loss, two)[0]))
    for one, other in zip(*ways, strict=True):
        torch.testing.assert_close(one, other)
    right = (evidence.argmax(-1) == target[:, None]).double()
    weight = mask.expand_as(right)
    torch.testing.assert_close(share, (right * weight).sum() / weight.sum().clamp_min(1.0))
