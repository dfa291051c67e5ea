"""A transformer: the state's token attends to the goal's, layer by layer.

Shapes: Q queries, V nodes, H hidden.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mirrorenv.goals.kernels.base import register_kernel
from mirrorenv.goals.kernels.slots import SlotKernel

__all__ = ["Transformer"]

LAYERS = 1
HEADS = 4


class _Decoder(nn.Module):
    """A decoder over the state's token with cross attention to the goal's and to its own."""

    def __init__(self, nodes: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.state = nn.Embedding(nodes, hidden)
        self.goal = nn.Embedding(nodes, hidden)
        layer = nn.TransformerDecoderLayer(
            hidden, HEADS, 4 * hidden, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerDecoder(layer, LAYERS)
        self.behind = nn.Linear(hidden, outputs)

    def forward(self, states: Tensor, goals: Tensor) -> Tensor:
        """(Q,), (Q,) -> (Q, outputs)."""
        here = self.state(states).unsqueeze(1)  # (Q, 1, H)
        aim = self.goal(goals).unsqueeze(1)
        memory = torch.cat([here, aim], 1)  # (Q, 2, H)
        found: Tensor = self.behind(self.layers(here, memory).squeeze(1))
        return found


@register_kernel("transformer")
class Transformer(SlotKernel):
    """Hypotheses read by attention."""

    def network(self, outputs: int) -> nn.Module:
        """See `SlotKernel.network`."""
        hidden = HEADS * max(1, self.settings.hidden // (2 * HEADS))
        return _Decoder(self.size.nodes, hidden, outputs)
