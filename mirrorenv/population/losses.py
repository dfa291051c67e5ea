"""The loss of a population on a minibatch of whole episodes: planners, critics, observers.

Shapes: B episodes, T time, N agents, K lineup slots.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from mirrorenv.population.heads import LineupTensors
from mirrorenv.population.planner import PlannerOutput
from mirrorenv.population.population import Population, lineup_tensors
from mirrorenv.population.settings import LearningSettings, ObserverSettings

__all__ = ["Reading", "observer_loss", "planner_loss", "read_minibatch"]


class Reading(NamedTuple):
    """What the heads made of a minibatch, with the names they are to be taught."""

    evidence: Tensor
    """(B, P, J, K', N) evidence after the chosen prefixes, on the chosen slots."""
    labels: Tensor
    """(B, K') int64."""
    mask: Tensor
    """(B, P, K') float32."""


def read_minibatch(
    population: Population, batch: Mapping[str, Tensor], settings: ObserverSettings, generator: torch.Generator
) -> Reading:
    """Show the minibatch's lineups to every observer, or random slots and prefixes of them if so set."""
    lineup = lineup_tensors(population, batch["observations"], batch["actions"], batch["mask"], batch["permutation"])
    labels = batch["labels"]
    slots, time = labels.shape[1], lineup.mask.shape[1]
    if 0 < settings.slots_per_update < slots and not population.head.whole_lineup:
        chosen = torch.randperm(slots, generator=generator)[: settings.slots_per_update]
        lineup = LineupTensors(*(part[:, :, chosen] for part in lineup))
        labels = labels[:, chosen]
    evidence, mask = population.evidence(lineup), lineup.mask
    if 0 < settings.prefixes_per_update < time:
        prefixes = torch.randperm(time, generator=generator)[: settings.prefixes_per_update].sort().values
        evidence, mask = evidence[:, prefixes], mask[:, prefixes]
    return Reading(evidence, labels, mask)


def observer_loss(population: Population, reading: Reading) -> tuple[Tensor, dict[str, Tensor]]:
    """The heads' own loss in nats, and the share of slots named right over all prefixes."""
    loss = population.head.loss(reading.evidence, reading.labels, reading.mask)
    with torch.no_grad():
        right = (reading.evidence.argmax(-1) == reading.labels[:, None, None, :]).float()  # (B, P, J, K')
        weight = reading.mask.unsqueeze(2).expand_as(right)
        accuracy = (right * weight).sum() / weight.sum().clamp_min(1.0)
    return loss, {"observer_loss": loss.detach(), "observer_accuracy": accuracy}


def planner_loss(
    output: PlannerOutput, batch: Mapping[str, Tensor], settings: LearningSettings
) -> tuple[Tensor, dict[str, Tensor]]:
    """Clipped surrogate, entropy bonus and two critics, averaged over the steps that happened.

    Args:
        output: the planners on the minibatch, (B, T, N, ...).
        batch: `actions`, `log_probability`, `advantage`, `environment_target`, `mirror_target`, `mask`.
        settings: coefficients.

    Returns:
        the loss, and detached metrics.
    """
    mask = batch["mask"]
    count = mask.sum().clamp_min(1.0)

    def mean(x: Tensor) -> Tensor:
        return (x * mask).sum() / count

    log_ratio = output.law.log_probability(batch["actions"]) - batch["log_probability"]
    ratio = log_ratio.exp()
    advantage = batch["advantage"]
    clipped = ratio.clamp(1 - settings.clip, 1 + settings.clip)
    policy_loss = -mean(torch.minimum(ratio * advantage, clipped * advantage))
    value_loss = mean((output.environment_value - batch["environment_target"]).square())
    mirror_value_loss = mean((output.mirror_value - batch["mirror_target"]).square())
    entropy = mean(output.law.entropy())
    loss = policy_loss + settings.value_weight * (value_loss + mirror_value_loss) - settings.entropy * entropy
    with torch.no_grad():
        kl = mean(ratio - 1 - log_ratio)  # Schulman's low-variance estimate
    metrics = {
        "policy_loss": policy_loss,
        "value_loss": value_loss,
        "mirror_value_loss": mirror_value_loss,
        "entropy": entropy,
        "kl": kl,
    }
    return loss, {name: value.detach() for name, value in metrics.items()}
