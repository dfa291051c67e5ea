"""Held-out episodes as everybody reads them: what evaluations and exported results are made of.

Shapes: B episodes, T time, P points in time, N agents, K lineup slots, J observers. J = 1 where all
observers are told the same, J = N elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mirrorenv.envs.base import ArrayWorld
from mirrorenv.mirror import (
    Belief,
    Decode,
    Limit,
    Neighbourhood,
    cumulative_evidence,
    episode_information,
    limit_evidence,
    score_belief,
)
from mirrorenv.mirror.arrays import Bools, Floats32, Floats64, Ints64
from mirrorenv.population.experience import Experience
from mirrorenv.population.neighbourhood import neighbourhoods_of
from mirrorenv.population.population import Population
from mirrorenv.population.reading import (
    observer_evidence,
    play_held_out,
    policy_log_probabilities,
)
from mirrorenv.population.settings import Draws
from mirrorenv.results.runs.evaluation import RecordedScore

__all__ = ["Measured", "in_author_order", "measure", "score"]


@dataclass(frozen=True, eq=False)
class Measured:
    """Episodes on which no one is trained, and what was made of them.

    Attributes:
        record: B episodes.
        lineups: which agents each observer was shown, and in which order.
        evidence: (B, T, N, K, K) of the population's observers after every step, slots and columns
            in the order of the candidates.
        log_probabilities: (B, T, N, N) what every policy (last axis) thinks of every step.
        limit: the exact limit, belief (B, J, K, K).
    """

    record: Experience
    lineups: Neighbourhood
    evidence: Floats32
    log_probabilities: Floats64
    limit: Limit

    @cached_property
    def final(self) -> Belief:
        """The observers' belief in the end, (B, N, K, K)."""
        return Belief(self.evidence[:, -1].astype(np.float64))

    @cached_property
    def in_author(self) -> Floats64:
        """(B, T, N, K) the observers' log belief in the true author after every step."""
        belief = Belief(self.evidence.astype(np.float64)).log_belief("independent")
        in_author: Floats64 = np.diagonal(belief, axis1=3, axis2=4)
        return in_author

    @cached_property
    def limit_log_belief(self) -> Floats64:
        """(B, J, K, K) of the exact limit in the end."""
        return self.limit.belief.log_belief("marginals")

    def policies(self) -> Belief:
        """What the policies alone give away, (B, J, K, K): the limit for who cannot tell places
        from trajectories."""
        log_p = limit_evidence(self.log_probabilities, self.record.mask)
        return Belief(self.lineups.restrict(log_p))

    def learned_score(self, decode: Decode = "independent") -> RecordedScore:
        """How good the observers are, against the exact limit."""
        best = self.limit.belief
        return score(
            self.final,
            decode,
            limit_information=episode_information(self.limit_log_belief, in_author_order(best)),
            evidence_over_time=self.evidence.astype(np.float64),
            mask=self.lineups.steps(self.record.mask),
        )

    def learned_over_time(self) -> Floats64:
        """(T,) nats that the observers have after every step."""
        learned: Floats64 = np.log(self.lineups.size) + self.in_author.mean((0, 2, 3))
        return learned

    def limit_over_time(self, points: int = 32) -> Floats64:
        """(T,) nats of the exact limit after every step, computed at up to `points` steps and
        interpolated.

        The limit of a neighbourhood knows from the start who was shown, which whole episodes
        decide.
        """
        mask = self.record.mask
        time = mask.shape[1]
        steps = np.unique(np.linspace(0, time - 1, min(points, time)).round().astype(int))
        # (B, P, N, N)
        evidence = cumulative_evidence(self.log_probabilities, mask)[:, steps]
        acted = mask[:, :1]  # an agent without a step has no evidence
        beliefs = []
        for point in range(len(steps)):
            limit = self.lineups.limit(evidence[:, [point]], acted, slot_exchangeable=True)
            beliefs.append(limit.belief.log_belief("marginals"))  # (B, J, K, K)
        in_author = np.diagonal(np.stack(beliefs, axis=1), axis1=3, axis2=4)  # (B, P, J, K)
        information = np.log(self.lineups.size) + in_author.mean((0, 2, 3))  # (P,)
        at_every_step: Floats64 = np.interp(np.arange(time), steps, information)
        return at_every_step


def measure(
    population: Population,
    world: ArrayWorld,
    *,
    slot_exchangeable: bool,
    seed: int,
    draws: Draws = "own",
) -> Measured:
    """Play held-out episodes and have everybody read them.

    Args:
        population: whose actors play and whose observers read.
        world: as many copies as there are to be episodes.
        slot_exchangeable: whether the exact limit holds in this world.
        seed: of the run; the held-out episodes follow from it.
        draws: of the agents, see `play_held_out`.
    """
    record = play_held_out(population, world, seed=seed, draws=draws)
    lineups = neighbourhoods_of(population, record, run=seed, episodes=record.episode)
    evidence = observer_evidence(population, record, lineups)
    log_p = policy_log_probabilities(population, record)
    limit = lineups.limit(log_p, record.mask, slot_exchangeable=slot_exchangeable)
    return Measured(record, lineups, evidence, log_p, limit)


def in_author_order(belief: Belief) -> Ints64:
    """The reveal of evidence (B, J, K, K) whose slots were put back in author order: (B, J, K) rows
    of 0..K-1."""
    return np.broadcast_to(np.arange(belief.num_agents), belief.evidence.shape[:-1])


def score(
    belief: Belief,
    decode: Decode = "independent",
    *,
    limit_information: Floats64 | None = None,
    evidence_over_time: Floats64 | None = None,
    mask: Bools | None = None,
) -> RecordedScore:
    """See `score_belief`; here the slots of the belief (B, J, K, K) stand in author order, so that
    the true authors need not be given."""
    return RecordedScore.of(
        score_belief(
            belief,
            in_author_order(belief),
            decode=decode,
            limit_information=limit_information,
            evidence_over_time=evidence_over_time,
            mask=mask,
        )
    )
