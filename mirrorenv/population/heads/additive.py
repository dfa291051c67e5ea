"""The default observer: evidence that adds up step by step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mirrorenv.population.heads.base import Head, LineupTensors, register_head
from mirrorenv.population.layers import StackedLinear
from mirrorenv.population.settings import ObserverSettings, PopulationShape

__all__ = ["AdditiveHead"]


@register_head("additive")
class AdditiveHead(Head):
    """Per-step logits f(o_t, a_t) summed over time.

    The Bayes observer of memoryless policies has exactly this form, sum_t log pi_n(a_t | o_t) + c, so the belief is
    defined after every step and the dense mirror reward costs one cumulative sum.
    """

    def __init__(
        self, shape: PopulationShape, settings: ObserverSettings, trunk_width: int, generator: torch.Generator
    ) -> None:
        super().__init__(shape, settings, trunk_width)
        heads, hidden = shape.num_agents, settings.hidden
        widths = [self.features] + [hidden] * settings.layers
        self.layers = nn.ModuleList(
            StackedLinear(heads, inputs, outputs, 2**0.5, generator)
            for inputs, outputs in zip(widths[:-1], widths[1:], strict=True)
        )
        self.output = StackedLinear(heads, hidden, shape.num_agents, 0.01, generator)

    def evidence(self, lineup: LineupTensors, hidden: Tensor | None = None) -> Tensor:
        """See `Head.evidence`."""
        batch, time, slots = lineup.mask.shape
        rows = self._rows(lineup, hidden)
        first, *rest = self.layers
        rows = torch.relu(first.read_alike(rows) if rows.dim() == 2 else first(rows))  # (J, T*B*K, H)
        for layer in rest:
            rows = torch.relu(layer(rows))
        steps = self.output(rows).view(-1, time, batch, slots, self.num_agents)  # (J, T, B, K, N)
        steps = steps * lineup.mask.transpose(0, 1).unsqueeze(-1)
        return steps.cumsum(1).permute(2, 1, 0, 3, 4)
