"""What a belief is worth once the names are revealed: each figure, its formula and its source.

Every function takes one number (or count) per episode and returns an `Estimate` whose interval is
clustered by episode: Student's t on episode means for means, the jackknife over episodes for
everything else.

Shape legend: B batch (episodes), T time, J observers, K slots, N agents. `author_order` arrays
have row n for the trajectory of agent n.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri

from mirrorenv.mirror.arrays import Bools, Floats64
from mirrorenv.mirror.intervals import Estimate, jackknife_interval, rate_interval, t_interval

__all__ = [
    "CALIBRATION_BINS",
    "EARLY_SHARE",
    "IDENTIFIED",
    "NEAR_ZERO",
    "brier_score",
    "calibration_error",
    "exponential",
    "handshake_index",
    "mean_nats",
    "number_right",
    "ratio",
    "self_advantage",
    "self_detection",
    "time_to_identify",
]

CALIBRATION_BINS = 15
IDENTIFIED = 0.95
EARLY_SHARE = 0.1
NEAR_ZERO = 0.01
"""Nats of information below which a ratio to it means nothing."""


def mean_nats(per_episode: Floats64, confidence: float) -> Estimate:
    """Mean of (B,) nats. If a true author had belief zero the mean is -inf and is given as such,
    without a spread."""
    lost = int(np.isneginf(per_episode).sum())
    if lost:
        method = f"belief zero in a true author in {lost} of {len(per_episode)} episodes"
        return Estimate(-math.inf, -math.inf, math.inf, len(per_episode), method)
    return t_interval(per_episode, confidence)


def number_right(right: Floats64, slots: int, confidence: float) -> Estimate:
    """Mean number of slots right, with the interval of their share of all slots.

    Args:
        right: (B,) slots right in each lineup, in [0, slots]; fractions where ties share.
        slots: K.
        confidence: of the interval, in (0, 1).
    """
    share = rate_interval(right / slots, confidence)
    return Estimate(
        share.value * slots, share.low * slots, share.high * slots, share.n, share.method
    )


def exponential(nats: Estimate) -> Estimate:
    """exp of an estimate, end by end: "effective agents" from information (the exponential of a
    mutual information)."""
    return Estimate(
        math.exp(nats.value),
        math.exp(nats.low),
        math.exp(nats.high),
        nats.n,
        f"exp of {nats.method}",
    )


def brier_score(belief: Floats64, truth: Floats64, confidence: float) -> Estimate:
    """`mean sum_n (q(n) - [n is the author])**2`: 0 at best, 1 - 1/N at chance, 2 at worst (Brier
    1950).

    Args:
        belief: (B, J, K, N) probabilities.
        truth: (B, J, K, N) one-hot.
        confidence: of the interval.
    """
    return t_interval(((belief - truth) ** 2).sum(axis=-1).mean(axis=(1, 2)), confidence).within(
        0.0, 2.0
    )


def self_detection(verdicts: Floats64, confidence: float) -> tuple[Estimate, Estimate]:
    """Sensitivity d' and criterion c of saying "mine", averaged over agents.

    `d' = z(H) - z(F)`, `c = -(z(H) + z(F)) / 2` with z the normal quantile, H the share of an
    agent's own trajectories it calls its own and F the share of others' it calls its own, each with
    the log-linear correction (count + 0.5) / (trials + 1) (Green and Swets 1966; Hautus 1995;
    Stanislaw and Todorov 1999). Chance: d' = 0; c > 0 is reluctance to say "mine", as a share of
    1/N must show.

    Args:
        verdicts: (B, J = N, N, N) credits in author order.
        confidence: of the intervals.
    """
    episodes, agents = verdicts.shape[:2]
    mine = np.einsum("bjnj->bjn", verdicts)  # (B, J, N) did j call n's trajectory its own
    hits = np.einsum("bjj->bj", mine)  # (B, J)
    alarms = mine.sum(axis=2) - hits  # (B, J)

    def of(hit: Floats64, alarm: Floats64, count: int) -> tuple[Floats64, Floats64]:
        z_hit = ndtri((hit + 0.5) / (count + 1))
        z_alarm = ndtri((alarm + 0.5) / (count * (agents - 1) + 1))
        return (z_hit - z_alarm).mean(axis=-1), (-(z_hit + z_alarm) / 2).mean(axis=-1)

    whole = of(hits.sum(axis=0), alarms.sum(axis=0), episodes)
    left_out = of(hits.sum(axis=0) - hits, alarms.sum(axis=0) - alarms, episodes - 1)
    dprime, criterion = (
        jackknife_interval(float(value), without, confidence)
        for value, without in zip(whole, left_out, strict=True)
    )
    return dprime, criterion


def self_advantage(verdicts: Floats64, confidence: float) -> Estimate:
    """Own recognition minus how well others know me: mean over i of acc_i(tau_i) - mean over j != i
    of acc_j(tau_i).

    Zero where nothing about an agent's observer is privileged.

    Args:
        verdicts: (B, J = N, N, N) credits in author order.
        confidence: of the interval.
    """
    agents = verdicts.shape[1]
    right = np.einsum("bjnn->bjn", verdicts)  # (B, J, N) did j name the author of n's trajectory
    own = np.einsum("bjj->bj", right)  # (B, N)
    others = (right.sum(axis=1) - own) / (agents - 1)  # (B, N)
    return t_interval((own - others).mean(axis=1), confidence)


def calibration_error(belief: Floats64, credit: Floats64, confidence: float) -> Estimate:
    """Expected calibration error of the verdicts in 15 bins of equal mass.

    `sum over bins of |sum of confidence - sum of right| / number` with confidence the largest
    probability of the row (Naeini et al. 2015 and Guo et al. 2017 for the error, Nguyen and
    O'Connor 2015 for equal mass). Equal confidences share a bin. Biased upwards by chance in small
    samples.

    Args:
        belief: (B, J, K, N) probabilities.
        credit: (B, J, K) whether the verdict was right, shares for ties.
        confidence: of the interval (jackknife over episodes with the bins held fixed).
    """
    # (B, J K); rounding joins float-noise ties
    stated = np.round(belief.max(axis=-1), 9).reshape(len(belief), -1)
    ordered = np.sort(stated, axis=None)
    bins = np.searchsorted(ordered, stated) * CALIBRATION_BINS // stated.size  # (B, J K)
    gap = stated - credit.reshape(stated.shape)
    member = bins[..., None] == np.arange(CALIBRATION_BINS)  # (B, J K, bins)
    gaps = np.einsum("bs,bsc->bc", gap, member)  # (B, bins)
    value = float(np.abs(gaps.sum(axis=0)).sum()) / stated.size
    if len(belief) == 1:
        return jackknife_interval(value, [value], confidence)
    left_out = np.abs(gaps.sum(axis=0) - gaps).sum(axis=1) / (stated.size - stated.shape[1])
    return jackknife_interval(value, left_out, confidence).within(0.0, 1.0)


def ratio(numerator: Floats64, denominator: Floats64, confidence: float) -> Estimate | None:
    """Ratio of the means of two paired samples, jackknifed over episodes.

    Args:
        numerator: (B,) nats.
        denominator: (B,) nats of the same episodes.
        confidence: of the interval, in (0, 1).

    Returns:
        None where the ratio means nothing: the denominator's mean is below 0.01 nats or its
        interval reaches zero, or a number is not finite.
    """
    if not (np.isfinite(numerator).all() and np.isfinite(denominator).all()):
        return None
    below = t_interval(denominator, confidence)
    if below.value < NEAR_ZERO or below.low <= 0.0:
        return None
    left_out = (numerator.sum() - numerator) / (denominator.sum() - denominator)
    return jackknife_interval(float(numerator.sum() / denominator.sum()), left_out, confidence)


def time_to_identify(log_belief: Floats64, alive: Bools, confidence: float) -> Estimate | None:
    """Steps until the belief in the true author first exceeds 0.95: a restricted mean.

    A trajectory that is never identified is censored at its end and counts as its full length, so
    the figure is a lower bound on the mean (the restricted mean of survival analysis, Royston and
    Parmar 2013). None where no trajectory is identified at all: the figure would only say how long
    episodes are.

    Args:
        log_belief: (B, T, J, K) log belief in the true author after each step.
        alive: (B, T, J, K) the steps that happened; at least one per slot.
        confidence: of the interval.
    """
    known = (log_belief > math.log(IDENTIFIED)) & alive
    if not known.any():
        return None
    steps = np.where(known.any(axis=1), known.argmax(axis=1) + 1, alive.sum(axis=1))  # (B, J, K)
    return t_interval(steps.mean(axis=(1, 2)), confidence).within(1.0, float(alive.shape[1]))


def handshake_index(margin: Floats64, alive: Bools, confidence: float) -> Estimate | None:
    """Share of the total evidence that falls in the first tenth of the episode: 0.1 if it comes
    evenly.

    Evidence is the margin of the true author over the mean of all agents, which grows without bound
    where a belief saturates at certainty. Shorter than ten steps, the first tenth is part of the
    first step, interpolated linearly. None where the total evidence is near zero.

    Args:
        margin: (B, T, J, K) evidence for the true author minus the mean over agents, after each
            step, held at the end.
        alive: (B, T, J, K) the steps that happened.
        confidence: of the interval.
    """
    length = alive.sum(axis=1)  # (B, J, K)
    path = np.concatenate([np.zeros_like(margin[:, :1]), margin], axis=1)  # (B, T + 1, J, K)

    def at(step: Floats64) -> Floats64:
        below = np.floor(step).astype(np.int64)
        above = np.minimum(below + 1, length)
        first = np.take_along_axis(path, below[:, None], axis=1)[:, 0]
        second = np.take_along_axis(path, above[:, None], axis=1)[:, 0]
        value: Floats64 = first + (step - below) * (second - first)
        return value

    early = at(EARLY_SHARE * length)
    total = at(length.astype(np.float64))
    return ratio(early.mean(axis=(1, 2)), total.mean(axis=(1, 2)), confidence)
