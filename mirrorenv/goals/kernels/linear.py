"""A linear memory: keys that a state and a goal agree with more or less, and what lies behind each.

Shapes: Q queries, V nodes, H keys.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mirrorenv.goals.kernels.base import register_kernel
from mirrorenv.goals.kernels.slots import SlotKernel

__all__ = ["Linear"]


class _Keys(nn.Module):
    """Softmax over keys, of a state and a goal as one-hot codes; then one linear layer.

    A key's activation is a sum of one number of the state and one of the goal, so softmax makes it
    a product: a pair has a pattern of keys of its own.
    """

    def __init__(self, nodes: int, keys: int, outputs: int) -> None:
        super().__init__()
        self.state = nn.Embedding(nodes, keys)
        self.goal = nn.Embedding(nodes, keys)
        for table in (self.state, self.goal):
            nn.init.normal_(table.weight, std=2.0)
        self.behind = nn.Linear(keys, outputs)

    def forward(self, states: Tensor, goals: Tensor) -> Tensor:
        """(Q,), (Q,) -> (Q, outputs)."""
        share = torch.softmax(self.state(states) + self.goal(goals), -1)  # (Q, H)
        scale = share.shape[-1] ** 0.5
        found: Tensor = self.behind(scale * share)
        return found


@register_kernel("linear")
class Linear(SlotKernel):
    """Hypotheses behind softmax keys."""

    def network(self, outputs: int) -> nn.Module:
        """See `SlotKernel.network`."""
        return _Keys(self.size.nodes, 2 * self.settings.hidden, outputs)
