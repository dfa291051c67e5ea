"""What any weights of a classifier of `self_models` lose on its task: what chains sample.

Shape legend: M models, C chains, B batch, P weights.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.shared.labelled import Labelled
from benchmarks.shared.self_models import cross_entropy
from mirrorenv.complexity.sampling import Loss

__all__ = ["full_loss", "minibatch_loss"]


def _classified(weights: Tensor, inputs: Tensor, hidden: int, classes: int) -> Tensor:
    """Logits (..., B, C) of flat weights (..., P)."""
    sizes = [inputs.shape[-1] * hidden, hidden, hidden * classes, classes]
    first, first_bias, last, last_bias = weights.split(sizes, dim=-1)
    inner = inputs @ first.unflatten(-1, (-1, hidden)) + first_bias.unsqueeze(-2)
    return torch.relu(inner) @ last.unflatten(-1, (hidden, classes)) + last_bias.unsqueeze(-2)


def full_loss(task: Labelled, hidden: int, chunk: int = 8) -> Loss:
    """Cross-entropy over all training data, (M, C, P) -> (M, C), some chains at a time."""
    inputs = torch.from_numpy(task.inputs)
    labels = torch.from_numpy(task.labels)

    def one(weights: Tensor) -> Tensor:
        logits = _classified(weights, inputs, hidden, task.classes)
        return cross_entropy(logits, labels.expand(*weights.shape[:-1], -1))

    def loss(weights: Tensor) -> Tensor:
        flat = weights.flatten(0, 1)
        return torch.cat([one(part) for part in flat.split(chunk)]).view(weights.shape[:2])

    return loss


def minibatch_loss(
    task: Labelled, hidden: int, batch: int, source: torch.Generator, chunk: int = 64
) -> Loss:
    """The same on a batch that is drawn at every call, one for all chains."""

    def loss(weights: Tensor) -> Tensor:
        rows = torch.randint(len(task.labels), (batch,), generator=source)
        inputs = torch.from_numpy(task.inputs)[rows]
        labels = torch.from_numpy(task.labels)[rows]
        found = []
        for part in weights.flatten(0, 1).split(chunk):
            logits = _classified(part, inputs, hidden, task.classes)
            found.append(cross_entropy(logits, labels.expand(len(part), -1)))
        return torch.cat(found).view(weights.shape[:2])

    return loss
