"""The observer of whole lineups: attention across slots, trained with the likelihood of the true permutation.

Shapes: B batch, T time, K lineup slots, J observers, N agents, H hidden.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mirrorenv.mirror import MAX_EXACT_AGENTS
from mirrorenv.population.heads.additive import AdditiveHead
from mirrorenv.population.heads.base import LineupTensors, accumulate, register_head
from mirrorenv.population.layers import StackedLinear
from mirrorenv.population.permutations import permutation_loss
from mirrorenv.population.settings import ObserverSettings, PopulationShape

__all__ = ["JointHead"]


@register_head("joint")
class JointHead(AdditiveHead):
    """Additive evidence in which each slot's step is read beside what all slots have done so far.

    After every step, the slots' summaries attend to one another (Lee et al. 2019, "Set Transformer", one block with one
    head and no positions, so that permuting the slots permutes the evidence). The loss is the negative log-likelihood
    of the true permutation under p(sigma) ~ exp sum_k S[k, sigma(k)], so the evidence is decoded as permutation
    marginals: that every agent made exactly one of the trajectories is known, and need not be learned.
    """

    whole_lineup = True

    def __init__(
        self, shape: PopulationShape, settings: ObserverSettings, trunk_width: int, generator: torch.Generator
    ) -> None:
        super().__init__(shape, settings, trunk_width, generator)
        heads, hidden = shape.num_agents, settings.hidden
        self.joint = heads <= MAX_EXACT_AGENTS  # above, marginals are not computed exactly: decoded row by row
        self.state = StackedLinear(heads, 2 * hidden, hidden, 2**0.5, generator)
        self.query = StackedLinear(heads, hidden, hidden, 1.0, generator)
        self.key = StackedLinear(heads, hidden, hidden, 1.0, generator)
        self.value = StackedLinear(heads, hidden, hidden, 1.0, generator)
        self.mix = StackedLinear(heads, hidden, hidden, 2**0.5, generator)
        self.output = StackedLinear(heads, 2 * hidden, shape.num_agents, 0.01, generator)

    def evidence(self, lineup: LineupTensors, hidden: Tensor | None = None, own: Tensor | None = None) -> Tensor:
        """See `Head.evidence`."""
        batch, time, slots = lineup.mask.shape
        live = lineup.mask.transpose(0, 1).unsqueeze(-1)  # (T, B, K, 1)
        steps = self._encode(lineup, hidden)  # (J, T*B*K, H)
        so_far = (steps.view(-1, time, batch, slots, steps.shape[-1]) * live).cumsum(1)
        so_far = (so_far / live.cumsum(0).clamp_min(1.0)).flatten(1, 3)  # mean over each slot's past, (J, T*B*K, H)
        states = torch.relu(self.state.forward(torch.cat([steps, so_far], -1)))
        context = torch.relu(self.mix.forward(states + self._attend(states, live.flatten(0, 1))))
        outputs = self.output.forward(torch.cat([steps, context], -1))
        return accumulate(outputs.view(-1, time, batch, slots, self.num_agents), lineup.mask)

    def loss(self, evidence: Tensor, authors: Tensor, mask: Tensor) -> Tensor:
        """Negative log-likelihood of the true permutation in nats per trajectory, mean over observers and prefixes.

        A prefix counts where at least one slot's step happened. Arguments as `Head.loss`.
        """
        nll = permutation_loss(evidence, authors[:, None, None, :])  # (B, T, J)
        weight = mask.amax(2, keepdim=True)  # (B, T, 1)
        return (nll * weight).sum() / (weight.sum() * nll.shape[2]).clamp_min(1.0)

    def _attend(self, states: Tensor, live: Tensor) -> Tensor:
        """What each slot takes from its lineup's live slots: states (J, T*B*K, H), live (T*B, K, 1) -> as states."""
        count, slots, _ = live.shape
        query, key, value = (
            part.forward(states).view(-1, count, slots, states.shape[-1]) for part in (self.query, self.key, self.value)
        )  # (J, T*B, K, H)
        score = query @ key.transpose(2, 3) * states.shape[-1] ** -0.5  # (J, T*B, K, K)
        score = score + (live.transpose(1, 2) - 1.0) * 1e9  # a slot that has ended is not looked at
        attended: Tensor = score.softmax(-1) @ value  # (J, T*B, K, H)
        return attended.flatten(1, 2)
