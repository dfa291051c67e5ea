"""Heads that read neighbourhoods: every observer its own lineup of K trajectories instead of all N.

Shape legend: B batch, T time, N agents, J observers (J = N), K candidates and slots, D observation, A action.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mirrorenv.errors import ConfigError
from mirrorenv.population.heads import LineupTensors
from mirrorenv.population.population import Population

__all__ = ["neighbourhood_loss", "read_neighbourhood"]


def read_neighbourhood(
    population: Population, observations: Tensor, actions: Tensor, mask: Tensor, authors: Tensor, candidates: Tensor
) -> Tensor:
    """What every observer makes of its own lineup after every step.

    Args:
        population: whose heads read; their kind has `own_lineups` and weights of its own.
        observations: (B, T, N, D) float32, in agent order.
        actions: (B, T, N) int64 or (B, T, N, A) float32.
        mask: (B, T, N) float32 or bool.
        authors: (B, J, K) int64, whose trajectory stands in each slot: the candidates in shuffled order.
        candidates: (B, J, K) int64, ascending (:func:`mirrorenv.mirror.nearest_agents`).

    Returns:
        (B, T, J, K, K) evidence that slot k was made by candidate c.

    Raises:
        ConfigError: if the head needs whole lineups, or reads with the policies' trunks.
    """
    head = population.head
    if not head.own_lineups or head.reads_hidden:
        raise ConfigError(
            f"the head '{population.settings.observer.head}' with trunk '{population.settings.observer.trunk}' cannot "
            "read neighbourhoods; use head 'additive' or 'gru' with trunk 'separate'"
        )
    features = population.action_features(actions)
    slots = authors.shape[2]

    def shown(x: Tensor) -> Tensor:  # (B, T, N, X) -> (J, B, T, K, X)
        batch, time, _, width = x.shape
        index = authors.reshape(batch, 1, -1, 1).expand(-1, time, -1, width)
        return x.gather(2, index).view(batch, time, -1, slots, width).permute(2, 0, 1, 3, 4)

    seen = shown(mask.to(torch.float32).unsqueeze(-1)).squeeze(-1)
    evidence = head.evidence(LineupTensors(shown(observations), shown(features), seen))  # (B, T, J, K, N)
    columns = candidates[:, None, :, None, :].expand(*evidence.shape[:4], slots)
    return evidence.gather(4, columns)


def neighbourhood_loss(evidence: Tensor, permutation: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy among the candidates in nats, mean over observers, slots and prefixes.

    Args:
        evidence: (B, T, J, K, K), from :func:`read_neighbourhood`.
        permutation: (B, J, K) int64, slot k shows candidate ``permutation[b, j, k]``.
        mask: (B, T, J, K) float32, 1 where the slot's step happened.
    """
    target = permutation[:, None, :, :, None].expand(*evidence.shape[:4], 1)
    log_belief = evidence.log_softmax(-1).gather(4, target).squeeze(4)  # (B, T, J, K)
    return -(log_belief * mask).sum() / mask.sum().clamp_min(1.0)
