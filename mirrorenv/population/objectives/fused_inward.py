"""What objectives that look inward compute in fast updates: a linear map and its loss in one node,
codes as columns.

A minibatch's hidden states are a few megabytes, and every pass over them costs as much as a tenth
of a matrix product: here a loss makes its three products and no pass that is not needed. The plain
ways in `self_model`, `mind_state` and `codebook` are the reference
(`tests/population/test_fused_inward.py`).

Shapes: N agents, R rows of an agent (steps, then episodes), M the first of them that are read, H
hidden, A action features, F outputs, K codes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = [
    "Reads",
    "Rows",
    "nearest_columns",
    "normalised_rows",
    "plain_rows",
    "predicted_error",
    "predicted_names",
    "sums_by_place",
]


class Reads(NamedTuple):
    """What a head reads, side by side without being put side by side."""

    hidden: Tensor
    """(N, R, H), of which the first M rows are read."""
    told: Tensor | None
    """(N, M, A) actions as features; None where the head is not told them."""


class Rows(NamedTuple):
    """Rows `rows * scale + shift`, which are not written down."""

    rows: Tensor
    """(N, M, F)."""
    scale: Tensor | None
    """(N, M, 1); None: the rows as they are."""
    shift: Tensor | None
    """(N, M, 1), with the scale."""
    squares: Tensor
    """(N, M), what the squares of a row's numbers sum to."""

    def written(self) -> Tensor:
        """(N, M, F)."""
        if self.scale is None or self.shift is None:
            return self.rows
        return torch.addcmul(self.shift, self.rows, self.scale)

    def variation(self, live: Tensor) -> Tensor:
        """Sum of squared distances from each agent's mean, over rows that count (N, M)."""
        count = live.sum(1).clamp_min(1.0)  # (N,)
        weight = live if self.scale is None else live * self.scale.squeeze(-1)
        sums = torch.bmm(weight.unsqueeze(1), self.rows).squeeze(1)  # (N, F)
        if self.shift is not None:
            sums = sums + (live * self.shift.squeeze(-1)).sum(1, keepdim=True)
        return (self.squares * live).sum() - (sums.square().sum(1) / count).sum()


def plain_rows(rows: Tensor) -> Rows:
    """Rows (N, M, F) as they are; no gradient."""
    return Rows(rows, None, None, torch.linalg.vector_norm(rows, dim=-1).square_())


def normalised_rows(rows: Tensor) -> Rows:
    """Rows (N, M, F) at mean 0 and variance 1, as `layer_norm` without parameters; no gradient."""
    size = rows.shape[-1]
    mean = rows.mean(-1, keepdim=True)
    square = torch.linalg.vector_norm(rows, dim=-1, keepdim=True).square_().div_(size)
    variance = square.sub_(mean.square()).clamp_min_(0.0)  # (N, M, 1)
    scale = torch.add(variance, 1e-5).rsqrt_()
    squares = variance.mul_(scale).mul_(scale).mul_(size).squeeze(-1)
    return Rows(rows, scale, mean.mul_(scale).neg_(), squares)


def nearest_columns(rows: Tensor, codes: Tensor) -> Tensor:
    """The nearest code of every row, the first of those that are equally near.

    Args:
        rows: (N, R, H).
        codes: (N, K, H).

    Returns:
        (N, R) int64.
    """
    size = 0.5 * codes.square().sum(-1, keepdim=True)  # (N, K, 1)
    distance = torch.baddbmm(size, codes, rows.transpose(1, 2), alpha=-1.0)  # (N, K, R)
    nearest = torch.le(distance, distance.amin(1, keepdim=True), out=distance)  # 1 or 0
    count = codes.shape[1]
    first_is_most = torch.arange(count, 0, -1, device=codes.device, dtype=rows.dtype)
    most = nearest.mul_(first_is_most.view(1, -1, 1)).amax(1)  # (N, R), count - code
    return (count - most).long()


def sums_by_place(rows: Tensor, codes: Tensor, live: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """What the rows of each code sum to, and how many there are.

    Args:
        rows: (N, R, H).
        codes: (N, R) int64.
        live: (N, R), 1 for rows that count, else 0.
        count: K.

    Returns:
        (N, K, H) and (N, K).
    """
    agents, _, width = rows.shape
    place = codes + count * torch.arange(agents, device=codes.device).unsqueeze(1)  # (N, R)
    sums = rows.new_zeros(agents * count, width)
    sums.index_add_(0, place.flatten(), (rows * live.unsqueeze(-1)).flatten(0, 1))
    counts = rows.new_zeros(agents * count)
    counts.scatter_add_(0, place.flatten(), live.flatten())
    return sums.view(agents, count, width), counts.view(agents, count)


def predicted_error(
    reads: Reads, weight: Tensor, bias: Tensor, target: Rows, live: Tensor
) -> Tensor:
    """Mean squared error of a linear prediction over the rows that count, and over outputs.

    Args:
        reads: what is read.
        weight: (N, H + A, F).
        bias: (N, 1, F).
        target: F numbers a row, to which no gradient goes.
        live: (N, M) float32, 1 for the rows that count.
    """
    found: Tensor = _PredictedError.apply(*reads, weight, bias, live, target)  # type: ignore[no-untyped-call]
    return found


class _PredictedError(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        told: Tensor | None,
        weight: Tensor,
        bias: Tensor,
        live: Tensor,
        target: Rows,
    ) -> Tensor:
        error = _predicted(hidden, told, weight, bias, live.shape[1])
        if target.scale is None or target.shift is None:
            error.sub_(target.rows)
        else:
            error.addcmul_(target.rows, target.scale, value=-1.0).sub_(target.shift)
        share = live / live.sum().clamp_min_(1.0).mul_(error.shape[-1])
        loss: Tensor = torch.linalg.vector_norm(error, dim=-1).square_().mul_(share).sum()
        ctx.save_for_backward(hidden, told, weight, error.mul_(share.unsqueeze(-1)))
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        hidden, told, weight, weighed = ctx.saved_tensors
        scale = 2.0 * gradients[0]
        found = _slopes(weighed, hidden, told, weight, scale, ctx.needs_input_grad[0])
        return found[0], None, found[1], found[2], None, None


def predicted_names(
    reads: Reads, weight: Tensor, bias: Tensor, target: Tensor, live: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Cross-entropy in nats of a linear prediction of codes, mean over the rows that count.

    Args:
        reads: what is read.
        weight: (N, H + A, K).
        bias: (N, 1, K).
        target: (N, M) int64.
        live: (N, M) float32, 1 for the rows that count.

    Returns:
        the loss, and without gradient the log probability of every target (N, M) and whether no
        code is likelier (N, M) bool.
    """
    found: tuple[Tensor, Tensor, Tensor] = _PredictedNames.apply(*reads, weight, bias, target, live)  # type: ignore[no-untyped-call]
    return found


class _PredictedNames(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        told: Tensor | None,
        weight: Tensor,
        bias: Tensor,
        target: Tensor,
        live: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        rows = live.shape[1]
        turned = weight.transpose(1, 2)  # (N, K, H + A)
        width = hidden.shape[-1]
        read = hidden[:, :rows].transpose(1, 2)
        logits = torch.baddbmm(bias.transpose(1, 2), turned[..., :width], read)  # (N, K, M)
        if told is not None:
            logits.baddbmm_(turned[..., width:], told.transpose(1, 2))
        logits.sub_(logits.amax(1, keepdim=True))  # the largest is 0
        chosen = logits.gather(1, target.unsqueeze(1)).squeeze(1)  # (N, M)
        right = chosen >= 0.0
        total = logits.exp_().sum(1)
        chosen.sub_(total.log())
        share = live / live.sum().clamp_min_(1.0)
        ctx.save_for_backward(hidden, told, weight, logits, total, target, share)
        ctx.mark_non_differentiable(chosen, right)
        ctx.set_materialize_grads(False)
        return (chosen * share).sum().neg_(), chosen, right

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        hidden, told, weight, powers, total, target, share = ctx.saved_tensors
        slopes = powers * (share / total).unsqueeze(1)  # not in its place: two gradients are taken
        slopes.scatter_add_(1, target.unsqueeze(1), share.neg().unsqueeze(1))
        turned = slopes.transpose(1, 2)
        found = _slopes(turned, hidden, told, weight, gradients[0], ctx.needs_input_grad[0])
        return found[0], None, found[1], found[2], None, None


def _predicted(
    hidden: Tensor, told: Tensor | None, weight: Tensor, bias: Tensor, rows: int
) -> Tensor:
    """(N, M, F)."""
    width = hidden.shape[-1]
    found = torch.baddbmm(bias, hidden[:, :rows], weight[:, :width])
    return found if told is None else found.baddbmm_(told, weight[:, width:])


def _slopes(
    slopes: Tensor, hidden: Tensor, told: Tensor | None, weight: Tensor, scale: Tensor, back: bool
) -> tuple[Tensor | None, Tensor, Tensor]:
    """Gradients of what was read (all R rows), of weight and of bias.

    Args:
        slopes: (N, M, F), of the outputs, to be scaled.
        hidden: (N, R, H).
        told: (N, M, A).
        weight: (N, H + A, F).
        scale: a scalar. Small tensors are scaled, not large ones.
        back: whether the first is wanted.
    """
    rows = slopes.shape[1]
    width = hidden.shape[-1]
    of_hidden = None
    if back:
        of_hidden = torch.empty_like(hidden, memory_format=torch.contiguous_format)
        scaled = (weight[:, :width] * scale).transpose(1, 2)
        torch.bmm(slopes, scaled, out=of_hidden[:, :rows])
        of_hidden[:, rows:] = 0.0
    turned = slopes.transpose(1, 2)  # (N, F, M): where codes are columns, as it is in memory
    of_weight = torch.bmm(turned, hidden[:, :rows])
    if told is not None:
        of_weight = torch.cat([of_weight, torch.bmm(turned, told)], 2)
    of_bias = turned.sum(2).unsqueeze(1)  # (N, 1, F)
    return of_hidden, of_weight.mul_(scale).transpose(1, 2), of_bias.mul_(scale)
