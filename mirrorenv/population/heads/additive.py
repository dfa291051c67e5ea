"""The default observer: evidence that adds up step by step."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from mirrorenv.population.heads.base import Head, LineupTensors, accumulate, register_head
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
        first, *rest = (StackedLinear(heads, *sizes, 2**0.5, generator) for sizes in pairwise(widths))
        self.first, self.rest = first, nn.ModuleList(rest)
        self.output = StackedLinear(heads, hidden, shape.num_agents, 0.01, generator)

    def evidence(self, lineup: LineupTensors, hidden: Tensor | None = None, own: Tensor | None = None) -> Tensor:
        """See `Head.evidence`."""
        batch, time, slots = lineup.mask.shape
        steps = self.output.forward(self._encode(lineup, hidden))  # (J, T*B*K, N)
        return accumulate(steps.view(-1, time, batch, slots, self.num_agents), lineup.mask)

    def _encode(self, lineup: LineupTensors, hidden: Tensor | None) -> Tensor:
        """What each head makes of each step by itself, (J, T*B*K, H)."""
        rows = self._rows(lineup, hidden)
        rows = torch.relu(self.first.read_alike(rows) if rows.dim() == 2 else self.first.forward(rows))
        for layer in self.rest:
            rows = torch.relu(layer(rows))
        return rows
