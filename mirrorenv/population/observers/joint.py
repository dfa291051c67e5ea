"""The observer of whole lineups: attention across slots, trained with the likelihood of the true
permutation.

Shapes: B batch, T time, K lineup slots, J observers, N agents, H hidden, W width of the attention.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mirrorenv.mirror import MAX_EXACT_AGENTS
from mirrorenv.population.layers import StackedLinear
from mirrorenv.population.observers.additive import AdditiveHead
from mirrorenv.population.observers.base import LineupTensors
from mirrorenv.population.observers.registry import register_head
from mirrorenv.population.permutations import permutation_loss
from mirrorenv.population.settings import ObserverSettings, PopulationShape

__all__ = ["JointHead"]


@register_head("joint")
class JointHead(AdditiveHead):
    """Additive evidence, corrected after every step by what the other slots have done.

    The slots' summaries so far (mean of the per-step features, and the belief from this slot alone)
    attend to one another: one block with one head and no positions, as in Lee et al. 2019, "Set
    Transformer", so that permuting the slots permutes the evidence. The loss is the negative
    log-likelihood of the true permutation under p(sigma) ~ exp sum_k S[k, sigma(k)], so the
    evidence is to be decoded as permutation marginals: that every agent made exactly one of the
    trajectories is known and need not be learned.

    That likelihood does not see shifts of whole columns. They are fixed so that each agent's
    evidence, over the slots, is a log probability; read row by row it is then one step of Sinkhorn
    towards the marginals.
    """

    whole_lineup = True
    own_lineups = False
    names_candidates = False

    def __init__(
        self,
        shape: PopulationShape,
        settings: ObserverSettings,
        trunk_width: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__(shape, settings, trunk_width, generator)
        self.fusable = False  # its evidence is another one
        heads = shape.num_agents
        hidden = settings.hidden
        # above, marginals are not computed exactly: decoded row by row
        self.joint = heads <= MAX_EXACT_AGENTS
        width = max(8, hidden // 4)
        self.state = StackedLinear(heads, hidden + heads, width, 2**0.5, generator)
        self.query = StackedLinear(heads, width, width, 1.0, generator)
        self.key = StackedLinear(heads, width, width, 1.0, generator)
        self.value = StackedLinear(heads, width, width, 1.0, generator)
        self.mix = StackedLinear(heads, width, width, 2**0.5, generator)
        self.correction = StackedLinear(heads, width, shape.num_agents, 0.01, generator)

    def evidence(
        self, lineup: LineupTensors, hidden: Tensor | None = None, own: Tensor | None = None
    ) -> Tensor:
        """See `Head.evidence`."""
        grid = (lineup.mask.shape[1], lineup.mask.shape[0], lineup.mask.shape[2])  # T, B, K
        live = lineup.mask.transpose(0, 1).unsqueeze(-1)  # (T, B, K, 1)
        steps = self._encode(lineup, hidden).transpose(1, 2).contiguous()  # (J, T*B*K, H)
        # (J, T, B, K, N)
        alone = (self.output.forward(steps).view(-1, *grid, self.num_agents) * live).cumsum(1)
        mean = (steps.view(-1, *grid, steps.shape[-1]) * live).cumsum(1) / live.cumsum(0).clamp_min(
            1.0
        )
        so_far = torch.cat([mean, alone.softmax(-1)], -1).flatten(1, 3)  # (J, T*B*K, H + N)
        states = torch.relu(self.state.forward(so_far))  # (J, T*B*K, W)
        context = torch.relu(self.mix.forward(states + self._attend(states, grid[2])))
        total = alone + self.correction.forward(context).view_as(alone)
        return (total - total.logsumexp(3, keepdim=True)).permute(2, 1, 0, 3, 4)

    def loss(self, evidence: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """See `Head.loss`; here the negative log-likelihood of the true permutation in nats per
        trajectory, mean over observers and prefixes.

        A prefix counts where at least one slot's step happened.
        """
        nll = permutation_loss(evidence, target[:, None])  # (B, T, J)
        weight = mask.amax(3)  # (B, T, 1)
        return (nll * weight).sum() / (weight.sum() * nll.shape[2]).clamp_min(1.0)

    def _attend(self, states: Tensor, slots: int) -> Tensor:
        """What each slot takes from its lineup, itself included: (J, T*B*K, W) -> the same
        shape."""
        query, key, value = (
            part.forward(states).view(len(states), -1, slots, states.shape[-1])
            for part in (self.query, self.key, self.value)
        )  # (J, T*B, K, W)
        score = query @ key.transpose(2, 3) * states.shape[-1] ** -0.5  # (J, T*B, K, K)
        attended: Tensor = score.softmax(-1) @ value
        return attended.flatten(1, 2)
