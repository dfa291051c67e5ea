"""Learning coefficients that are known exactly: what an estimator is checked against.

The learning coefficient (real log canonical threshold) of a model at a point says how fast the
volume of nearly equal models grows: half the number of parameters where the minimum is regular,
less where it is singular (Watanabe, "Algebraic Geometry and Statistical Learning Theory", 2009).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ConfigError

__all__ = [
    "deep_linear_coefficient",
    "monomial_coefficient",
    "quadratic_estimate",
    "reduced_rank_coefficient",
]


def quadratic_estimate(
    curvature: npt.ArrayLike, n_beta: float, gamma: float, step_size: float = 0.0
) -> float:
    """What the estimator converges to for `L(w) = 1/2 sum_i h_i w_i^2`, step size included.

    The chain `w <- w - eps/2 a w + sqrt(eps) xi` with `a_i = n_beta h_i + gamma` has the
    stationary variance `1 / (a_i (1 - eps a_i / 4))`, so the estimate
    `n_beta E[L]` is `sum_i n_beta h_i / (2 a_i (1 - eps a_i / 4))`. With gamma = 0 and a step
    size towards 0 it is half the number of parameters that matter.

    Args:
        curvature: (P,) h_i, zero or greater.
        n_beta: number of samples times inverse temperature, above 0.
        gamma: strength of the pull towards the centre, zero or greater.
        step_size: eps, zero or greater; every `eps a_i` must be below 4, or the chain diverges.

    Returns:
        the expected estimate.

    Raises:
        ConfigError: if the step size is too large for the chain to be stationary.
    """
    h = np.asarray(curvature, np.float64)
    a = n_beta * h + gamma
    if np.any(step_size * a >= 4.0):
        raise ConfigError(
            f"quadratic_estimate: step_size = {step_size} is too large for a curvature of "
            f"{a.max():.4g}; it must be below {4.0 / a.max():.4g}"
        )
    used = h > 0
    each = n_beta * h[used] / (2.0 * a[used] * (1.0 - step_size * a[used] / 4.0))
    return float(each.sum())


def monomial_coefficient(powers: Sequence[int]) -> tuple[float, int]:
    """`L(w) = prod_i w_i^(2 k_i)`: the coefficient is `min_i 1 / (2 k_i)`.

    Args:
        powers: k_i, at least one of them above 0.

    Returns:
        the coefficient, and its multiplicity (how many i attain the minimum).
    """
    largest = max(powers)
    if largest < 1:
        raise ConfigError("monomial_coefficient: at least one power must be above 0")
    return 1.0 / (2.0 * largest), sum(power == largest for power in powers)


def reduced_rank_coefficient(inputs: int, hidden: int, outputs: int, rank: int) -> float:
    """Linear networks with one hidden layer whose truth has a given rank.

    Aoyagi and Watanabe, "Stochastic complexities of reduced rank regression in Bayesian
    estimation", Neural Networks 2005, theorem 1.

    Args:
        inputs: M, width of the input.
        hidden: H, width of the hidden layer.
        outputs: N, width of the output.
        rank: r of the true product, at most each of them.
    """
    M = inputs
    H = hidden
    N = outputs
    r = rank
    if not 0 <= r <= min(M, H, N):
        raise ConfigError(f"reduced_rank_coefficient: rank {r} is above a width of {M}, {H}, {N}")
    if N + r > M + H:
        return (H * M - H * r + N * r) / 2
    if M + r > N + H:
        return (H * N - H * r + M * r) / 2
    if H + r > M + N:
        return M * N / 2
    even = 2 * (H + r) * (M + N) - (M - N) ** 2 - (H + r) ** 2
    return (even + (M + H + N + r) % 2) / 8


def deep_linear_coefficient(widths: Sequence[int], rank: int) -> tuple[float, int]:
    """Linear networks of any depth whose truth has a given rank.

    Aoyagi, "Consideration on the learning efficiency of multiple-layered neural networks with
    linear units", Neural Networks 2024, theorem 1.

    Args:
        widths: (L + 1,) of the input, the hidden layers and the output; at least two.
        rank: r of the true product, at most the smallest width.

    Returns:
        the coefficient, and its multiplicity.

    Raises:
        ConfigError: if the rank is above a width.
    """
    if len(widths) < 2 or not 0 <= rank <= min(widths):
        raise ConfigError(f"deep_linear_coefficient: rank {rank} with widths {list(widths)}")
    spare = [width - rank for width in widths]  # M_s
    chosen = _bottleneck(spare)
    total = sum(chosen)
    count = len(chosen) - 1  # l
    ends = rank * (widths[0] + widths[-1]) - rank**2
    if not count:
        return ends / 2, 1
    remainder = total - (math.ceil(total / count) - 1) * count  # a
    pairs = sum(first * second for first, second in itertools.combinations(chosen, 2))
    value = ends / 2 + remainder * (count - remainder) / (4 * count)
    value += pairs / 2 - count * (count - 1) / 4 * (total / count) ** 2
    return value, remainder * (count - remainder) + 1


def _bottleneck(spare: Sequence[int]) -> list[int]:
    """The set S of the theorem: the narrowest layers that bound all others.

    It is a run of the smallest values: `max_S < min_not_S`, `sum_S >= l max_S` and
    `sum_S < l min_not_S` with `l = |S| - 1`.
    """
    ordered = sorted(spare)
    for size in range(1, len(ordered) + 1):
        inside = ordered[:size]
        outside = ordered[size:]
        total = sum(inside)
        count = size - 1
        if outside and not (inside[-1] < outside[0] and total < count * outside[0]):
            continue
        if total >= count * inside[-1]:
            return inside
    raise AssertionError("the theorem's set exists for every list of widths")
