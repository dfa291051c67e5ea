"""The score: every figure a belief earns once the names are revealed, each with its interval.

Formulas and sources of the single figures stand in :mod:`mirrorenv.mirror.metrics`.
Shape legend: B batch (episodes), T time, J observers, K lineup slots, N agents.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from mirrorenv.errors import ShapeError
from mirrorenv.mirror import metrics
from mirrorenv.mirror._checks import float_array, log_likelihood_array
from mirrorenv.mirror.arrays import Bools, Floats64, Ints64
from mirrorenv.mirror.belief import Belief, Decode, check_decode
from mirrorenv.mirror.intervals import Estimate, rate_interval
from mirrorenv.mirror.permutations import (
    MAX_EXACT_AGENTS,
    most_probable_permutation,
    permutation_array,
)
from mirrorenv.mirror.verdicts import fair_assignment, in_author_order, of_true_author, row_verdicts

__all__ = [
    "Score",
    "confusion_matrix",
    "episode_information",
    "information_over_time",
    "recognition_matrix",
    "score_belief",
]

# nats: evidence beyond this against an agent (also -inf) counts as this much in the handshake index
_CERTAIN = 1e3


@dataclass(frozen=True)
class Score:
    """What a belief is worth. A figure that is undefined is None, and `undefined` says why.

    Args:
        top1: share of trajectories whose most believed agent is the author; chance 1/N.
        exact: share of lineups with every slot right, chance 1/N!; independent: all row verdicts,
            joint: the most probable permutation.
        expected_right: slots right per lineup, chance 1; joint: by the assignment on the marginals,
            which maximises it.
        self_dprime: sensitivity of "mine", 0 at chance.
        self_criterion: reluctance (above 0) or readiness (below 0) to say "mine".
        calibration_error: gap between stated and true confidence, 15 bins of equal mass.
        brier: squared error of the belief, 1 - 1/N at chance.
        information: nats per trajectory, log N + mean log belief in the true author, at most log N.
            A lower bound on the mutual information of author and trajectory (Barber and Agakov
            2003); clipped on neither side.
        joint_information: nats per lineup, log N! + mean log posterior of the true permutation, at
            most log N!.
        effective_agents: exp(information): how many perfectly distinguishable agents carry as much.
        efficiency: information over the exact limit's on the same episodes.
        self_advantage: own recognition minus how well others know me.
        time_to_identify: steps until the belief in the true author exceeds 0.95, restricted mean.
        handshake_index: share of the evidence in the first tenth of the episode.
        undefined: reason for each figure that is None.
    """

    top1: Estimate
    exact: Estimate | None
    expected_right: Estimate
    self_dprime: Estimate | None
    self_criterion: Estimate | None
    calibration_error: Estimate
    brier: Estimate
    information: Estimate
    joint_information: Estimate | None
    effective_agents: Estimate
    efficiency: Estimate | None
    self_advantage: Estimate | None
    time_to_identify: Estimate | None
    handshake_index: Estimate | None
    undefined: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, dict[str, float | None] | None]:
        """`{name: {"value", "low", "high"}}`, None for what is undefined; ready for JSON."""
        names = [item.name for item in fields(self) if item.name != "undefined"]
        estimates: dict[str, Estimate | None] = {name: getattr(self, name) for name in names}
        return {
            name: None if found is None else found.to_dict() for name, found in estimates.items()
        }


def score_belief(
    belief: Belief,
    permutations: npt.ArrayLike,
    *,
    decode: Decode = "independent",
    limit_information: npt.ArrayLike | None = None,
    evidence_over_time: npt.ArrayLike | None = None,
    mask: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> Score:
    """Score the beliefs of J observers about B lineups.

    Args:
        belief: evidence (B, J, K, N) with K = N; J = N, observer j being agent j, gives the figures
            about the self.
        permutations: (B, J, K) ints, the reveal: slot k of the lineup shown to observer j was agent
            `permutations[b, j, k]`. Slots in author order (every row 0..N-1) are fine: ties earn
            no credit by index.
        decode: `independent` or `marginals`.
        limit_information: (B,) nats per trajectory of the exact limit on the same episodes
            (:func:`episode_information`), for the efficiency.
        evidence_over_time: (B, T, J, K, N) evidence after each step, held after a slot's last, for
            the time to identify and the handshake index.
        mask: (B, T, J, K) or (B, T, K) bool, the steps that happened in each slot; needed with
            evidence over time.
        confidence: of all intervals, which are clustered by episode. They say nothing about another
            seed.

    Raises:
        ShapeError: if shapes disagree, a permutation is none, or a slot has no live step.
        ConfigError: for an unknown decode or a confidence outside (0, 1).
    """
    if (
        belief.evidence.ndim != 4
        or belief.num_slots != belief.num_agents
        or belief.evidence.size == 0
    ):
        raise ShapeError(
            "score_belief: evidence must be (B, J, N, N) and not empty, got "
            f"{belief.evidence.shape}"
        )
    episodes, observers, _, agents = belief.evidence.shape
    truth = permutation_array("permutations", permutations, (episodes, observers, agents))
    log_belief = belief.log_belief(check_decode(decode))  # (B, J, K, N)
    verdicts = row_verdicts(log_belief)
    credit = of_true_author(verdicts, truth)  # (B, J, K)
    nats = of_true_author(log_belief, truth).mean(axis=(1, 2)) + np.log(agents)  # (B,)
    information = metrics.mean_nats(nats, confidence).within(-np.inf, float(np.log(agents)))
    undefined: dict[str, str] = {}
    dprime, criterion, advantage = _self_figures(verdicts, truth, confidence, undefined)
    exact, expected_right = _lineup_figures(belief, decode, credit, truth, confidence, undefined)
    identify, handshake = _time_figures(
        evidence_over_time, mask, truth, decode, confidence, undefined
    )
    return Score(
        top1=rate_interval(credit.mean(axis=(1, 2)), confidence),
        exact=exact,
        expected_right=expected_right,
        self_dprime=dprime,
        self_criterion=criterion,
        calibration_error=metrics.calibration_error(np.exp(log_belief), credit, confidence),
        brier=metrics.brier_score(
            np.exp(log_belief), truth[..., None] == np.arange(agents), confidence
        ),
        information=information,
        joint_information=_joint_information(belief, truth, confidence, undefined),
        effective_agents=metrics.exponential(information),
        efficiency=_efficiency(nats, limit_information, confidence, undefined),
        self_advantage=advantage,
        time_to_identify=identify,
        handshake_index=handshake,
        undefined=undefined,
    )


def episode_information(log_belief: npt.ArrayLike, permutations: npt.ArrayLike) -> Floats64:
    """(B,) nats per trajectory in each episode: log N + mean log belief in the true author.

    Args:
        log_belief: (B, J, K, N) log probabilities.
        permutations: (B, J, K) the true authors.
    """
    logs = log_likelihood_array("log_belief", log_belief, min_ndim=4)
    truth = permutation_array("permutations", permutations, logs.shape[:-1])
    nats: Floats64 = of_true_author(logs, truth).mean(axis=(1, 2)) + np.log(logs.shape[-1])
    return nats


def information_over_time(
    evidence_over_time: npt.ArrayLike, permutations: npt.ArrayLike, decode: Decode = "independent"
) -> Floats64:
    """Information after each step of the episode: log N + mean log belief in the true author.

    Args:
        evidence_over_time: (B, T, J, K, N) nats after each step, up to a constant per row.
        permutations: (B, J, K) the true authors.
        decode: how a belief comes from evidence; see `Belief`.

    Returns:
        (T,) float64 nats per trajectory.
    """
    evidence = log_likelihood_array("evidence_over_time", evidence_over_time, min_ndim=5)
    batch, _, observers, slots, agents = evidence.shape
    truth = permutation_array("permutations", permutations, (batch, observers, slots))
    nats: Floats64 = _truth_over_time(evidence, truth, decode).mean(axis=(0, 2, 3)) + np.log(agents)
    return nats


def recognition_matrix(log_belief: npt.ArrayLike, permutations: npt.ArrayLike) -> Floats64:
    """(J, N) observer j's mean belief in the true author n, over episodes; arguments as
    :func:`episode_information`."""
    matrix: Floats64 = np.einsum("bjnn->bjn", _author_belief(log_belief, permutations)).mean(axis=0)
    return matrix


def confusion_matrix(log_belief: npt.ArrayLike, permutations: npt.ArrayLike) -> Floats64:
    """(N, N) mean belief over episodes and observers: row n is the true author, column m who is
    believed to be it."""
    matrix: Floats64 = _author_belief(log_belief, permutations).mean(axis=(0, 1))
    return matrix


def _author_belief(log_belief: npt.ArrayLike, permutations: npt.ArrayLike) -> Floats64:
    logs = log_likelihood_array("log_belief", log_belief, min_ndim=4)
    truth = permutation_array("permutations", permutations, logs.shape[:-1])
    return in_author_order(np.exp(logs), truth)  # (B, J, N, N)


def _self_figures(
    verdicts: Floats64, truth: Ints64, confidence: float, undefined: dict[str, str]
) -> tuple[Estimate | None, Estimate | None, Estimate | None]:
    observers = verdicts.shape[1]
    agents = verdicts.shape[-1]
    if observers != agents or agents < 2:
        reason = (
            f"needs observer j to be agent j among at least two; {observers} observers, {agents} "
            "agents"
        )
        undefined.update(dict.fromkeys(("self_dprime", "self_criterion", "self_advantage"), reason))
        return None, None, None
    ordered = in_author_order(verdicts, truth)  # (B, J, N, N)
    return *metrics.self_detection(ordered, confidence), metrics.self_advantage(ordered, confidence)


def _lineup_figures(
    belief: Belief,
    decode: Decode,
    credit: Floats64,
    truth: Ints64,
    confidence: float,
    undefined: dict[str, str],
) -> tuple[Estimate | None, Estimate]:
    if decode == "independent" and not belief.decoded:
        exact = rate_interval(credit.prod(axis=-1).mean(axis=-1), confidence)
        return exact, metrics.number_right(
            credit.sum(axis=-1).mean(axis=-1), belief.num_slots, confidence
        )
    best = fair_assignment(most_probable_permutation, np.round(belief.marginals(), 12))
    right = metrics.number_right(
        (best == truth).sum(axis=-1).mean(axis=-1), belief.num_slots, confidence
    )
    if belief.decoded:
        undefined["exact"] = (
            "the most probable permutation needs evidence; this belief holds only its marginals"
        )
        return None, right
    likeliest = fair_assignment(most_probable_permutation, belief.evidence)
    return rate_interval((likeliest == truth).all(axis=-1).mean(axis=-1), confidence), right


def _joint_information(
    belief: Belief, truth: Ints64, confidence: float, undefined: dict[str, str]
) -> Estimate | None:
    if belief.decoded or belief.num_agents > MAX_EXACT_AGENTS:
        undefined["joint_information"] = (
            f"needs evidence of at most {MAX_EXACT_AGENTS} agents, not marginals"
        )
        return None
    log_orders = float(gammaln(belief.num_agents + 1))
    nats = belief.log_posterior(truth).mean(axis=1) + log_orders  # (B,)
    return metrics.mean_nats(nats, confidence).within(-np.inf, log_orders)


def _efficiency(
    nats: Floats64,
    limit_information: npt.ArrayLike | None,
    confidence: float,
    undefined: dict[str, str],
) -> Estimate | None:
    if limit_information is None:
        undefined["efficiency"] = "the exact limit was not given"
        return None
    limit = float_array("limit_information", limit_information, ndim=1)
    if limit.shape != nats.shape:
        raise ShapeError(
            f"limit_information must have one number for each of {len(nats)} episodes, got "
            f"{limit.shape}"
        )
    if np.isnan(limit).any():
        raise ShapeError("limit_information holds NaN")
    found = metrics.ratio(nats, limit, confidence)
    if found is None:
        undefined["efficiency"] = (
            "the limit's information is not clear of zero, or a belief in a true author is zero"
        )
    return found


def _time_figures(
    evidence_over_time: npt.ArrayLike | None,
    mask: npt.ArrayLike | None,
    truth: Ints64,
    decode: Decode,
    confidence: float,
    undefined: dict[str, str],
) -> tuple[Estimate | None, Estimate | None]:
    if evidence_over_time is None:
        undefined.update(
            dict.fromkeys(
                ("time_to_identify", "handshake_index"), "evidence over time was not given"
            )
        )
        return None, None
    evidence = log_likelihood_array("evidence_over_time", evidence_over_time, min_ndim=5)
    batch, observers, slots = truth.shape
    if evidence.ndim != 5 or evidence.shape[:1] + evidence.shape[2:] != (
        batch,
        observers,
        slots,
        slots,
    ):
        raise ShapeError(
            f"evidence_over_time must be (B, T, J, K, N) with B, J, K = {truth.shape}, got "
            f"{evidence.shape}"
        )
    alive = _slot_mask(mask, evidence.shape[:-1])
    identify = metrics.time_to_identify(
        _truth_over_time(evidence, truth, decode), alive, confidence
    )
    relative = np.maximum(evidence - evidence.max(axis=-1, keepdims=True), -_CERTAIN)
    margin = of_true_author(
        relative, np.broadcast_to(truth[:, None], evidence.shape[:-1])
    ) - relative.mean(axis=-1)
    handshake = metrics.handshake_index(margin, alive, confidence)
    if identify is None:
        undefined["time_to_identify"] = (
            f"no trajectory reached a belief of {metrics.IDENTIFIED} in its author"
        )
    if handshake is None:
        undefined["handshake_index"] = "the total evidence is not clear of zero"
    return identify, handshake


def _truth_over_time(evidence: Floats64, truth: Ints64, decode: Decode) -> Floats64:
    """(B, T, J, K) log belief in the true author after each step."""
    logs = Belief(evidence).log_belief(decode)
    return of_true_author(logs, np.broadcast_to(truth[:, None], evidence.shape[:-1]))


def _slot_mask(mask: npt.ArrayLike | None, shape: tuple[int, ...]) -> Bools:
    if mask is None:
        raise ShapeError(
            "score_belief: evidence_over_time needs the mask of the steps that happened in each "
            "slot"
        )
    alive = np.asarray(mask)
    if alive.ndim == 3:
        alive = alive[:, :, None]  # (B, T, 1, K)
    if (
        alive.dtype != np.bool_
        or alive.ndim != 4
        or alive.shape not in (shape, (*shape[:2], 1, shape[3]))
    ):
        raise ShapeError(
            f"mask must be bool {shape} or without the observers, got {alive.dtype} {alive.shape}"
        )
    if not alive.any(axis=1).all():
        raise ShapeError(
            "score_belief: a slot has no live step; leave such episodes out of a score"
        )
    return np.broadcast_to(alive, shape)
