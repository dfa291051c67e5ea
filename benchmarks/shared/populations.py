"""Recorded populations that are hard to tell apart: the exact limit is half of log N.

Untrained actors are individuals by accident of their initial weights, the more so the larger their
last layer is. For each draw of a population, the gain of that layer is set by bisection on pilot
episodes, so that the limit (decoded over the lineup) is half of log N: there an observer can be
told from a better one, and from the best. Everything follows from the seed; nothing is stored.

ants       actors without memory, four ants on a line, 32 steps, nothing seen of the others
ants-see   recurrent actors, ants that see one another
pacmen     recurrent actors in Pac-Men, 25 steps: they remember, and see one another
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.shared.readers import Recording
from mirrorenv.envs import make_batch
from mirrorenv.mirror import Belief, EpisodeBatch, episode_information
from mirrorenv.population.experience import play, population_shape
from mirrorenv.population.population import Population
from mirrorenv.population.settings import PopulationSettings

PILOT = 300
"""Episodes that the gain is set on; nobody learns from them or is tested on them."""


class Case(NamedTuple):
    """A world, and actors to act in it."""

    world: str
    options: dict[str, Any]
    trunk: Literal["mlp", "gru"]


CASES = {
    "ants": Case("mirrorenv/ants-v0", {}, "mlp"),
    "ants-see": Case("mirrorenv/ants-v0", {"see_others": True}, "gru"),
    "pacmen": Case("mirrorenv/pacmen-v0", {"horizon": 25}, "gru"),
}


def population_at_half(case: Case, seed: int) -> Population:
    """A population of untrained actors whose exact limit is half of log N on the pilot episodes."""
    shape = population_shape(make_batch(case.world, num_envs=1, **case.options))
    population = Population(
        shape, PopulationSettings(actor=case.trunk, hidden=32, initial_gain=1.0), seed=seed
    )
    weight = population.actor.policy.weight
    unit = weight.detach().clone()
    low = math.log(0.1)
    high = math.log(10.0)
    for _ in range(8):
        middle = (low + high) / 2
        with torch.no_grad():
            weight.copy_(unit * math.exp(middle))
        nats = limit_nats(record_episodes(population, case, seed, "pilot", PILOT))
        low, high = (low, middle) if nats > 0.5 * math.log(shape.num_agents) else (middle, high)
    return population


def record_episodes(
    population: Population, case: Case, seed: int, part: str, episodes: int
) -> Recording:
    """Play and keep episodes; different parts share none.

    Args:
        population: who acts.
        case: where.
        seed: of the population.
        part: `"pilot"`, `"past"` or `"test"`.
        episodes: B.
    """
    number = ("pilot", "past", "test").index(part)
    world = make_batch(case.world, num_envs=episodes, **case.options)
    seeds = np.arange(episodes, dtype=np.int64) + (3 * seed + number + 1) * 1_000_000
    record = play(world, population, seeds, torch.Generator().manual_seed(3 * seed + number))
    return Recording(population.shape, record, replayed(population, record), population)


@torch.no_grad()
def replayed(population: Population, record: EpisodeBatch) -> NDArray[np.float32]:
    """(B, T, K, N): what every policy thinks of every step."""
    seen = torch.from_numpy(record.observations)
    done = torch.from_numpy(record.actions)
    log_p: NDArray[np.float32] = population.actor.replay_log_probability(seen, done).numpy()
    return log_p


def limit_of(record: Recording) -> Belief:
    """(B, 1, K, N): the exact limit; every step of these worlds happens."""
    return Belief(record.log_p.astype(np.float64).sum(1)[:, None])


def limit_nats(record: Recording) -> float:
    """Information of the exact limit, decoded over the lineup, in nats per trajectory."""
    belief = limit_of(record).log_belief("marginals")
    return float(
        episode_information(
            belief, np.broadcast_to(np.arange(belief.shape[-1]), belief.shape[:-1])
        ).mean()
    )
