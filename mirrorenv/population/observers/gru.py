"""Observers with a memory: a recurrent network reads what each slot saw and did.

Shapes: B batch, T time, K lineup slots, J observers, N agents, F features, H hidden.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mirrorenv.population.layers import StackedGRU, StackedLinear
from mirrorenv.population.observers.base import Head, LineupTensors, accumulate, hold
from mirrorenv.population.observers.registry import register_head
from mirrorenv.population.settings import ObserverSettings, PopulationShape

__all__ = ["GRUHead", "GRUStateHead"]


@register_head("gru")
class GRUHead(Head):
    """A GRU over [observation, action] whose output at each step adds to the evidence.

    The Bayes observer of policies with memory has this form: sum_t log pi_n(a_t | o_1..t) + c,
    where the state of the network stands for the history. `layers` counts the GRU and the ReLU
    layers behind it.
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
        self.memory = StackedGRU(heads, self.features, hidden, generator)
        self.rest = nn.ModuleList(
            StackedLinear(heads, hidden, hidden, 2**0.5, generator)
            for _ in range(settings.layers - 1)
        )
        self.output = StackedLinear(heads, hidden, shape.num_agents, 0.01, generator)
        self.state_width = hidden

    def evidence(
        self, lineup: LineupTensors, hidden: Tensor | None = None, own: Tensor | None = None
    ) -> Tensor:
        """See `Head.evidence`."""
        return accumulate(self._outputs(lineup, hidden), lineup.mask)

    def states(self, lineup: LineupTensors, hidden: Tensor | None = None) -> Tensor:
        """See `Head.states`."""
        batch, time, slots = lineup.mask.shape[-3:]
        rows = self._rows(lineup, hidden).view(-1, time, batch * slots, self.features)
        # (J, T*B*K, H)
        rows = self.memory.sequence(rows.expand(self.num_observers, -1, -1, -1)).flatten(1, 2)
        for layer in self.rest:
            rows = torch.relu(layer(rows))
        return rows.view(len(rows), time, batch * slots, -1)

    def _outputs(self, lineup: LineupTensors, hidden: Tensor | None) -> Tensor:
        """(J, T, B, K, N), or (J, T, B, K, C) about the candidates where there are some."""
        batch, time, slots = lineup.mask.shape[-3:]
        observers = self.num_observers
        rows = self.states(lineup, hidden).flatten(1, 2)  # (J, T*B*K, H)
        if lineup.candidates is not None:
            # (J, B, H, T*K)
            columns = rows.view(observers, time, batch, slots, -1).permute(0, 2, 4, 1, 3).flatten(3)
            named = self.output.chosen_columns(columns, lineup.candidates)  # (J, B, C, T*K)
            return named.view(observers, batch, -1, time, slots).permute(0, 3, 1, 4, 2)
        return self.output.forward(rows).view(observers, time, batch, slots, self.num_agents)


@register_head("gru_state")
class GRUStateHead(GRUHead):
    """The same network, but its output at each step is the evidence, as in a sequence classifier.

    Free to change its mind, and not tied to a sum that the exact limit is known to be.
    """

    own_lineups = False
    names_candidates = False

    def evidence(
        self, lineup: LineupTensors, hidden: Tensor | None = None, own: Tensor | None = None
    ) -> Tensor:
        """See `Head.evidence`."""
        return hold(self._outputs(lineup, hidden), lineup.mask)
