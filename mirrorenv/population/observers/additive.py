"""The default observer: evidence that adds up step by step."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from mirrorenv.population.fused import additive_evidence, summed_over_time
from mirrorenv.population.layers import StackedLinear
from mirrorenv.population.observers.base import Head, LineupTensors, accumulate
from mirrorenv.population.observers.registry import register_head
from mirrorenv.population.settings import ObserverSettings, PopulationShape

__all__ = ["AdditiveHead"]


@register_head("additive")
class AdditiveHead(Head):
    """Per-step logits f(o_t, a_t) summed over time.

    The Bayes observer of memoryless policies has exactly this form, sum_t log pi_n(a_t | o_t) + c,
    so the belief is defined after every step and the dense mirror reward costs one cumulative sum.
    """

    own_lineups = True
    names_candidates = True
    stacked = True

    def __init__(
        self,
        shape: PopulationShape,
        settings: ObserverSettings,
        trunk_width: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__(shape, settings, trunk_width, generator)
        heads = shape.num_agents
        hidden = settings.hidden
        widths = [self.features] + [hidden] * settings.layers
        first, *rest = (
            StackedLinear(heads, *sizes, 2**0.5, generator) for sizes in pairwise(widths)
        )
        self.first = first
        self.rest = nn.ModuleList(rest)
        self.fusable = not rest and not self.reads_hidden
        self.state_width = hidden
        self.output = StackedLinear(heads, hidden, shape.num_agents, 0.01, generator)

    def evidence(
        self, lineup: LineupTensors, hidden: Tensor | None = None, own: Tensor | None = None
    ) -> Tensor:
        """See `Head.evidence`."""
        batch, time, slots = lineup.mask.shape[-3:]
        if lineup.candidates is not None:
            return self._of_candidates(lineup, lineup.candidates)
        if self.fast and self.fusable and lineup.shared and hidden is None:
            return self._fused(lineup)
        steps = self.output.columns(self._encode(lineup, hidden))  # (J, N, T*B*K)
        return accumulate(
            steps.view(-1, self.num_agents, time, batch, slots).movedim(1, -1), lineup.mask
        )

    def states(self, lineup: LineupTensors, hidden: Tensor | None = None) -> Tensor:
        """See `Head.states`."""
        columns = self._encode(lineup, hidden)  # (J, H, T*B*K)
        time = lineup.mask.shape[1]
        return columns.view(*columns.shape[:2], time, -1).permute(0, 2, 3, 1)

    def _of_candidates(self, lineup: LineupTensors, candidates: Tensor) -> Tensor:
        """Evidence (B, T, J, K, C) about the candidates alone, which are each observer's own."""
        observers, batch, time, slots = lineup.mask.shape
        # (J, B, F, T*K)
        columns = lineup.features().flatten(2, 3).transpose(2, 3)
        columns = torch.relu(self.first.own_columns(columns))  # (J, B, H, T*K)
        for layer in self.rest:
            assert isinstance(layer, StackedLinear)
            columns = torch.relu(layer.own_columns(columns))
        steps = self.output.chosen_columns(columns, candidates)  # (J, B, C, T*K)
        grid = steps.view(observers, batch, -1, time, slots)
        live = lineup.mask.unsqueeze(2)  # (J, B, 1, T, K)
        return (grid * live).cumsum(3).permute(1, 3, 0, 4, 2)

    def _fused(self, lineup: LineupTensors) -> Tensor:
        """`evidence` of one lineup for all by hand-shaped products."""
        batch, time, slots = lineup.mask.shape
        steps = additive_evidence(
            self._rows(lineup, None),
            (self.first.weight, self.first.bias),
            (self.output.weight, self.output.bias),
        )  # (J, N, T*B*K)
        live = lineup.mask.transpose(0, 1).reshape(time, batch * slots)
        total = summed_over_time(steps.view(*steps.shape[:2], time, -1), live)  # (J, N, T, B*K)
        return total.view(*steps.shape[:2], time, batch, slots).permute(3, 2, 0, 4, 1)

    def _encode(self, lineup: LineupTensors, hidden: Tensor | None) -> Tensor:
        """What each head makes of each step by itself, (J, H, T*B*K)."""
        rows = self._rows(lineup, hidden)
        first = (
            self.first.columns_alike(rows)
            if rows.dim() == 2
            else self.first.columns(rows.transpose(1, 2))
        )
        columns = torch.relu(first)
        for layer in self.rest:
            columns = torch.relu(layer(columns.transpose(1, 2))).transpose(1, 2)
        return columns
