"""A population: N actors and their N observer heads, in one torch module.

Shapes: B batch, T time, N agents, K lineup slots (K = N), J observers (J = N), D observation.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mirrorenv.population.actors import build_actor
from mirrorenv.population.observers import LineupTensors, build_head
from mirrorenv.population.settings import PopulationSettings, PopulationShape

__all__ = ["Population", "author_order", "lineup_tensors"]


class Population(nn.Module):
    """Who acts (`actor`) and who recognises (`observers`).

    Args:
        shape: what the world fixes.
        settings: what the user chose.
        seed: seed of the initial weights; the global random state is not touched.
    """

    def __init__(self, shape: PopulationShape, settings: PopulationSettings, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.shape = shape
        self.settings = settings
        self.actor = build_actor(shape, settings, generator)
        self.observers = build_head(shape, settings.observer, settings.hidden, generator)

    def evidence(self, lineup: LineupTensors) -> Tensor:
        """What every observer makes of every slot after every step, (B, T, J, K, N); see
        `Head.evidence`."""
        lineup = self.shown(lineup)
        own = self._own_log_probability(lineup) if self.observers.needs_own else None
        trunk = self.settings.observer.trunk
        if trunk == "separate":
            return self.observers.evidence(lineup, own=own)
        hidden = self.actor.read(lineup.observations)
        return self.observers.evidence(
            lineup, hidden.detach() if trunk == "stopped" else hidden, own
        )

    def shown(self, lineup: LineupTensors) -> LineupTensors:
        """The lineup with zeros in the place of what the heads do not read (`observer.reads`)."""
        reads = self.settings.observer.reads
        if reads == "observations":
            return lineup._replace(actions=torch.zeros_like(lineup.actions))
        if reads == "actions":
            return lineup._replace(observations=torch.zeros_like(lineup.observations))
        return lineup

    @torch.no_grad()
    def _own_log_probability(self, lineup: LineupTensors) -> Tensor:
        """How probable observer j's own policy finds slot k's step, (B, T, J, K), by its present
        weights."""
        actions = lineup.actions.argmax(-1) if self.shape.num_actions else lineup.actions
        return self.actor.replay_log_probability(lineup.observations, actions).transpose(2, 3)

    def action_features(self, actions: Tensor) -> Tensor:
        """Actions (...) int64 or (..., A) float32 as observers read them, (..., A) float32."""
        if self.shape.num_actions:
            return F.one_hot(actions, self.shape.num_actions).to(torch.float32)
        return actions


def lineup_tensors(
    population: Population, observations: Tensor, actions: Tensor, mask: Tensor, permutation: Tensor
) -> LineupTensors:
    """Shuffle author-ordered episodes into lineups.

    Args:
        population: knows how actions are encoded.
        observations: (B, T, N, D) float32.
        actions: (B, T, N) int64 or (B, T, N, A) float32.
        mask: (B, T, N) bool or float32.
        permutation: (B, K) int64, slot k shows agent permutation[b, k].
    """
    features = population.action_features(actions)
    index = permutation[:, None, :]  # (B, 1, K)

    def shuffle(x: Tensor) -> Tensor:
        return x.gather(2, index[..., None].expand(-1, x.shape[1], -1, x.shape[-1]))

    shown = mask.to(torch.float32).gather(2, index.expand(-1, mask.shape[1], -1))
    return LineupTensors(shuffle(observations), shuffle(features), shown)


def author_order(per_slot: np.ndarray, permutation: np.ndarray) -> np.ndarray:
    """Undo the shuffle after the reveal: (B, T, J, K) by slot -> (B, T, J, N) by agent."""
    inverse = np.argsort(permutation, axis=1)  # (B, N): the slot that shows agent n
    return np.take_along_axis(per_slot, inverse[:, None, None, :], axis=3)
