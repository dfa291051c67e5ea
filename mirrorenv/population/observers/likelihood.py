"""Policy-likelihood matching: would I have done this, and would they?

Shapes: B batch, T time, K lineup slots, J observers, N agents, D what is seen, A action, H hidden.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mirrorenv.errors import ShapeError
from mirrorenv.population.layers import StackedGRU, StackedLinear, StackedMLP
from mirrorenv.population.observers.base import Head, LineupTensors, accumulate
from mirrorenv.population.observers.registry import register_head
from mirrorenv.population.settings import ObserverSettings, PopulationShape

__all__ = ["LikelihoodHead", "RecurrentLikelihoodHead"]


@register_head("likelihood")
class LikelihoodHead(Head):
    """Evidence is sum_t log pi_n(a_t | h_t): the observer's own policy exactly, the others' as it
    has learned them.

    Each observer clones the other agents' behaviour from labelled trajectories (one network with a
    policy for each of them) and looks its own policy up, so it knows itself from the first episode
    and follows its own changes at once. The control `shuffled_labels` misleads what it learns about
    others, never what it knows about itself.
    """

    needs_own = True
    stacked = True
    memory = False
    """Whether the others are taken to act on what they remember."""

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
        self.layout = shape.actions
        self.allowed = shape.allowed
        trunk = StackedGRU if self.memory else StackedMLP
        self.models = trunk(heads, max(self.seen_features, 1), hidden, generator)
        self.output = StackedLinear(
            heads, hidden, heads * self.layout.policy_outputs, 0.01, generator
        )
        self.state_width = hidden
        self.log_std: nn.Parameter | None = None
        if self.layout.spreads:
            self.log_std = nn.Parameter(
                torch.full((heads, 1, 1, 1, heads, self.layout.spreads), -0.5)
            )

    def evidence(
        self, lineup: LineupTensors, hidden: Tensor | None = None, own: Tensor | None = None
    ) -> Tensor:
        """See `Head.evidence`.

        Raises:
            ShapeError: without `own`.
        """
        if own is None:
            raise ShapeError(
                f"{type(self).__name__} needs `own`: let Population.evidence read the lineup"
            )
        batch, time, slots = lineup.mask.shape
        observers = self.num_observers
        rows = self.states(lineup, hidden)
        outputs = self.output.forward(rows.flatten(1, 2))
        outputs = outputs.view(observers, time, batch, slots, self.num_agents, -1)
        actions = self.layout.from_features(lineup.actions.transpose(0, 1))  # (T, B, K, ...)
        actions = actions.unsqueeze(3).expand(observers, *outputs.shape[1:5], *actions.shape[3:])
        # (J, T, B, K, N)
        allowed = self.allowed(lineup.observations.transpose(0, 1))  # (T, B, K, outputs)
        allowed = None if allowed is None else allowed.unsqueeze(3)
        steps = self.layout.distribution(outputs, self.log_std, allowed).log_probability(actions)
        myself = self.identity.bool().view(observers, 1, 1, 1, self.num_agents)
        steps = torch.where(myself, own.permute(2, 1, 0, 3).unsqueeze(-1), steps)
        return accumulate(steps, lineup.mask)

    def states(self, lineup: LineupTensors, hidden: Tensor | None = None) -> Tensor:
        """See `Head.states`: of the models of the others."""
        return self.models.sequence(self._seen(lineup, hidden))  # (J, T, B*K, H)

    def loss(self, evidence: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """See `Head.loss`; here behaviour cloning: the negative log-likelihood of the others'
        actions up to the last prefix, nats per step.

        With P random prefixes of T the scale is that of T / P steps.
        """
        index = target[..., None].expand(*evidence.shape[:1], *evidence.shape[2:4], 1)
        total = evidence[:, -1].gather(-1, index).squeeze(-1)  # (B, J, K)
        observers = torch.arange(evidence.shape[2], device=target.device)
        other = target != observers.view(1, -1, 1)  # (B, J, K)
        steps = other * mask.sum(1)
        return -(total * other).sum() / steps.sum().clamp_min(1.0)

    def _seen(self, lineup: LineupTensors, hidden: Tensor | None) -> Tensor:
        """What the others acted on, without their actions: (J, T, B*K, D)."""
        seen = (
            lineup.observations.transpose(0, 1).flatten(1, 2).unsqueeze(0)
            if hidden is None
            else hidden
        )
        if not seen.shape[-1]:
            seen = seen.new_zeros(*seen.shape[:-1], 1)  # a world without observations
        return seen.expand(self.num_observers, -1, -1, -1)


@register_head("likelihood_gru")
class RecurrentLikelihoodHead(LikelihoodHead):
    """The same with recurrent models of the others, for agents that act on what they remember."""

    memory = True
