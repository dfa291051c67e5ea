"""Proximal policy optimisation of whole episodes (Schulman et al. 2017, arXiv 1707.06347, eq. 7).

Shapes: B episodes, T time, N agents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mirrorenv.errors import ConfigError
from mirrorenv.population.actors import ActorOutput
from mirrorenv.population.fused_losses import Coefficients, clipped_loss
from mirrorenv.population.objectives.base import (
    Batch,
    HiddenStates,
    Host,
    Metrics,
    Objective,
    ObjectiveSettings,
)
from mirrorenv.population.population import Population
from mirrorenv.population.settings import LearningSettings

__all__ = ["PPO", "ppo_loss"]


class PPO(Objective):
    """The actors learn from their advantages, the critics from their targets.

    Args:
        population: whose actors.
        learning: coefficients, step size and gradient norm.
    """

    def __init__(self, population: Population, learning: LearningSettings) -> None:
        settings = ObjectiveSettings(
            name="ppo", learning_rate=learning.learning_rate, grad_norm=learning.grad_norm
        )
        super().__init__(settings, Host({}), torch.Generator())
        self.learning = learning
        self._actor = (population.actor,)  # the population's, not a part of this

    def parts(self) -> dict[str, tuple[nn.Module | Iterable[nn.Parameter], float]]:
        """See `Objective.parts`: actors and critics."""
        return {"actor": (self._actor[0], self.settings.learning_rate)}

    def loss(
        self, population: Population | None, output: HiddenStates, batch: Batch
    ) -> tuple[Tensor, Metrics]:
        """See `Objective.loss` and `ppo_loss`.

        Raises:
            ConfigError: if the host does not act.
        """
        if not isinstance(output, ActorOutput):
            raise ConfigError("PPO learns from what actors say; this host has hidden states only")
        return ppo_loss(output, batch, self.learning)

    def separately_clipped(self) -> list[tuple[nn.Parameter, Any]]:
        """See `Objective.separately_clipped`: the mirror critic, where nothing is paid that it
        predicts."""
        (actor,) = self._actor
        return [] if actor.mirror_paid else actor.mirror_entries()


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
    if settings.update == "fast":
        return _fused(output, batch, settings)
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


def _fused(
    output: ActorOutput, batch: Mapping[str, Tensor], settings: LearningSettings
) -> tuple[Tensor, dict[str, Tensor]]:
    """`ppo_loss` with values and gradients in one pass."""
    log_probability, entropy = output.distribution.of_chosen(batch["actions"])
    loss, metrics = clipped_loss(
        log_probability,
        entropy,
        (output.environment_value, output.mirror_value),
        batch,
        Coefficients(settings.clip, settings.value_weight, settings.entropy),
    )
    return loss, {**metrics, **{name: one.detach() for name, one in output.metrics.items()}}
