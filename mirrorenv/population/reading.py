"""Held-out episodes, read by every observer and by the exact limit.

Shapes: B episodes, T time, N agents, K lineup slots (K = N), J observers (J = N).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from mirrorenv.envs.base import ArrayWorld
from mirrorenv.mirror import EpisodeBatch, Neighbourhood, log_permutation_marginals
from mirrorenv.mirror.arrays import Floats32, Floats64, Ints64
from mirrorenv.population.columns import as_floats
from mirrorenv.population.experience import HELD_OUT_EPISODES, Experience, play, world_seeds
from mirrorenv.population.observers import row_log_belief
from mirrorenv.population.population import Population, lineup_tensors
from mirrorenv.population.settings import Draws

__all__ = [
    "author_log_belief",
    "observer_evidence",
    "play_held_out",
    "policy_log_probabilities",
]

# numbers at work at once: what fits the caches, as benchmarks/speed/evidence.py measured it
CHUNK = 1 << 19


def play_held_out(
    population: Population,
    world: ArrayWorld,
    *,
    seed: int,
    part: int = 0,
    draws: Draws = "own",
) -> Experience:
    """One episode in each of the world's copies, on which no one is trained.

    Args:
        population: who acts.
        world: B copies.
        seed: of the run; the same seed and part give the same worlds and draws at every
            checkpoint.
        part: different parts share no episode.
        draws: whether what agents draw follows from seed and part, or from the part alone, as in
            runs that do not say `evaluation.draws` (see `mirrorenv.population.migration`).

    Returns:
        B episodes with their ids, `episode`.
    """
    batch = world.num_envs
    episodes = HELD_OUT_EPISODES + np.arange(batch, dtype=np.int64) + part * batch
    seeds = world_seeds(seed, episodes)
    generator = _generator(seed, int(episodes[0]), int(seeds[0]), draws)
    return play(world, population, seeds, generator).with_columns(episode=episodes)


def _generator(seed: int, first: int, world_seed: int, draws: Draws) -> torch.Generator:
    """PyTorch's CPU generator takes 32 bits of a seed, so whatever decides has to be hashed into
    them; unhashed, the seed of the first world leaves its episode alone."""
    if draws == "common":
        return torch.Generator().manual_seed(world_seed % 2**63)
    hashed = np.random.SeedSequence([seed, first]).generate_state(1, np.uint32)
    return torch.Generator().manual_seed(int(hashed[0]))


@torch.no_grad()
def observer_evidence(
    population: Population, record: EpisodeBatch, lineups: Neighbourhood
) -> Floats32:
    """Show observers their shuffled lineups, then undo the shuffle.

    Args:
        population: whose observers read.
        record: B episodes.
        lineups: which agents each observer is shown, and in which order.

    Returns:
        (B, T, J, K, K) evidence in nats after every step, J = N; slots and columns in the order of
        the candidates, which is the reveal.
    """
    parts = []
    for rows, _, evidence in _read(population, record, lineups, None):
        slot_of = np.argsort(lineups.permutation[rows], axis=2)  # (b, J, K) of each candidate
        index = slot_of[:, None, :, :, None]
        parts.append(np.take_along_axis(evidence.numpy(), index, axis=3))
    return np.concatenate(parts)


@torch.no_grad()
def author_log_belief(
    population: Population,
    record: EpisodeBatch,
    lineups: Neighbourhood,
    observers: Ints64 | None = None,
) -> Floats32:
    """Log belief of observers in the true author of every trajectory after every step.

    Args:
        population: whose observers read.
        record: B episodes.
        lineups: which agents each observer is shown, and in which order.
        observers: (J',) only these, where all read one order; None: all.

    Returns:
        (B, T, J', N) log q_j(n | tau_n up to and including step t); 0 for agents not shown.
    """
    readers = population.shape.num_agents if observers is None else len(observers)
    found = np.empty((*record.mask.shape[:2], readers, lineups.size), np.float32)
    for rows, some, evidence in _read(population, record, lineups, observers):
        target = torch.from_numpy(lineups.permutation[rows])[:, None, :, :, None]
        belief = _log_belief(population, evidence, shared=target.shape[2] == 1)
        chosen = belief.gather(-1, target.expand(*evidence.shape[:4], 1)).squeeze(-1)
        slot_of = np.argsort(lineups.permutation[rows], axis=2)  # (b, J, K) of each candidate
        found[rows, :, some] = np.take_along_axis(chosen.numpy(), slot_of[:, None], axis=3)
    return lineups.by_agent(found)


def _log_belief(population: Population, evidence: Tensor, *, shared: bool) -> Tensor:
    """Decode evidence (..., K, C): row by row, or as marginals of the posterior over
    permutations."""
    if not population.observers.joint:
        return row_log_belief(evidence, shared=shared)
    return torch.from_numpy(log_permutation_marginals(evidence.double().numpy())).float()


def _read(
    population: Population,
    record: EpisodeBatch,
    lineups: Neighbourhood,
    observers: Ints64 | None,
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Rows of episodes and which of the observers, with their evidence (b, T, j, K, K) about these,
    slots as shuffled."""
    batch, time, agents = record.mask.shape
    asked = np.arange(agents) if observers is None else observers
    width = max(lineups.size, population.settings.observer.hidden, _image(record))
    each = time * lineups.size * width
    own_orders = lineups.distance is None and lineups.permutation.shape[1] > 1
    together = 1 if own_orders else len(asked)  # own orders are read one after the other
    for rows in _chunks(batch, each * together):
        shown = lineup_tensors(
            population,
            torch.from_numpy(record.observations[rows]),
            torch.from_numpy(record.actions[rows]),
            torch.from_numpy(record.mask[rows]),
            torch.from_numpy(lineups.authors[rows]),
            None if lineups.distance is None else torch.from_numpy(lineups.candidates[rows]),
        )
        apart = shown.shared and population.observers.stacked
        for some in _chunks(len(asked), each) if apart else [slice(0, len(asked))]:
            whole = observers is None and len(asked[some]) == agents
            only = None if whole else torch.from_numpy(asked[some])
            yield rows, some, population.evidence(shown, only)


def _image(record: EpisodeBatch) -> int:
    """Numbers of an image that becomes floats in every piece, as against the narrow rest; else
    0."""
    return record.observations.shape[-1] if record.observations.dtype == np.uint8 else 0


def _chunks(batch: int, floats: int) -> Iterator[slice]:
    """Rows to work on at once, alike in number.

    Args:
        batch: B.
        floats: numbers at work for each of them.
    """
    count = min(batch, -(-batch * floats // CHUNK))
    edges = np.linspace(0, batch, count + 1).round().astype(int).tolist()
    for start, stop in pairwise(edges):
        yield slice(start, stop)


@torch.no_grad()
def policy_log_probabilities(population: Population, record: EpisodeBatch) -> Floats64:
    """What the exact limit rests on: log pi_n(a | h) of every policy n on every trajectory k,
    memory replayed.

    Returns:
        (B, T, K, N) float64, trajectories in author order.
    """
    agents = population.shape.num_agents
    batch, time, _ = record.mask.shape
    parts = []
    each = time * agents * max(agents * population.settings.hidden, _image(record))
    for rows in _chunks(batch, each):
        seen = as_floats(torch.from_numpy(record.observations[rows]))
        distribution = population.actor.replay(seen)
        actions = torch.from_numpy(record.actions[rows])
        actions = actions.unsqueeze(3).expand(*actions.shape[:3], agents, *actions.shape[3:])
        parts.append(distribution.log_probability(actions).double().numpy())
    return np.concatenate(parts)
