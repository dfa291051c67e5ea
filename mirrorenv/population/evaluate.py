"""Measure a population: how much is recognised, against chance, the exact limit, baselines and its
own past.

Shapes: B episodes, T time, N agents, K lineup slots (K = N, or the neighbourhood's size), J
observers (J = N).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from mirrorenv.envs.base import ArrayWorld
from mirrorenv.envs.world_spec import WorldSpec
from mirrorenv.mirror import (
    Belief,
    Estimate,
    Limit,
    cumulative_evidence,
    exact_limit,
    likelihood_ratio_e_value,
    limit_evidence,
    log_permutation_marginals,
    mirror_reward,
    neighbourhood_evidence,
    neighbourhood_limit,
    t_interval,
)
from mirrorenv.mirror.score import Score, episode_information, score_belief
from mirrorenv.population.neighbourhood import Shown, check_lineup_size, own_evidence, shown_to
from mirrorenv.population.population import Population
from mirrorenv.population.reading import (
    HeldOut,
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
        lagging: the population one iteration ago, whose heads are the lagged classifier; `previous`
            if not given.
        baselines: also fit and score the baseline observers (on other episodes).

    Raises:
        ConfigError: if lineups are too large for the exact limit.
    """
    check_lineup_size(population.shape.num_agents, population.settings.observer)
    held_out = play_held_out(population, world, seed=seed)
    experience = held_out.experience
    shown = shown_to(population, experience, run=seed, episodes=held_out.episodes)
    evidence = _evidence(population, held_out, shown, seed).astype(np.float64)  # (B, T, J, K, K)
    size = evidence.shape[-1]
    log_p = policy_log_probabilities(population, experience)  # (B, T, N, N)
    limit = _limit(log_p, experience.mask, shown, exchangeable=world_spec.slot_exchangeable)
    final = Belief(evidence[:, -1])  # (B, J, K, K)
    limit_belief = limit.belief  # (B, J or 1, K, K)
    limit_marginals = limit_belief.log_belief("marginals")
    limit_nats = episode_information(limit_marginals, _author_order(limit_belief))
    options: dict[str, Any] = {
        "limit_information": limit_nats,
        "evidence_over_time": evidence,
        "mask": experience.mask if shown is None else shown.steps(experience.mask),
    }
    learned = score_belief(final, _author_order(final), decode="independent", **options)
    joint = score_belief(final, _author_order(final), decode="marginals", **options)
    limit_score = score_belief(limit_belief, _author_order(limit_belief), decode="marginals")
    # (B, T, J, K)
    over_time = np.diagonal(Belief(evidence).log_belief("independent"), axis1=3, axis2=4)
    belief = np.exp(over_time[:, -1])  # (B, J, K)
    paid = mirror_reward(
        over_time if shown is None else shown.by_agent(over_time),
        experience.mask,
        credit=mirror.credit,
        timing="terminal",
        floor=mirror.floor,
        teams=mirror.teams,
        seen=None if shown is None else shown.seen,
    )
    verdicts = final.independent()  # (B, J, K, K)
    readers: dict[str, RecordedScore] = {}
    if baselines:
        readers |= _baseline_scores(population, world, held_out, shown, seed)
    if shown is not None:
        readers["policies_without_places"] = _without_places(log_p, experience.mask, shown)
    before = lagging or previous
    return Evaluation(
        num_agents=population.shape.num_agents,
        lineup_size=size,
        horizon=world.horizon,
        episodes=world.num_envs,
        learned=RecordedScore.of(learned),
        learned_joint=RecordedScore.of(joint),
        limit=RecordedScore.of(limit_score),
        limit_valid=limit.valid,
        limit_reason=limit.reason and (world_spec.leaks or limit.reason),
        baselines=readers,
        environment_return=t_interval(experience.rewards.sum(1).mean(1)),  # mean over agents
        mirror_return=t_interval(paid.sum(1).mean(1)),
        per_agent_return=experience.rewards.sum(1).mean(0).astype(np.float64),
        recognition_matrix=belief.mean(0) if shown is None else shown.recognition_matrix(belief),
        confusion=verdicts.mean((0, 1)) if shown is None else shown.confusion(verdicts),
        evidence_over_time=EvidenceOverTime(
            learned=np.log(size) + over_time.mean((0, 2, 3)),
            limit=_limit_over_time(log_p, experience.mask, shown),
        ),
        log_e_value=likelihood_ratio_e_value(
            over_time[:, -1], np.diagonal(limit_marginals, axis1=2, axis2=3)
        ),
        lagged_top1=None if before is None else _lagged(before, held_out, shown, seed),
        persistence=None if previous is None else _persistence(previous, held_out),
    )


def _evidence(
    population: Population, held_out: HeldOut, shown: Shown | None, seed: int
) -> NDArray[np.float32]:
    """(B, T, J, K, K) after every step, slots in the order of the agents shown: the reveal."""
    if shown is None:
        return observer_evidence(population, held_out, run=seed)
    return own_evidence(population, held_out.experience, shown)


def _limit(
    log_p: NDArray[np.float64], mask: NDArray[np.bool_], shown: Shown | None, *, exchangeable: bool
) -> Limit:
    """The exact limit with an axis of observers: (B, 1, N, N) where all are shown the same, else
    (B, J, K, K)."""
    if shown is not None:
        return neighbourhood_limit(
            log_p, mask, shown.distance, shown.candidates, slot_exchangeable=exchangeable
        )
    limit = exact_limit(log_p, mask, slot_exchangeable=exchangeable, on_invalid="mark")
    return Limit(Belief(limit.belief.evidence[:, None]), limit.valid, limit.reason)


def _without_places(
    log_p: NDArray[np.float64], mask: NDArray[np.bool_], shown: Shown
) -> RecordedScore:
    """What the policies alone give away in a neighbourhood: the limit for who cannot tell places
    from trajectories."""
    belief = Belief(neighbourhood_evidence(limit_evidence(log_p, mask)[:, None], shown.candidates))
    return RecordedScore.of(score_belief(belief, _author_order(belief), decode="marginals"))


def _author_order(belief: Belief) -> NDArray[np.int64]:
    """The reveal of evidence (B, J, K, K) whose slots were put back in author order: (B, J, K) rows
    of 0..K-1."""
    return np.broadcast_to(np.arange(belief.num_agents), belief.evidence.shape[:-1])


def _score_rows(evidence: NDArray[Any]) -> Score:
    belief = Belief(evidence)
    return score_belief(belief, _author_order(belief), decode="independent")


def _limit_over_time(
    log_p: NDArray[np.float64], mask: NDArray[np.bool_], shown: Shown | None, points: int = 32
) -> NDArray[np.float64]:
    """Information of the exact limit after every step, (T,) nats; computed at up to `points` steps
    and interpolated.

    The limit of a neighbourhood knows from the start who was shown, which whole episodes decide.
    """
    time = log_p.shape[1]
    steps = np.unique(np.linspace(0, time - 1, min(points, time)).round().astype(int))
    evidence = cumulative_evidence(log_p, mask)[:, steps]  # (B, P, N, N)
    if shown is None:
        belief = log_permutation_marginals(evidence)[:, :, None]  # (B, P, 1, N, N)
    else:
        acted = mask[:, :1]  # an agent without a step has no evidence
        near = [
            _limit(evidence[:, [p]], acted, shown, exchangeable=True).belief
            for p in range(len(steps))
        ]
        belief = np.stack([one.log_belief("marginals") for one in near], axis=1)  # (B, P, J, K, K)
    # (P,)
    information = np.log(belief.shape[-1]) + np.diagonal(belief, axis1=3, axis2=4).mean((0, 2, 3))
    at_every_step: NDArray[np.float64] = np.interp(np.arange(time), steps, information)
    return at_every_step


def _lagged(before: Population, held_out: HeldOut, shown: Shown | None, seed: int) -> Estimate:
    """Top-1 of earlier heads on today's agents: how fast identities move."""
    return _score_rows(_evidence(before, held_out, shown, seed)[:, -1]).top1


def _persistence(previous: Population, held_out: HeldOut) -> float:
    """Share of agents whose behaviour is best explained by their own policy of the last checkpoint.

    The old policies are assigned to the new trajectories as a whole (one old policy for each
    agent), which counts swapped identities where mere drift is forgiven.
    """
    log_p = policy_log_probabilities(previous, held_out.experience)
    explained = (log_p * held_out.experience.mask[..., None]).sum((0, 1))  # (N now, N before)
    _, before = linear_sum_assignment(explained, maximize=True)
    return float((before == np.arange(len(before))).mean())


def _baseline_scores(
    population: Population, world: ArrayWorld, held_out: HeldOut, shown: Shown | None, seed: int
) -> dict[str, RecordedScore]:
    """Baseline observers, fitted on as many other episodes of the same agents."""
    from mirrorenv.population.observers.baselines import BASELINES

    past = play_held_out(population, world, seed=seed, part=1).record()
    record = held_out.record()
    scores: dict[str, RecordedScore] = {}
    for name, make in BASELINES.items():
        observer = make()
        observer.fit(past, population.shape.num_actions)
        evidence = observer.evidence(record)[:, None]  # (B, 1, N, N)
        if shown is not None:
            evidence = neighbourhood_evidence(evidence, shown.candidates)
        scores[name] = RecordedScore.of(_score_rows(evidence))
    return scores
