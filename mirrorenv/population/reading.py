"""Held-out episodes, read by every observer and by the exact limit.

Shapes: B episodes, T time, N agents, K lineup slots (K = N), J observers (J = N).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mirrorenv.envs.base import ArrayWorld
from mirrorenv.mirror import EpisodeBatch, lineup_permutations
from mirrorenv.population.experience import Experience, play, world_seeds
from mirrorenv.population.population import Population, lineup_tensors

__all__ = ["HeldOut", "observer_evidence", "play_held_out", "policy_log_probabilities"]

_HELD_OUT = 1 << 31  # episode ids from here on are never trained on
_CHUNK = 1 << 24  # floats of evidence or hidden state held at once


@dataclass(frozen=True)
class HeldOut:
    """Episodes nobody is trained on, and their ids."""

    experience: Experience
    episodes: NDArray[np.int64]

    def record(self) -> EpisodeBatch:
        """The same episodes as a plain record, for observers that know no policy gradient."""
        e = self.experience
        return EpisodeBatch(
            observations=e.observations, actions=e.actions, rewards=e.rewards, mask=e.mask
        )


def play_held_out(
    population: Population, world: ArrayWorld, *, seed: int, part: int = 0
) -> HeldOut:
    """One episode in each of the world's copies.

    Args:
        population: who acts.
        world: B copies.
        seed: of the run; the same seed and part give the same worlds at every checkpoint.
        part: different parts share no episode.
    """
    batch = world.num_envs
    episodes = _HELD_OUT + np.arange(batch, dtype=np.int64) + part * batch
    seeds = world_seeds(seed, episodes)
    generator = torch.Generator().manual_seed(int(seeds[0]) % 2**63)
    return HeldOut(play(world, population, seeds, generator), episodes)


@torch.no_grad()
def observer_evidence(
    population: Population, held_out: HeldOut, *, run: int
) -> NDArray[np.float32]:
    """Show every observer its own shuffled lineups, then undo its shuffle.

    Returns:
        (B, T, J, K, N) float32 evidence after every step, slots back in author order: the reveal.
    """
    agents = population.shape.num_agents
    experience = held_out.experience
    batch, time, _ = experience.mask.shape
    read = np.empty((batch, time, agents, agents, agents), np.float32)
    size = max(1, _CHUNK // (time * agents**2 * max(agents, population.settings.hidden)))
    for observer in range(agents):
        permutation = lineup_permutations(run, held_out.episodes, observer, agents)  # (B, K)
        slot_of = np.argsort(permutation, axis=1)[:, None, :, None]  # (B, 1, N, 1)
        for start in range(0, batch, size):
            rows = slice(start, start + size)
            seen, done, mask = (torch.from_numpy(x[rows]) for x in _shown(experience))
            lineup = lineup_tensors(
                population, seen, done, mask, torch.from_numpy(permutation[rows])
            )
            evidence = population.evidence(lineup)[:, :, observer].numpy()  # (b, T, K, N)
            read[rows, :, observer] = np.take_along_axis(evidence, slot_of[rows], axis=2)
    return read


@torch.no_grad()
def policy_log_probabilities(population: Population, experience: Experience) -> NDArray[np.float64]:
    """What the exact limit rests on: log pi_n(a | h) of every policy n on every trajectory k,
    memory replayed.

    Returns:
        (B, T, K, N) float64, trajectories in author order.
    """
    agents = population.shape.num_agents
    batch, time, _ = experience.mask.shape
    size = max(1, _CHUNK // (time * agents**2 * population.settings.hidden))
    parts = []
    for start in range(0, batch, size):
        rows = slice(start, start + size)
        distribution = population.actor.replay(torch.from_numpy(experience.observations[rows]))
        actions = torch.from_numpy(experience.actions[rows])
        actions = actions.unsqueeze(3).expand(*actions.shape[:3], agents, *actions.shape[3:])
        parts.append(distribution.log_probability(actions).double().numpy())
    return np.concatenate(parts)


def _shown(experience: Experience) -> tuple[NDArray[Any], ...]:
    return experience.observations, experience.actions, experience.mask
