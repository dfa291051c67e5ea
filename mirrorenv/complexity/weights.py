"""How large and how spread the weights of a model are, layer by layer, and what does not depend on
how scale is shared among layers.

A ReLU network computes the same function when one layer is multiplied by c and the next divided
by it, so the spread of one layer alone can be anything. The product of activation size and spread,
and the path norm, do not move under that.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mirrorenv.errors import ShapeError

__all__ = ["effective_rank", "path_norm", "root_mean_square", "scaled_spread", "weight_spread"]


def weight_spread(model: nn.Module) -> dict[str, float]:
    """Standard deviation of the entries of every weight matrix, by parameter name.

    Args:
        model: parameters with fewer than two axes (biases, norms) are left out.
    """
    return {
        name: float(parameter.detach().double().std())
        for name, parameter in model.named_parameters()
        if parameter.dim() >= 2
    }


def root_mean_square(activations: Tensor, mask: Tensor | None = None) -> float:
    """Root mean square of activations.

    Args:
        activations: (..., H).
        mask: (...) of the rows that count; all if not given.
    """
    rows = activations.detach().double()
    if mask is not None:
        rows = rows[mask.bool()]
    return float(rows.square().mean().sqrt())


def scaled_spread(weight: Tensor, activations: Tensor, mask: Tensor | None = None) -> float:
    """Spread of a weight times the size of what it reads: the same however scale is shared.

    Args:
        weight: any shape, what is multiplied with the activations.
        activations: (..., H).
        mask: (...) of the rows that count.
    """
    return float(weight.detach().double().std()) * root_mean_square(activations, mask)


def path_norm(weights: Sequence[Tensor]) -> float:
    """Path norm of a chain of layers: root of the sum over paths of the product of squared weights.

    Neyshabur, Salakhutdinov, Srebro, "Path-SGD", NeurIPS 2015, with p = 2. Biases are not paths.

    Args:
        weights: (out, in) of each layer, in the order they are applied.

    Raises:
        ShapeError: if neighbouring layers do not fit.
    """
    flow = torch.ones(weights[0].shape[1], dtype=torch.float64)  # (in,)
    for number, weight in enumerate(weights):
        if weight.dim() != 2 or weight.shape[1] != len(flow):
            raise ShapeError(
                f"path_norm: layer {number} has shape {tuple(weight.shape)}, and {len(flow)} "
                "values come in"
            )
        flow = weight.detach().double().cpu().square() @ flow  # (out,)
    return float(flow.sum().sqrt())


def effective_rank(rows: Tensor) -> float:
    """Exponential of the entropy of the normalised singular values.

    Roy and Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO 2007.

    Args:
        rows: (R, H); centre them first where a mean is no direction.

    Returns:
        between 1 and min(R, H); 0 where all rows are zero.
    """
    values = torch.linalg.svdvals(rows.detach().double())
    total = values.sum()
    if total <= 0:
        return 0.0
    share = values / total
    used = share[share > 0]
    return float((-(used * used.log()).sum()).exp())
