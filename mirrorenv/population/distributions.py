"""How agents choose: distributions of actions, given what a policy puts out.

Shapes: A policy outputs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["ActionDistribution"]

# the closest a squashed action comes to its bound: atanh stays finite in float32
_EDGE = 1.0 - 1e-6


class ActionDistribution:
    """The distribution of actions given policy outputs (..., A): categorical, or a squashed
    diagonal Gaussian.

    A continuous action is tanh(u), u Gaussian, in (-1, 1): every part of it has an effect in the
    world, so nobody can hide a name in a part that is clipped away. Worlds with other bounds are
    scaled outside.

    Args:
        outputs: logits (..., A), or means of u (..., A).
        log_std: None for categorical, else the log standard deviation of u, broadcastable to the
            means.
    """

    def __init__(self, outputs: Tensor, log_std: Tensor | None) -> None:
        self.outputs = outputs
        self.log_std = log_std

    def sample(self, generator: torch.Generator) -> Tensor:
        """Actions (...) int64, or (..., A) float32 in (-1, 1)."""
        if self.log_std is None:
            # Gumbel-max: one draw per logit, no loop over rows and no global random state.
            waiting = torch.empty_like(self.outputs).exponential_(generator=generator)
            return (self.outputs - waiting.log()).argmax(-1)
        noise = torch.randn(self.outputs.shape, generator=generator)
        return torch.tanh(self.outputs + noise * self.log_std.exp()).clamp(-_EDGE, _EDGE)

    def log_probability(self, actions: Tensor) -> Tensor:
        """Log probability (categorical) or log density (continuous) in nats, shape (...)."""
        if self.log_std is None:
            chosen = self.outputs.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
            return chosen - self.outputs.logsumexp(-1)
        z = (torch.atanh(actions) - self.outputs) / self.log_std.exp()
        gaussian = -0.5 * z * z - self.log_std - 0.5 * math.log(2 * math.pi)
        # change of variables d tanh(u) / du
        return (gaussian - torch.log1p(-actions * actions)).sum(-1)

    def entropy(self) -> Tensor:
        """Entropy in nats, shape (...); for continuous actions that of u, before squashing."""
        if self.log_std is None:
            log_p = self.outputs.log_softmax(-1)
            return -(log_p.exp() * log_p).sum(-1)
        per_entry = self.log_std + 0.5 * math.log(2 * math.pi * math.e)
        return per_entry.expand_as(self.outputs).sum(-1)
