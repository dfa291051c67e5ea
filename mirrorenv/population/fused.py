"""The update's heavy products, shaped by hand: what `learning.update = "fast"` computes with.

Each function here is one node of the graph that gradients go back through, so whatever is computed
from its result, any objective's loss, works on it as on the plain modules beside it, which are the
reference (`tests/population/test_fused.py` compares both). What is gained on a CPU, measured by
`benchmarks/speed/update.py`:

- hidden units stand in rows, (R, H), what comes out of them in columns, (A, R): a product with a
  side of 3 to 6 runs up to nine times as fast in one order as in the other;
- `tanh x = 2 sigmoid(2 x) - 1`: PyTorch's sigmoid takes a fifth of the time of its tanh;
- policy and critics are one product; biases' gradients are sums of what is in the caches already.

Shapes: S stack, R rows of one network, F inputs, H hidden, O outputs, J observers, N agents, T
time, M trajectories.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["additive_evidence", "summed_over_time", "tanh_network"]


def tanh_network(
    rows: Tensor,
    first: tuple[Tensor, Tensor],
    second: tuple[Tensor, Tensor],
    outputs: tuple[Tensor, Tensor],
    through: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """S networks of two tanh layers and linear outputs.

    Args:
        rows: (S, R, F); no gradient goes back to them.
        first: weight (S, F, H) and bias (S, 1, H).
        second: weight (S, H, H) and bias (S, 1, H).
        outputs: weight (S, H, O) and bias (S, 1, O).
        through: of the outputs, the errors of this many from the first on go back into the hidden
            layers; the rest train their own weights alone.

    Returns:
        outputs in columns (S, O, R), and both hidden layers (S, R, H).
    """
    found: tuple[Tensor, Tensor, Tensor] = _TanhNetwork.apply(  # type: ignore[no-untyped-call]
        rows, *first, *second, *outputs, through
    )
    return found


class _TanhNetwork(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        weight_1: Tensor,
        bias_1: Tensor,
        weight_2: Tensor,
        bias_2: Tensor,
        weight: Tensor,
        bias: Tensor,
        through: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        first = _tanh_layer(bias_1, rows, weight_1)  # (S, R, H)
        second = _tanh_layer(bias_2, first, weight_2)
        # (S, O, R)
        outputs = torch.baddbmm(
            bias.transpose(1, 2), weight.transpose(1, 2), second.transpose(1, 2)
        )
        ctx.save_for_backward(rows, first, second, weight_2, weight)
        ctx.through = through
        ctx.set_materialize_grads(False)
        return outputs, first, second

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        from_outputs, from_first, from_second = gradients
        rows, first, second, weight_2, weight = ctx.saved_tensors
        of_weight = of_bias = None
        error: Tensor | None = from_second
        if from_outputs is not None:
            of_weight = torch.bmm(from_outputs, second).transpose(1, 2)  # (S, H, O)
            of_bias = from_outputs.sum(2).unsqueeze(1)
            known = from_outputs[:, : ctx.through].transpose(1, 2)  # (S, R, through)
            error = torch.bmm(known, weight[..., : ctx.through].transpose(1, 2))  # (S, R, H)
            if from_second is not None:
                error.add_(from_second)
        of_weight_2 = of_bias_2 = None
        if error is not None:
            error = _through_tanh(error, second)
            of_weight_2 = torch.bmm(first.transpose(1, 2), error)
            of_bias_2 = error.sum(1, keepdim=True)
            error = torch.bmm(error, weight_2.transpose(1, 2))
            if from_first is not None:
                error.add_(from_first)
        else:
            error = from_first
        if error is None:
            return (None, None, None, of_weight_2, of_bias_2, of_weight, of_bias, None)
        error = _through_tanh(error, first)
        of_weight_1 = torch.bmm(rows.transpose(1, 2), error)
        of_bias_1 = error.sum(1, keepdim=True)
        return (
            None,
            of_weight_1,
            of_bias_1,
            of_weight_2,
            of_bias_2,
            of_weight,
            of_bias,
            None,
        )


def _through_tanh(error: Tensor, layer: Tensor) -> Tensor:
    """error (1 - layer^2), in the place of an error that is contiguous, as products are."""
    place = error if error.is_contiguous() else torch.empty_like(layer)
    torch.ops.aten.tanh_backward(error, layer, grad_input=place)
    return place


def _tanh_layer(bias: Tensor, rows: Tensor, weight: Tensor) -> Tensor:
    """tanh(rows @ weight + bias); on a CPU by the sigmoid."""
    if rows.device.type != "cpu":
        return torch.baddbmm(bias, rows, weight).tanh_()
    twice = torch.baddbmm(bias * 2.0, rows, weight * 2.0)
    return twice.sigmoid_().mul_(2.0).sub_(1.0)


def additive_evidence(
    rows: Tensor, first: tuple[Tensor, Tensor], outputs: tuple[Tensor, Tensor]
) -> Tensor:
    """J networks of one ReLU layer that read the same rows.

    Args:
        rows: (R, F); no gradient goes back to them.
        first: weight (J, F, H) and bias (J, 1, H).
        outputs: weight (J, H, N) and bias (J, 1, N).

    Returns:
        (J, N, R).
    """
    found: Tensor = _AdditiveEvidence.apply(rows, *first, *outputs)  # type: ignore[no-untyped-call]
    return found


class _AdditiveEvidence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight_1: Tensor, bias_1: Tensor, weight: Tensor, bias: Tensor
    ) -> Tensor:
        observers, _, size = weight_1.shape
        # the bias as one more weight, the observers side by side: (R, F + 1) times (F + 1, J*H)
        inputs = torch.cat([rows, rows.new_ones(len(rows), 1)], 1)
        wide = torch.cat([weight_1, bias_1], 1).transpose(0, 1).flatten(1)
        hidden = torch.mm(inputs, wide).relu_()  # (R, J*H)
        by_observer = hidden.view(-1, observers, size).transpose(0, 1)  # (J, R, H)
        ctx.save_for_backward(inputs, hidden, weight)
        return torch.baddbmm(
            bias.transpose(1, 2), weight.transpose(1, 2), by_observer.transpose(1, 2)
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (evidence,) = gradients  # (J, N, R)
        inputs, hidden, weight = ctx.saved_tensors
        observers, size, _ = weight.shape
        by_observer = hidden.view(-1, observers, size).transpose(0, 1)  # (J, R, H)
        of_weight = torch.bmm(evidence, by_observer).transpose(1, 2)  # (J, H, N)
        of_bias = evidence.sum(2).unsqueeze(1)
        error = torch.empty_like(hidden)
        torch.bmm(
            evidence.transpose(1, 2),
            weight.transpose(1, 2),
            out=error.view(-1, observers, size).transpose(0, 1),
        )
        torch.ops.aten.threshold_backward(error, hidden, 0.0, grad_input=error)
        wide = torch.mm(inputs.t(), error).view(-1, observers, size).transpose(0, 1)  # (J, F+1, H)
        return None, wide[:, :-1], wide[:, -1:], of_weight, of_bias


def summed_over_time(steps: Tensor, mask: Tensor) -> Tensor:
    """What adds up step by step.

    Args:
        steps: (J, N, T, M).
        mask: (T, M) float32, 1 where the step happened.

    Returns:
        (J, N, T, M), at t the sum of the steps up to t that happened.
    """
    found: Tensor = _SummedOverTime.apply(steps, mask)  # type: ignore[no-untyped-call]
    return found


class _SummedOverTime(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, steps: Tensor, mask: Tensor) -> Tensor:
        ctx.save_for_backward(mask)
        return (steps * mask).cumsum_(2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return gradients[0].flip(2).cumsum_(2).flip(2).mul_(mask), None
