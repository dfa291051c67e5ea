"""The losses of an update, shaped by hand for `learning.update = "fast"`: values and gradients in
one pass, each a node of the graph that gradients go back through.

A minibatch's tensors are small, so that the time of a loss is the number of its operations, on a
CPU as on a device: PPO's loss takes 27 here, both ways, and 76 as PyTorch's own operations. The
plain losses beside it are the reference (`tests/population/test_fused_losses.py`).

Shapes: B episodes, T time, N agents, A choices, J observers, K slots, M trajectories.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Coefficients", "chosen_of_columns", "clipped_loss", "name_loss"]


class Coefficients(NamedTuple):
    """What PPO's terms are weighed with."""

    clip: float
    value_weight: float
    entropy: float


def chosen_of_columns(logits: Tensor, actions: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Log probability of what was chosen, and the entropy, of choices whose logits stand along an
    outer axis.

    Args:
        logits: (..., A, ...) with the choices along `axis`.
        actions: int64, the same shape with one place along `axis`.
        axis: of the choices.

    Returns:
        log probabilities and entropies in nats, without that axis.
    """
    found: tuple[Tensor, Tensor] = _ChosenOfColumns.apply(logits, actions, axis)  # type: ignore[no-untyped-call]
    return found


class _ChosenOfColumns(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, actions: Tensor, axis: int) -> tuple[Tensor, Tensor]:
        log_p = logits.log_softmax(axis)
        p = log_p.exp()
        entropy = (p * log_p).sum(axis, keepdim=True).neg_()
        ctx.save_for_backward(log_p, p, entropy, actions)
        ctx.axis = axis
        return log_p.gather(axis, actions).squeeze(axis), entropy.squeeze(axis)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        log_p, p, entropy, actions = ctx.saved_tensors
        of_chosen, of_entropy = (one.unsqueeze(ctx.axis) for one in gradients)
        # d entropy / d logit = -p (log p + entropy), d log p of the chosen = 1 - p or -p
        error = torch.add(log_p, entropy).mul_(of_entropy).add_(of_chosen).mul_(p).neg_()
        return error.scatter_add_(ctx.axis, actions, of_chosen), None, None


def clipped_loss(
    log_probability: Tensor,
    entropy: Tensor,
    values: tuple[Tensor, Tensor],
    batch: Mapping[str, Tensor],
    coefficients: Coefficients,
) -> tuple[Tensor, dict[str, Tensor]]:
    """What `mirrorenv.population.objectives.ppo.ppo_loss` says.

    Args:
        log_probability: of the actions now, (B, T, N).
        entropy: (B, T, N).
        values: of both critics, (B, T, N) each.
        batch: the minibatch.
        coefficients: of the terms.

    Returns:
        the loss, and its parts by name without gradient.
    """
    columns = [
        batch[name]
        for name in ("log_probability", "advantage", "environment_target", "mirror_target", "mask")
    ]
    loss, *parts = _ClippedLoss.apply(log_probability, entropy, *values, *columns, coefficients)  # type: ignore[no-untyped-call]
    names = ("policy_loss", "value_loss", "mirror_value_loss", "entropy", "kl")
    return loss, dict(zip(names, parts, strict=True))


class _ClippedLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        log_probability: Tensor,
        entropy: Tensor,
        value: Tensor,
        mirror_value: Tensor,
        old: Tensor,
        advantage: Tensor,
        target: Tensor,
        mirror_target: Tensor,
        mask: Tensor,
        coefficients: Coefficients,
    ) -> tuple[Tensor, ...]:
        clip, value_weight, entropy_weight = coefficients
        weight = mask / mask.sum().clamp_min_(1.0)
        log_ratio = log_probability - old
        ratio = log_ratio.exp()
        surrogate = ratio * advantage
        clipped = ratio.clamp(1 - clip, 1 + clip).mul_(advantage)
        # gradients, each by the weight of its step; where the clipped one is less, it has none
        of_policy = (surrogate <= clipped).mul(surrogate).mul_(weight).neg_()
        errors = torch.stack([value - target, mirror_value - mirror_target])  # (2, B, T, N)
        of_values = errors * weight
        squares = (errors * of_values).flatten(1).sum(1)
        policy_loss = torch.minimum(surrogate, clipped).mul_(weight).sum().neg_()
        mean_entropy = (entropy * weight).sum()
        kl = (ratio - log_ratio).sub_(1.0).mul_(weight).sum()
        loss = torch.add(policy_loss, squares.sum(), alpha=value_weight)
        loss = loss.sub_(mean_entropy, alpha=entropy_weight)
        ctx.save_for_backward(of_policy, of_values, weight)
        ctx.coefficients = coefficients
        ctx.set_materialize_grads(False)
        parts = (policy_loss, squares[0], squares[1], mean_entropy, kl)
        ctx.mark_non_differentiable(*parts)
        return (loss, *parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        of_policy, of_values, weight = ctx.saved_tensors
        scale = gradients[0]
        of_values = of_values * (scale * (2.0 * ctx.coefficients.value_weight))
        of_entropy = weight * (scale * -ctx.coefficients.entropy)
        found = (of_policy * scale, of_entropy, of_values[0], of_values[1])
        return (*found, None, None, None, None, None, None)


def name_loss(evidence: Tensor, target: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy in nats of observers who read one lineup, and the share of slots named right.

    Args:
        evidence: (J, N, T, M), the order in which fused heads leave it in memory.
        target: (M,) int64, the name that is right for each trajectory.
        mask: (T, M) float32, 1 where the step happened.

    Returns:
        the loss and the share, scalars, means over observers, trajectories and prefixes.
    """
    found: tuple[Tensor, Tensor] = _NameLoss.apply(evidence, target, mask)  # type: ignore[no-untyped-call]
    return found


class _NameLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, evidence: Tensor, target: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        log_belief = evidence.log_softmax(1)
        index = target.expand(len(evidence), 1, *mask.shape)
        chosen = log_belief.gather(1, index)  # (J, 1, T, M)
        weight = mask / mask.sum().mul_(len(evidence)).clamp_min_(1.0)
        right = (chosen >= log_belief.amax(1, keepdim=True)).mul(weight).sum()
        loss = (chosen * weight).sum().neg_()
        ctx.save_for_backward(log_belief, index, weight)
        ctx.mark_non_differentiable(right)
        ctx.set_materialize_grads(False)
        return loss, right

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        log_belief, index, weight = ctx.saved_tensors
        scaled = weight * gradients[0]
        error = log_belief.exp().mul_(scaled)
        return error.scatter_add_(1, index, scaled.neg().expand(index.shape)), None, None
