"""One interval for the mean of anything that lies in [0, 1]: a share of hits, an episode's share of
right answers, a probability.

It is exact for counts, has a width where nothing varied, and a perfect sample never gets a wider
one than a sample just below: what Student's t and an exact binomial interval side by side cannot
say. It needs the mean and the mean square only, so that it can be had from recorded t intervals.

Shape legend: E clusters (episodes, games or seeds).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror._checks import float_array
from mirrorenv.mirror.intervals import Estimate, students_quantile

__all__ = ["bounded_interval", "bounded_mean", "rebounded"]


def bounded_mean(values: npt.ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean of numbers in [0, 1], with :func:`bounded_interval`.

    Args:
        values: (E,) one number in [0, 1] per cluster.
        confidence: in (0, 1).

    Raises:
        ShapeError: if there is no value, or one lies outside [0, 1].
        ConfigError: if the confidence is not in (0, 1).
    """
    sample = float_array("values", values, ndim=1)
    if not len(sample) or not ((sample >= 0.0) & (sample <= 1.0)).all():
        raise ShapeError("bounded_mean: values lie in [0, 1], and there is at least one")
    mean = float(sample.mean())
    return bounded_interval(mean, float(np.square(sample).mean()), len(sample), confidence)


def bounded_interval(mean: float, square: float, n: int, confidence: float = 0.95) -> Estimate:
    """The interval of a mean of numbers in [0, 1], from their first two moments.

    The lower end is `c * B`, where `c = square / mean` is the mean weighted by itself, `k = n *
    mean**2 / square` is Kish's effective sample size (Survey Sampling, 1965), and B is the
    `(1 - confidence) / 2` quantile of Beta(k, n - k + 1). The upper end is the same of `1 - x`.

    It has the first two moments of the bound of Gaffke (Mathematical Methods of Statistics 14,
    2005) and of Learned-Miller and Thomas (arXiv 1905.06208), a weighted mean of the sample and of
    the worst value by Dirichlet(1, ..., 1) weights. It equals that bound where all values are
    alike, and for zeros and ones both are Clopper and Pearson's (1934). That bound covers what it
    claims in all that is known, without a proof; what this one covers is measured by
    `benchmarks/proofs/interval_coverage.py`.

    Args:
        mean: of the sample, in [0, 1].
        square: mean of the squares, in [mean**2, mean]; what rounding puts outside is moved there.
        n: numbers in the sample, at least 1.
        confidence: in (0, 1).

    Raises:
        ShapeError: if the mean lies outside [0, 1], or the sample is empty.
        ConfigError: if the confidence is not in (0, 1).
    """
    if not 0.0 < confidence < 1.0:
        raise ConfigError(f"confidence must be in (0, 1), got {confidence}")
    if not 0.0 <= mean <= 1.0 or n < 1:
        raise ShapeError(f"bounded_interval: a mean in [0, 1] of at least one, got {mean} of {n}")
    square = min(max(square, mean**2), mean)
    alpha = (1.0 - confidence) / 2
    low = _lower(mean, square, n, alpha)
    high = 1.0 - _lower(1.0 - mean, 1.0 - 2.0 * mean + square, n, alpha)
    method = f"moments of Gaffke's bound on {n} clusters"
    return Estimate(mean, min(low, mean), max(high, mean), n, method)


def _lower(mean: float, square: float, n: int, alpha: float) -> float:
    scale = min(square / mean, 1.0) if mean > 0.0 else 0.0
    if scale <= 0.0:
        return 0.0
    ones = min(n * mean / scale, float(n))
    return scale * float(betaincinv(ones, n - ones + 1.0, alpha))


def rebounded(found: Estimate | None, n: int | None = None, most: float = 1.0) -> Estimate | None:
    """A recorded share as it is shown: the same value with :func:`bounded_interval`.

    Files hold Student's t interval, cut at 0 and 1, or the exact binomial one of shares that are
    all 0 or all 1 (:func:`mirrorenv.mirror.intervals.rate_interval`), both of 95 %. The spread of
    the sample follows from either.

    Args:
        found: of a figure in [0, most]; None stays None.
        n: clusters it rests on; those that the estimate names if not given.
        most: the largest value the figure can have.

    Returns:
        the estimate as it was where its clusters or its spread are not known, or it is no share.
    """
    if found is None:
        return None
    count = n or found.n
    mean = found.value / most
    if count < 2 or not found.bounded or not 0.0 <= mean <= 1.0:
        return found
    square = mean
    if 0.0 < mean < 1.0 and not (found.low <= 0.0 and found.high >= most):
        half = max(found.value - found.low, found.high - found.value) / most
        error = half / students_quantile(0.95, count - 1)
        square = mean**2 + error**2 * (count - 1)
    shown = bounded_interval(mean, square, count)
    return Estimate(found.value, shown.low * most, shown.high * most, count, shown.method)
