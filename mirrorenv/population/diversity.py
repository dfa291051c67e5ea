"""DiCo style: how far the policies lie apart is set, and not paid for (Bettini, Kortvelesy, Prorok,
"Controlling behavioral diversity in multi-agent reinforcement learning", ICML 2024).

Every policy is one that all share plus a deviation of its own, scaled so that they lie as far apart
as asked::

    f_i(h) = reach tanh(common(h) / reach) + (desired / estimate) (own_i(h) - mean_j own_j(h))

``estimate`` is the system neural diversity (SND; Bettini, Shankar, Prorok 2023) of the own parts:
the distance between two agents' outputs after one history, mean over pairs and over the histories
of a minibatch, followed slowly. No reward and no loss asks for diversity. Gradients go through the
estimate as if it were the minibatch's own, so nobody gains by a deviation that shrinks or grows.

Two things are not in the paper. The common part is bounded here, and what the own parts have in
common is taken away: without either, training for a reward of being alike ended in outputs so large
that the distance set no longer mattered. So every network reads everybody's history, and acting
costs N times as much.

Style, because outputs here may also be logits. For continuous actions the distance is the
2-Wasserstein distance between Gaussians of one spread, before squashing, as in the paper. For
discrete ones it is the Euclidean distance between centred logits: total variation does not grow in
proportion with the scale, as a constraint by scaling needs.

Shapes: B batch, T time, N agents, K slots, A policy outputs, H hidden.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mirrorenv.population.layers import StackedGRU, StackedLinear, StackedMLP
from mirrorenv.population.settings import PopulationSettings, PopulationShape

__all__ = ["CommonPolicy", "neural_diversity"]

_PACE = 0.1  # of the estimate, at every minibatch
# the common part's largest output; of two actions, one then has a probability of at most 0.998
_REACH = 3.0


def neural_diversity(outputs: Tensor, mask: Tensor, *, discrete: bool) -> Tensor:
    """SND of policies on histories, a scalar of zero or more.

    Args:
        outputs: (..., N, A) of every policy for every history: logits, or means before squashing.
        mask: (...) of the histories that count.
        discrete: whether outputs are logits, of which a constant is taken away.
    """
    if discrete:
        outputs = outputs - outputs.mean(-1, keepdim=True)
    first, second = torch.triu_indices(
        outputs.shape[-2], outputs.shape[-2], 1, device=outputs.device
    )
    gaps = outputs[..., first, :] - outputs[..., second, :]  # (..., pairs, A)
    # (...); a gradient where two policies are one
    apart = (gaps.square().sum(-1) + 1e-12).sqrt().mean(-1)
    weight = mask.to(apart.dtype)
    return (apart * weight).sum() / weight.sum().clamp_min(1.0)


class CommonPolicy(nn.Module):
    """What all policies share, and the scale of what they do not.

    Args:
        shape: what the world fixes.
        settings: `diversity` is the SND desired.
        features: width of an observation as networks read it.
        generator: source of the initial weights.
    """

    estimate: Tensor

    def __init__(
        self,
        shape: PopulationShape,
        settings: PopulationSettings,
        features: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.desired = float(settings.diversity or 0.0)
        self.discrete = bool(shape.num_actions)
        self.trunk = (StackedGRU if settings.actor == "gru" else StackedMLP)(
            1, features, settings.hidden, generator
        )
        self.policy = StackedLinear(
            1, settings.hidden, shape.policy_outputs, settings.initial_gain, generator
        )
        self.register_buffer("estimate", torch.zeros(()))  # 0: not measured yet

    @property
    def scale(self) -> Tensor:
        """desired / estimate; 1 before anything has been measured, when all deviations are
        small."""
        known = self.estimate > 0
        return torch.where(
            known, self.desired / self.estimate.clamp_min(1e-6), torch.ones_like(self.estimate)
        )

    @staticmethod
    def apart(own: Tensor) -> Tensor:
        """Deviations: (..., N, A) of every policy for one history -> the same without what all have
        in common."""
        return own - own.mean(-2, keepdim=True)

    def sequence(self, rows: Tensor) -> Tensor:
        """The common part for whole histories: (T, R, F) -> (T, R, A)."""
        hidden = self.trunk.sequence(rows.unsqueeze(0))
        return self._bounded(self.policy(hidden.flatten(1, 2)).view(*rows.shape[:2], -1))

    def step(self, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One step: (1, R, F), memory (1, R, H) -> the common part (1, R, A), next memory."""
        hidden, state = self.trunk.step(rows, state)
        return self._bounded(self.policy(hidden)), state

    def follow(self, own: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Measure the own parts, let the estimate follow, and say by what to scale them.

        With several learners the first one's estimate counts: DDP sends its buffers to the others
        before each pass.

        Args:
            own: (..., N, A) of every policy for every history, apart but not scaled.
            mask: (...) of the histories that count.

        Returns:
            the scale, with its gradient, and the SND of the policies on these histories.
        """
        found = neural_diversity(own, mask, discrete=self.discrete)
        with torch.no_grad():
            self.estimate.lerp_(found, torch.where(self.estimate > 0, _PACE, 1.0))
        # the value of the one, the gradient of the other
        scale = self.scale * (found.detach() / found)
        return scale, (scale * found).detach()

    @staticmethod
    def _bounded(outputs: Tensor) -> Tensor:
        return _REACH * torch.tanh(outputs / _REACH)
