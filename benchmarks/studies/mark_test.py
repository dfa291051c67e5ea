"""The mark test on recorded populations: one agent's policy is secretly changed for an episode. Who
notices?

In a marked episode one agent acts by a changed policy: with noise (in each step uniformly at random
with probability epsilon), or with its favourite action masked (in part or altogether). Nothing else
is touched; the others act as ever, and nobody is told. Afterwards every reader gives the agent's
trajectory a score for "that was not me", and the area under its curve against unmarked episodes is
compared with that of the likelihood ratio, which nobody can beat.

Shapes: B episodes, T time, N agents, A actions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.shared.populations import Case, replayed
from benchmarks.shared.readers import Reader, Recording, reader_evidence
from mirrorenv.envs import make_batch
from mirrorenv.mirror import (
    Belief,
    EpisodeBatch,
    area_under_roc,
    likelihood_ratio,
    masked_policy,
    noisy_policy,
)
from mirrorenv.population.population import Population

Floats = NDArray[np.float64]
Change = Callable[[Floats], Floats]
"""(..., A) log policy of an unmarked agent -> (..., A) of the same agent marked."""


class Mark(NamedTuple):
    """How an agent is changed."""

    name: str
    kind: str
    strength: float

    def change(self, favourite: int) -> Change:
        """What it does to the policy of an agent whose most frequent action is `favourite`."""
        if self.kind == "noise":
            return lambda policy: noisy_policy(policy, self.strength)
        return lambda policy: masked_policy(policy, favourite, self.strength)


MARKS = (
    Mark("noise05", "noise", 0.05),
    Mark("noise10", "noise", 0.1),
    Mark("noise20", "noise", 0.2),
    Mark("noise50", "noise", 0.5),
    Mark("noise100", "noise", 1.0),
    Mark("mask50", "mask", 0.5),
    Mark("mask100", "mask", 1.0),
)


def favourites(record: Recording) -> list[int]:
    """Each agent's most frequent action."""
    return [
        int(np.bincount(record.episodes.actions[:, :, n].ravel()).argmax())
        for n in range(record.shape.num_agents)
    ]


@torch.no_grad()
def play_marked(
    population: Population, case: Case, changes: list[Change], episodes: int, seed: int
) -> Recording:
    """Play episodes in which agent `b mod N` of episode b acts by its changed policy."""
    world = make_batch(case.world, num_envs=episodes, **case.options)
    rng = np.random.default_rng(seed)
    actor = population.actor
    agents = population.shape.num_agents
    marked = np.arange(episodes) % agents
    seen = world.reset(np.arange(episodes, dtype=np.int64) + (seed + 1) * 1_000_000)
    state = actor.initial_state(episodes)
    observations = []
    actions = []
    for _ in range(world.horizon):
        rows = torch.from_numpy(np.asarray(seen, np.float32).reshape(episodes, agents, -1))
        output, state = actor.step(rows, state)
        policy = output.distribution.outputs.double().log_softmax(-1).numpy()  # (B, N, A)
        for n, change in enumerate(changes):
            policy[marked == n, n] = change(policy[marked == n, n])
        below = rng.random((episodes, agents, 1)) > np.exp(policy).cumsum(-1)[..., :-1]
        chosen = below.sum(-1)  # (B, N)
        observations.append(rows.numpy())
        actions.append(chosen)
        seen = world.step(chosen).observations
    done = np.stack(actions, 1)
    batch = EpisodeBatch(
        observations=np.stack(observations, 1),
        actions=done,
        rewards=np.zeros(done.shape, np.float32),
        mask=np.ones(done.shape, bool),
    )
    return Recording(population.shape, batch, replayed(population, batch), population)


@torch.no_grad()
def own_policy(population: Population, record: Recording) -> Floats:
    """(B, T, N, A): every agent's log policy on its own trajectory."""
    outputs = population.actor.sequence(
        torch.from_numpy(record.episodes.observations)
    ).distribution.outputs
    policy: Floats = outputs.double().log_softmax(-1).numpy()
    return policy


def taken(policy: Floats, record: Recording) -> Floats:
    """(B, T, N): log probability of what was done."""
    return np.take_along_axis(policy, record.episodes.actions[..., None], axis=-1)[..., 0]


def best_scores(policy: Floats, record: Recording, changes: list[Change]) -> Floats:
    """(B, N): log likelihood ratio of marked against unmarked."""
    plain = taken(policy, record)
    mask = record.episodes.mask
    columns = [
        likelihood_ratio(taken(change(policy), record)[:, :, n], plain[:, :, n], mask[:, :, n])
        for n, change in enumerate(changes)
    ]
    return np.stack(columns, 1)


def policy_scores(policy: Floats, record: Recording) -> dict[str, Floats]:
    """(B, N) of readers that look their own policy up and nothing else: surprise, bare and beside
    what is usual."""
    surprise = -taken(policy, record).sum(1)
    usual = -(np.exp(policy) * policy).sum((1, 3))  # the sum of entropies along the trajectory
    return {
        "own policy, surprise": surprise,
        "own policy, surprise over the usual": surprise - usual,
    }


def belief_scores(evidence: Floats) -> tuple[Floats, Floats]:
    """(B, N) doubts about agent n of its own head, and of the others' heads, from evidence (B, J,
    K, N)."""
    agents = evidence.shape[-1]
    doubt = -np.einsum("bjnn->bjn", Belief(evidence).log_belief("independent"))  # (B, J, N)
    own = np.einsum("bnn->bn", doubt)
    return own, (doubt.sum(1) - own) / (agents - 1)


def readings(
    population: Population, record: Recording, readers: Mapping[str, Reader]
) -> dict[str, Floats]:
    """(B, N) doubts by reader; the likelihood ratio, which needs to know the mark, is not among
    them."""
    found = policy_scores(own_policy(population, record), record)
    limit = record.log_p.astype(np.float64).sum(1)  # (B, K, N)
    found["exact limit's belief"] = -np.einsum("bnn->bn", Belief(limit).log_belief("marginals"))
    for name, reader in readers.items():
        found[f"{name}, own head"], found[f"{name}, others' heads"] = belief_scores(
            reader_evidence(reader, record)
        )
    return found


def area(marked: Floats, unmarked: Floats) -> float:
    """Mean over agents of the area under the curve, episode b being marked for agent b mod N."""
    agents = marked.shape[1]
    return float(
        np.mean([area_under_roc(marked[n::agents, n], unmarked[:, n]).value for n in range(agents)])
    )
