"""Measure a population: how much is recognised, against chance, the exact limit, baselines and its
own past.

Shapes: B episodes, T time, N agents, K lineup slots, J observers.
"""

from __future__ import annotations

import numpy as np

from mirrorenv.envs.base import ArrayWorld
from mirrorenv.envs.world_spec import WorldSpec
from mirrorenv.mirror import (
    Belief,
    Estimate,
    likelihood_ratio_e_value,
    mirror_reward,
    most_probable_permutation,
    t_interval,
)
from mirrorenv.population.held_out import Measured, measure, score
from mirrorenv.population.neighbourhood import check_lineup_size
from mirrorenv.population.population import Population
from mirrorenv.population.reading import (
    observer_evidence,
    play_held_out,
    policy_log_probabilities,
)
from mirrorenv.population.settings import Draws, MirrorSettings
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
    draws: Draws = "own",
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
        draws: of the agents, see `mirrorenv.population.reading.play_held_out`.

    Raises:
        ConfigError: if lineups are too large for the exact limit.
    """
    check_lineup_size(population.shape.num_agents, population.settings.observer)
    found = measure(
        population,
        world,
        slot_exchangeable=world_spec.slot_exchangeable,
        seed=seed,
        draws=draws,
    )
    returns = found.record.rewards.sum(1)  # (B, N)
    readers = _baseline_scores(population, world, found, seed, draws) if baselines else {}
    if found.lineups.distance is not None:
        readers["policies_without_places"] = score(found.policies(), "marginals")
    earlier = lagging or previous
    return Evaluation(
        num_agents=population.shape.num_agents,
        lineup_size=found.lineups.size,
        horizon=world.horizon,
        episodes=world.num_envs,
        learned=found.learned_score(),
        learned_joint=found.learned_score("marginals"),
        limit=score(found.limit.belief, "marginals"),
        limit_valid=found.limit.valid,
        limit_reason=found.limit.reason and (world_spec.leaks or found.limit.reason),
        baselines=readers,
        environment_return=t_interval(returns.mean(1)),  # mean over agents
        mirror_return=_mirror_return(found, mirror),
        per_agent_return=returns.mean(0).astype(np.float64),
        recognition_matrix=found.lineups.recognition_matrix(np.exp(found.in_author[:, -1])),
        confusion=found.lineups.confusion(found.final.independent()),
        evidence_over_time=EvidenceOverTime(found.learned_over_time(), found.limit_over_time()),
        log_e_value=_log_e_value(found),
        lagged_top1=None if earlier is None else _lagged_top1(earlier, found),
        persistence=None if previous is None else _persistence(previous, found),
    )


def _mirror_return(found: Measured, mirror: MirrorSettings) -> Estimate:
    """What recognition pays in an episode, mean over agents."""
    paid = mirror_reward(
        found.lineups.by_agent(found.in_author),
        found.record.mask,
        credit=mirror.credit,
        timing="terminal",
        floor=mirror.floor,
        teams=mirror.teams,
        seen=found.lineups.seen,
    )
    return t_interval(paid.sum(1).mean(1))


def _log_e_value(found: Measured) -> float:
    """Evidence that the observers know more than the limit allows, in nats."""
    best = np.diagonal(found.limit_log_belief, axis1=2, axis2=3)  # (B, J, K)
    return likelihood_ratio_e_value(found.in_author[:, -1], best)


def _lagged_top1(earlier: Population, found: Measured) -> Estimate | None:
    """Top-1 of earlier observers on today's agents: how fast identities move."""
    evidence = observer_evidence(earlier, found.record, found.lineups)[:, -1]
    return score(Belief(evidence.astype(np.float64))).top1


def _persistence(previous: Population, found: Measured) -> float:
    """Share of agents whose behaviour is best explained by their own policy of the last checkpoint.

    The old policies are assigned to the new trajectories as a whole (one old policy for each
    agent), which counts swapped identities where mere drift is forgiven.
    """
    log_p = policy_log_probabilities(previous, found.record)
    explained = (log_p * found.record.mask[..., None]).sum((0, 1))  # (N now, N before)
    before = most_probable_permutation(explained)
    return float((before == np.arange(len(before))).mean())


def _baseline_scores(
    population: Population, world: ArrayWorld, found: Measured, seed: int, draws: Draws
) -> dict[str, RecordedScore]:
    """Baseline observers, fitted on as many other episodes of the same agents."""
    from mirrorenv.population.observers.baselines import BASELINES

    past = play_held_out(population, world, seed=seed, part=1, draws=draws)
    scores: dict[str, RecordedScore] = {}
    for name, make in BASELINES.items():
        observer = make()
        observer.fit(past, population.shape.actions)
        evidence = found.lineups.restrict(observer.evidence(found.record))  # (B, J, K, K)
        scores[name] = score(Belief(evidence))
    return scores
