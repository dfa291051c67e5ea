"""Proximal policy optimisation of whole episodes (Schulman et al. 2017, arXiv 1707.06347, eq. 7).

Shapes: B episodes, T time, N agents.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mirrorenv.population.actors import ActorOutput
from mirrorenv.population.settings import LearningSettings

__all__ = ["ppo_loss"]


def ppo_loss(
    output: ActorOutput, batch: Mapping[str, Tensor], settings: LearningSettings
) -> tuple[Tensor, dict[str, Tensor]]:
    """Clipped surrogate, entropy bonus and two critics, averaged over the steps that happened.

    Args:
        output: the actors on the minibatch, (B, T, N, ...).
        batch: `actions`, `log_probability`, `advantage`, `environment_target`, `mirror_target`,
            `mask`.
        settings: coefficients.

    Returns:
        the loss, and detached metrics.
    """
    mask = batch["mask"]
    count = mask.sum().clamp_min(1.0)

    def mean(x: Tensor) -> Tensor:
        return (x * mask).sum() / count

    log_ratio = output.distribution.log_probability(batch["actions"]) - batch["log_probability"]
    ratio = log_ratio.exp()
    advantage = batch["advantage"]
    clipped = ratio.clamp(1 - settings.clip, 1 + settings.clip)
    policy_loss = -mean(torch.minimum(ratio * advantage, clipped * advantage))
    value_loss = mean((output.environment_value - batch["environment_target"]).square())
    mirror_value_loss = mean((output.mirror_value - batch["mirror_target"]).square())
    entropy = mean(output.distribution.entropy())
    loss = (
        policy_loss
        + settings.value_weight * (value_loss + mirror_value_loss)
        - settings.entropy * entropy
    )
    with torch.no_grad():
        kl = mean(ratio - 1 - log_ratio)  # Schulman's low-variance estimate
    metrics = {
        "policy_loss": policy_loss,
        "value_loss": value_loss,
        "mirror_value_loss": mirror_value_loss,
        "entropy": entropy,
        "kl": kl,
        **output.metrics,
    }
    return loss, {name: value.detach() for name, value in metrics.items()}
