"""Is a learned observer above the exact limit? A test that may be looked at after every episode and
checkpoint.

If the limit p is the truth, then given everything shown, the true author of a slot is distributed
as p, and for any belief q chosen beforehand `E[q(true) / p(true)] = sum over n with p(n) > 0 of
q(n) <= 1`. So the ratio is an e-value, its mean over the slots and observers of an episode is one,
and the product over independent episodes is a test martingale: by Ville's inequality it ever
exceeds 1/alpha with probability at most alpha (Ville 1939; Shafer 2021, "Testing by betting", JRSS
A 184; Grunwald, de Heide and Koolen 2024, "Safe testing", JRSS B 86). A learned belief reliably
above the limit means a leak, a bug, or a limit that is not one.

Two conditions: q must not have been trained on the episodes it is tested on, and p must be the
posterior given all that q was shown (exact permutation marginals if q saw the whole lineup).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror._checks import log_likelihood_array

__all__ = ["likelihood_ratio_e_value", "log_e_threshold"]


def likelihood_ratio_e_value(
    learned_log_belief: npt.ArrayLike, limit_log_marginal: npt.ArrayLike
) -> float:
    """Log e-value against "the limit is the truth": sum over episodes of log mean over slots of
    q(true) / p(true).

    Args:
        learned_log_belief: (E, ...) log belief of the learned observer in the true author; the
            first axis is the independent episodes, all others (slots, observers) are averaged
            within the episode.
        limit_log_marginal: the limit's log marginal of the same true author, broadcastable to the
            same shape.

    Returns:
        the log e-value in nats; reject the limit where it reaches :func:`log_e_threshold`. `-inf`
        if an episode's learned beliefs in the true authors are all zero, `inf` if the limit
        itself ruled out a true author.

    Raises:
        ShapeError: if the shapes disagree, or a log belief is NaN or above 0.
    """
    learned = log_likelihood_array("learned_log_belief", learned_log_belief, min_ndim=1)
    limit = log_likelihood_array("limit_log_marginal", limit_log_marginal, min_ndim=1)
    try:
        limit = np.broadcast_to(limit, learned.shape)
    except ValueError as error:
        raise ShapeError(
            f"limit_log_marginal {limit.shape} does not broadcast to learned_log_belief "
            f"{learned.shape}"
        ) from error
    if learned.size == 0 or max(learned.max(), limit.max()) > 1e-4:
        raise ShapeError(
            "likelihood_ratio_e_value needs at least one episode of log probabilities, all at most "
            "0"
        )
    if np.isneginf(limit).any():
        return math.inf
    ratios = (learned - limit).reshape(len(learned), -1)  # (E, slots x observers)
    return float(np.sum(_log_mean_exp(ratios)))


def log_e_threshold(alpha: float, tests: int = 1) -> float:
    """The log e-value at which `tests` tests together raise a false alarm with probability at
    most alpha.

    `log(tests / alpha)`: Bonferroni, for example over the checkpoints of a run. Within one test
    the threshold holds at every stopping time, however often the e-value is looked at.

    Raises:
        ConfigError: if alpha is not in (0, 1) or `tests` is below 1.
    """
    if not 0.0 < alpha < 1.0 or tests < 1:
        raise ConfigError(
            f"log_e_threshold: alpha in (0, 1) and tests >= 1, got {alpha} and {tests}"
        )
    return math.log(tests / alpha)


def _log_mean_exp(ratios: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    top = ratios.max(axis=1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):  # every ratio zero: the e-value is zero, its logarithm -inf
        result: npt.NDArray[np.float64] = np.log(np.exp(ratios - top).mean(axis=1)) + top[:, 0]
    return result
