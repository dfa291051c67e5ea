"""Losses of many weight vectors at once, from a torch module and its data.

Shape legend: M models, C chains of each, P parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parameters_to_vector

from mirrorenv.complexity.sampling import Loss
from mirrorenv.errors import ShapeError

__all__ = ["flat_weights", "module_loss"]


def flat_weights(models: Sequence[nn.Module]) -> Tensor:
    """The parameters of models of one form as rows, (M, P), in the order of `named_parameters`.

    Raises:
        ShapeError: if the models differ in form.
    """
    rows = [parameters_to_vector(model.parameters()).detach() for model in models]
    if len({len(row) for row in rows}) != 1:
        raise ShapeError(f"flat_weights: models of {sorted({len(row) for row in rows})} parameters")
    return torch.stack(rows)


def module_loss(model: nn.Module, loss: Callable[[Tensor], Tensor], inputs: Tensor) -> Loss:
    """What any weights of a module lose on one batch.

    Args:
        model: gives the form; its own weights are not read. In evaluation mode, or batch norms
            would let chains see each other.
        loss: the module's answer -> scalar.
        inputs: what the module is called with.

    Returns:
        (M, C, P) -> (M, C).
    """
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    sizes = [shape.numel() for shape in shapes.values()]

    def one(row: Tensor) -> Tensor:
        parts = torch.split(row, sizes)
        named = {
            name: part.view(shape)
            for (name, shape), part in zip(shapes.items(), parts, strict=True)
        }
        return loss(functional_call(model, named, (inputs,)))

    every = torch.func.vmap(torch.func.vmap(one))

    def losses(weights: Tensor) -> Tensor:
        found: Tensor = every(weights)
        return found

    return losses
