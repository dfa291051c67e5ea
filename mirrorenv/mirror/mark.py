"""The mark test: an agent's own policy is secretly perturbed in some episodes. Can it tell which?

The computational analogue of Gallup's test (1970, "Chimpanzees: self-recognition", Science 167):
the mark is put where only somebody who knows itself can notice it. Two marks are known here.
*Noise*: in each step the action is drawn uniformly with probability epsilon. *Masking*: one action
loses a share of its probability, at most all of it.

Whoever is asked gives each of its episodes a score, higher for "that was not me". What the scores
are worth is the area under the curve of hits against false alarms (ROC). No reader can do better
than the likelihood ratio of the marked against the unmarked policy, `sum_t log pi'(a_t | h_t) -
log pi(a_t | h_t)`, since everything else that happened has the same probability under both (Neyman
and Pearson 1933): a score that is reliably above it has found a leak.

Shape legend: ... any leading axes (episodes, time), A actions.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri
from scipy.stats import rankdata

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror._checks import float_array, log_likelihood_array, mask_array
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.mirror.intervals import Estimate

__all__ = ["area_under_roc", "likelihood_ratio", "masked_policy", "noisy_policy", "roc_curve"]


def noisy_policy(log_policy: npt.ArrayLike, epsilon: float) -> Floats64:
    """The policy of an agent that acts uniformly at random with probability epsilon:
    log((1 - epsilon) pi + epsilon / A).

    Args:
        log_policy: (..., A) log probabilities of the actions; -inf for one that is never taken.
        epsilon: 0 to 1.

    Raises:
        ConfigError: for another epsilon.
        ShapeError: if the log probabilities hold NaN or +inf.
    """
    policy = np.exp(log_likelihood_array("log_policy", log_policy, min_ndim=1))
    if not 0.0 <= epsilon <= 1.0:
        raise ConfigError(f"noisy_policy: epsilon must lie in [0, 1], got {epsilon}")
    return _log((1.0 - epsilon) * policy + epsilon / policy.shape[-1])


def masked_policy(log_policy: npt.ArrayLike, action: int, strength: float = 1.0) -> Floats64:
    """The policy of an agent that takes one action less often or never: pi(a) (1 - strength [a =
    action]), normalised.

    Args:
        log_policy: (..., A) log probabilities of the actions.
        action: which one, in [0, A).
        strength: the share of its probability that it loses, 0 to 1.

    Raises:
        ConfigError: for another action or strength, or where nothing but the masked action is ever
            taken.
        ShapeError: if the log probabilities hold NaN or +inf.
    """
    policy = np.exp(log_likelihood_array("log_policy", log_policy, min_ndim=1))
    if not (0 <= action < policy.shape[-1] and 0.0 <= strength <= 1.0):
        raise ConfigError(
            f"masked_policy: action in [0, {policy.shape[-1]}) and strength in [0, 1], got "
            f"{action} and {strength}"
        )
    policy[..., action] *= 1.0 - strength
    total = policy.sum(axis=-1, keepdims=True)
    if not (total > 0.0).all():
        raise ConfigError(
            f"masked_policy: action {action} is all that is ever taken; nothing is left without it"
        )
    return _log(policy / total)


def likelihood_ratio(
    marked: npt.ArrayLike, unmarked: npt.ArrayLike, mask: npt.ArrayLike
) -> Floats64:
    """The best score there is: log likelihood ratio of marked against unmarked over the steps that
    happened.

    Args:
        marked: (B, T) log probability of the action taken under the marked policy; -inf for one
            that it never takes.
        unmarked: (B, T) the same under the unmarked policy.
        mask: (B, T) bool, the steps that happened.

    Returns:
        (B,) nats, -inf for an episode that the marked policy cannot have made.

    Raises:
        ShapeError: if shapes disagree, or a live step has probability zero under both.
    """
    one = float_array("marked", marked, ndim=2)
    other = float_array("unmarked", unmarked, ndim=2)
    if one.shape != other.shape:
        raise ShapeError(
            f"likelihood_ratio: marked {one.shape} and unmarked {other.shape} must have one shape "
            "(B, T)"
        )
    live = mask_array("mask", mask, one.shape)
    one, other = np.where(live, one, 0.0), np.where(live, other, 0.0)
    if (
        np.isnan(one).any()
        or np.isnan(other).any()
        or (np.isneginf(one) & np.isneginf(other)).any()
    ):
        raise ShapeError(
            "likelihood_ratio: a step that happened is NaN, or impossible both marked and unmarked"
        )
    result: Floats64 = np.round((one - other).sum(axis=1), 10)  # rounding joins float-noise ties
    return result


def roc_curve(marked: npt.ArrayLike, unmarked: npt.ArrayLike) -> tuple[Floats64, Floats64]:
    """False alarms and hits at every threshold, from (0, 0) to (1, 1): what lies at or above it is
    called marked.

    Args:
        marked: (M,) scores of marked episodes, higher for "that was not me".
        unmarked: (U,) scores of unmarked ones.

    Returns:
        (P,) shares of unmarked and (P,) shares of marked episodes that are called marked, both
        ascending; scores that are equal make one point.

    Raises:
        ShapeError: if a sample is empty or holds NaN.
    """
    yes = _scores("marked", marked)
    no = _scores("unmarked", unmarked)
    thresholds = np.unique(np.concatenate([yes, no]))[::-1]  # descending
    hits = 1.0 - np.searchsorted(np.sort(yes), thresholds, side="left") / len(yes)
    alarms = 1.0 - np.searchsorted(np.sort(no), thresholds, side="left") / len(no)
    return np.concatenate([[0.0], alarms]), np.concatenate([[0.0], hits])


def area_under_roc(
    marked: npt.ArrayLike, unmarked: npt.ArrayLike, confidence: float = 0.95
) -> Estimate:
    """Probability that a marked episode scores above an unmarked one, ties counting half: 0.5 at
    chance, 1 at best.

    The Mann-Whitney statistic (Hanley and McNeil 1982) with the variance of DeLong, DeLong and
    Clarke-Pearson (1988). Below 0.5 the reader finds marked episodes more like itself than its own.

    Args:
        marked: (M,) scores of marked episodes, higher for "that was not me"; infinite ones are
            fine.
        unmarked: (U,) scores of unmarked ones.
        confidence: of the interval, which is over the episodes of one agent. It has no width where
            the two samples do not overlap.

    Raises:
        ShapeError: if a sample is empty or holds NaN.
        ConfigError: for a confidence outside (0, 1).
    """
    yes = _scores("marked", marked)
    no = _scores("unmarked", unmarked)
    if not 0.0 < confidence < 1.0:
        raise ConfigError(f"area_under_roc: confidence must lie in (0, 1), got {confidence}")
    together = rankdata(np.concatenate([yes, no]))
    # (M,) share of the unmarked below each marked one
    above = (together[: len(yes)] - rankdata(yes)) / len(no)
    # (U,) share of the marked above each unmarked one
    below = 1.0 - (together[len(yes) :] - rankdata(no)) / len(yes)
    area = float(above.mean())
    if min(len(yes), len(no)) < 2:
        return Estimate(
            area, -math.inf, math.inf, len(yes) + len(no), "one episode: spread unknown"
        )
    error = math.sqrt(above.var(ddof=1) / len(yes) + below.var(ddof=1) / len(no))
    reach = float(ndtri(0.5 + confidence / 2)) * error
    return Estimate(area, area - reach, area + reach, len(yes) + len(no), "DeLong").within(0.0, 1.0)


def _scores(name: str, values: npt.ArrayLike) -> Floats64:
    scores = float_array(name, values, ndim=1)
    if not len(scores) or np.isnan(scores).any():
        raise ShapeError(
            f"{name}: scores must be at least one number and no NaN, got {len(scores)} numbers"
        )
    return scores


def _log(policy: Floats64) -> Floats64:
    with np.errstate(divide="ignore"):  # what is never done has minus infinity
        result: Floats64 = np.log(policy)
    return result
