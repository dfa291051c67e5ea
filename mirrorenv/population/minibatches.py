"""The order in which an iteration's episodes are learned from: it follows from the run's seed and
the iteration alone, so that a resumed run equals an uninterrupted one.

Shapes: B episodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from mirrorenv.population.columns import as_read
from mirrorenv.population.settings import LearningSettings

__all__ = ["minibatches", "update_seed"]

_SLICES = 1_000_003  # spreads (iteration, epoch) over the seeds of the minibatch order


def update_seed(run: int, iteration: int) -> int:
    """Seed of everything random in one iteration's update.

    Args:
        run: seed of the run.
        iteration: its number, from 0.
    """
    return run * _SLICES + iteration


def minibatches(
    columns: Mapping[str, Tensor], learning: LearningSettings, seed: int, *, shards: int = 1
) -> Iterator[dict[str, Tensor]]:
    """Minibatches of whole episodes, each epoch in an order of its own; images become float32 here.

    Args:
        columns: (B, ...) each.
        learning: how many epochs, and episodes a minibatch.
        seed: from `update_seed`.
        shards: learners that share a minibatch.
    """
    rows = len(columns["mask"])
    size = max(1, min(rows, learning.minibatch_episodes // shards))
    generator = torch.Generator().manual_seed(seed)
    for _ in range(learning.epochs):
        order = torch.randperm(rows, generator=generator)
        for start in range(0, rows - size + 1, size):
            index = order[start : start + size].to(columns["mask"].device)
            yield as_read({name: column[index] for name, column in columns.items()})
