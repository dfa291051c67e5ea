"""Measure a population: how much is recognised, against chance, the exact limit, baselines and its
own past.

Shapes: B episodes, T time, P points in time, N agents, K lineup slots, J observers. J = 1 where all
observers are told the same, J = N elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from mirrorenv.envs.base import ArrayWorld
from mirrorenv.envs.world_spec import WorldSpec
from mirrorenv.mirror import (
    Belief,
    EpisodeBatch,
    Estimate,
    Neighbourhood,
    cumulative_evidence,
    episode_information,
    likelihood_ratio_e_value,
    limit_evidence,
    mirror_reward,
    score_belief,
    t_interval,
)
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats64, Ints64
from mirrorenv.population.neighbourhood import check_lineup_size, neighbourhoods_of
from mirrorenv.population.population import Population
from mirrorenv.population.reading import (
    observer_evidence,
    play_held_out,
    policy_log_probabilities,
)
from mirrorenv.population.settings import MirrorSettings
from mirrorenv.results.runs.evaluation import Evaluation, EvidenceOverTime, RecordedScore

__all__ = ["evaluate"]


def evaluate(
    population: Population,
    world: ArrayWorld,
    *,
    world_spec: WorldSpec,
    seed: int,
    mirror: MirrorSettings,
    previous: Population | None = None,
    lagging: Population | None = None,
    baselines: bool = False,
) -> Evaluation:
    """One row of evaluations.jsonl, measured on episodes that are not trained on.

    Args:
        population: what to measure.
        world: as many copies as there are to be episodes.
        world_spec: says whether the exact limit holds in this world.
        seed: of the run; the held-out episodes follow from it.
        mirror: credit and floor by which the mirror return is reported.
        previous: the population at the last evaluation, for identity persistence.
        lagging: the population one iteration ago, whose observers are the lagged classifier;
            `previous` if not given.
        baselines: also fit and score the baseline observers (on other episodes).

    Raises:
        ConfigError: if lineups are too large for the exact limit.
    """
    check_lineup_size(population.shape.num_agents, population.settings.observer)
    record = play_held_out(population, world, seed=seed)
    lineups = neighbourhoods_of(population, record, run=seed, episodes=record.episode)

    # what the observers make of the lineups, slots and columns in the order of the candidates
    evidence = observer_evidence(population, record, lineups).astype(np.float64)
    final = Belief(evidence[:, -1])  # (B, N, K, K)
    belief = Belief(evidence).log_belief("independent")  # (B, T, N, K, K)
    in_author = np.diagonal(belief, axis1=3, axis2=4)  # (B, T, N, K), about the true author

    # what the best possible observer makes of them
    log_p = policy_log_probabilities(population, record)  # (B, T, N, N)
    limit = lineups.limit(
        log_p, record.mask, slot_exchangeable=world_spec.slot_exchangeable
    )  # belief (B, J, K, K)
    limit_belief = limit.belief.log_belief("marginals")
    against: dict[str, Any] = {
        "limit_information": episode_information(limit_belief, _author_order(limit.belief)),
        "evidence_over_time": evidence,
        "mask": lineups.steps(record.mask),
    }

    earlier = lagging or previous
    readers: dict[str, RecordedScore] = {}
    if baselines:
        readers |= _baseline_scores(population, world, record, lineups, seed)
    if lineups.distance is not None:
        readers["policies_without_places"] = _without_places(log_p, record.mask, lineups)
    return Evaluation(
        num_agents=population.shape.num_agents,
        lineup_size=lineups.size,
        horizon=world.horizon,
        episodes=world.num_envs,
        learned=_score(final, **against),
        learned_joint=_score(final, decode="marginals", **against),
        limit=_score(limit.belief, decode="marginals"),
        limit_valid=limit.valid,
        limit_reason=limit.reason and (world_spec.leaks or limit.reason),
        baselines=readers,
        environment_return=t_interval(record.rewards.sum(1).mean(1)),  # mean over agents
        mirror_return=_mirror_return(in_author, record.mask, lineups, mirror),
        per_agent_return=record.rewards.sum(1).mean(0).astype(np.float64),
        recognition_matrix=lineups.recognition_matrix(np.exp(in_author[:, -1])),
        confusion=lineups.confusion(final.independent()),
        evidence_over_time=EvidenceOverTime(
            learned=np.log(lineups.size) + in_author.mean((0, 2, 3)),
            limit=_limit_over_time(log_p, record.mask, lineups),
        ),
        log_e_value=likelihood_ratio_e_value(
            in_author[:, -1], np.diagonal(limit_belief, axis1=2, axis2=3)
        ),
        lagged_top1=None if earlier is None else _lagged(earlier, record, lineups),
        persistence=None if previous is None else _persistence(previous, record),
    )


def _author_order(belief: Belief) -> Ints64:
    """The reveal of evidence (B, J, K, K) whose slots were put back in author order: (B, J, K) rows
    of 0..K-1."""
    return np.broadcast_to(np.arange(belief.num_agents), belief.evidence.shape[:-1])


def _score(belief: Belief, **options: Any) -> RecordedScore:
    """The score of a belief (B, J, K, K) whose slots stand in author order."""
    return RecordedScore.of(score_belief(belief, _author_order(belief), **options))


def _mirror_return(
    in_author: Floats64, mask: Bools, lineups: Neighbourhood, mirror: MirrorSettings
) -> Estimate:
    """What recognition pays in an episode, (B, T, N, K) log beliefs, mean over agents."""
    paid = mirror_reward(
        lineups.by_agent(in_author),
        mask,
        credit=mirror.credit,
        timing="terminal",
        floor=mirror.floor,
        teams=mirror.teams,
        seen=lineups.seen,
    )
    return t_interval(paid.sum(1).mean(1))


def _without_places(log_p: Floats64, mask: Bools, lineups: Neighbourhood) -> RecordedScore:
    """What the policies alone give away in a neighbourhood: the limit for who cannot tell places
    from trajectories."""
    belief = Belief(lineups.restrict(limit_evidence(log_p, mask)))
    return _score(belief, decode="marginals")


def _limit_over_time(
    log_p: Floats64, mask: Bools, lineups: Neighbourhood, points: int = 32
) -> Floats64:
    """Information of the exact limit after every step, (T,) nats; computed at up to `points` steps
    and interpolated.

    The limit of a neighbourhood knows from the start who was shown, which whole episodes decide.
    """
    time = log_p.shape[1]
    steps = np.unique(np.linspace(0, time - 1, min(points, time)).round().astype(int))
    evidence = cumulative_evidence(log_p, mask)[:, steps]  # (B, P, N, N)
    acted = mask[:, :1]  # an agent without a step has no evidence
    beliefs = []
    for point in range(len(steps)):
        limit = lineups.limit(evidence[:, [point]], acted, slot_exchangeable=True)
        beliefs.append(limit.belief.log_belief("marginals"))  # (B, J, K, K)
    in_author = np.diagonal(np.stack(beliefs, axis=1), axis1=3, axis2=4)  # (B, P, J, K)
    information = np.log(lineups.size) + in_author.mean((0, 2, 3))  # (P,)
    at_every_step: Floats64 = np.interp(np.arange(time), steps, information)
    return at_every_step


def _lagged(earlier: Population, record: EpisodeBatch, lineups: Neighbourhood) -> Estimate | None:
    """Top-1 of earlier observers on today's agents: how fast identities move."""
    evidence: AnyArray = observer_evidence(earlier, record, lineups)[:, -1]
    return _score(Belief(evidence)).top1


def _persistence(previous: Population, record: EpisodeBatch) -> float:
    """Share of agents whose behaviour is best explained by their own policy of the last checkpoint.

    The old policies are assigned to the new trajectories as a whole (one old policy for each
    agent), which counts swapped identities where mere drift is forgiven.
    """
    log_p = policy_log_probabilities(previous, record)
    explained = (log_p * record.mask[..., None]).sum((0, 1))  # (N now, N before)
    _, before = linear_sum_assignment(explained, maximize=True)
    return float((before == np.arange(len(before))).mean())


def _baseline_scores(
    population: Population,
    world: ArrayWorld,
    record: EpisodeBatch,
    lineups: Neighbourhood,
    seed: int,
) -> dict[str, RecordedScore]:
    """Baseline observers, fitted on as many other episodes of the same agents."""
    from mirrorenv.population.observers.baselines import BASELINES

    past = play_held_out(population, world, seed=seed, part=1)
    scores: dict[str, RecordedScore] = {}
    for name, make in BASELINES.items():
        observer = make()
        observer.fit(past, population.shape.actions)
        evidence = lineups.restrict(observer.evidence(record))  # (B, J, K, K)
        scores[name] = _score(Belief(evidence))
    return scores
