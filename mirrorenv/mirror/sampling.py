"""Permutation marginals by sampling, with a standard error: for more than 16 agents.

Annealed importance sampling (Neal 2001, Statistics and Computing 11:125-139) over permutations.
Each particle starts as a uniform random permutation and is carried to the posterior through a
ladder of inverse temperatures; at each rung its weight takes up the tempered evidence and
block-Gibbs moves re-deal the agents of a few rival slots exactly. The weights make the estimate
consistent whether or not the moves mix, particles are independent, and the standard error is that
of a self-normalised importance estimate (delta method; Owen, Monte Carlo theory, chapter 9).

Shape legend: P particles, N agents and slots, M slots in a block, Q = M! orders of a block.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations as _orders

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from mirrorenv.errors import ConfigError
from mirrorenv.mirror._checks import log_likelihood_array, square
from mirrorenv.mirror.arrays import Floats64, Ints64
from mirrorenv.mirror.permutations import dual_shift

__all__ = ["sampled_marginals"]

_BLOCK = 4  # slots dealt again in one move: 24 orders
# nats: permutations less likely than exp(-50) / N! relative to the best one are not told apart
_CLIP = 50.0
_UNRELATED = 0.05  # how often a block reaches for slots that do not compete
_STEP_ESS = 0.95  # share of the particles that must stay effective from one rung to the next
_FINAL_SWEEPS = 100  # enough that well-mixed particles agree, and their weights hardly matter


def sampled_marginals(
    log_likelihood: npt.ArrayLike, samples: int, rng: np.random.Generator
) -> tuple[Floats64, Floats64]:
    """Permutation marginals of large lineups, with standard errors.

    Args:
        log_likelihood: (..., N, N) evidence in nats, slot by agent; -inf marks impossible pairs.
        samples: P, independent particles per lineup, at least 16. The error falls with its square
            root.
        rng: source of randomness; the only one used.

    Returns:
        marginals (..., N, N), rows and columns summing to 1, and their standard errors (..., N, N).
        An error is at least 1 / (effective samples x sweeps), so that a pair never seen is not
        called certain.

    Raises:
        ConfigError: if `samples` is below 16.
        ShapeError: if the matrix is not square, holds NaN or +inf, or admits no permutation.
    """
    logs = log_likelihood_array("log_likelihood", log_likelihood)
    n = square("log_likelihood", logs)
    if samples < 16:
        raise ConfigError(
            f"sampled_marginals: samples must be at least 16 for a standard error, got {samples}"
        )
    shifted, columns, _ = dual_shift(logs.reshape(-1, n, n))  # (N, N, B)
    means, errors = np.empty((2, shifted.shape[2], n, n))
    for index, order in enumerate(columns):
        mean, error = _anneal(np.ascontiguousarray(shifted[..., index]), samples, rng)
        means[index][:, order] = mean
        errors[index][:, order] = error
    return means.reshape(logs.shape), errors.reshape(logs.shape)


def _anneal(shifted: Floats64, samples: int, rng: np.random.Generator) -> tuple[Floats64, Floats64]:
    n = len(shifted)
    # The best permutation weighs exp(0): what lies below the clip cannot add up to more than
    # exp(-_CLIP) of it.
    energy = np.maximum(shifted, -_CLIP - float(gammaln(n + 1)))
    particles = rng.permuted(np.tile(np.arange(n), (samples, 1)), axis=1)  # (P, N)
    log_weight = np.zeros(samples)
    inverse_temperature = 0.0
    while inverse_temperature < 1.0:
        score = energy[np.arange(n), particles].sum(axis=1)  # (P,)
        step = _next_step(score, log_weight, 1.0 - inverse_temperature)
        inverse_temperature = min(1.0, inverse_temperature + step)
        log_weight += step * score
        _sweep(energy * inverse_temperature, particles, rng, None)
    visits = np.zeros((samples, n, n))  # (P, N, N)
    for _ in range(_FINAL_SWEEPS):
        _sweep(energy, particles, rng, visits)
    visits /= visits.sum(axis=2, keepdims=True)
    return _weighted_mean(visits, log_weight)


def _next_step(score: Floats64, log_weight: Floats64, longest: float) -> float:
    """The largest temperature step that leaves the conditional effective sample size above its
    share."""

    def effective(step: float) -> float:
        base = np.exp(log_weight - log_weight.max())
        base /= base.sum()
        factor = np.exp(step * (score - score.max()))
        return float((base @ factor) ** 2 / (base @ factor**2))

    if effective(longest) >= _STEP_ESS:
        return longest
    low = 0.0
    high = longest
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if effective(middle) >= _STEP_ESS else (low, middle)
    return max(low, 1e-6)


@lru_cache(maxsize=8)
def _block_orders(size: int) -> tuple[Ints64, Floats64]:
    orders = np.array(list(_orders(range(size))), dtype=np.int64)  # (Q, M)
    return orders, np.eye(size)[orders].reshape(len(orders), -1)  # (Q, M * M) one-hot


def _blocks(energy: Floats64, rng: np.random.Generator) -> Ints64:
    """(N, M) one block around every slot, of slots that compete for the same agents.

    Chosen from the evidence and not from where the particles are, which is what keeps the moves
    exact.
    """
    n = len(energy)
    chance = np.exp(energy - energy.max(axis=1, keepdims=True))
    chance /= chance.sum(axis=1, keepdims=True)
    rivalry = np.log(chance @ chance.T + _UNRELATED / n)  # (N, N)
    ranked = rivalry + rng.gumbel(size=(n, n))  # Gumbel top-k: drawn without replacement
    np.fill_diagonal(ranked, np.inf)
    return np.argsort(-ranked, axis=1)[rng.permutation(n), :_BLOCK]


def _sweep(
    energy: Floats64, particles: Ints64, rng: np.random.Generator, visits: Floats64 | None
) -> None:
    """Deal every slot again in a block of its rivals, in place; add the blocks' conditional
    probabilities to visits."""
    count = len(particles)
    particle = np.arange(count)[:, None]
    for block in _blocks(energy, rng):
        orders, one_hot = _block_orders(len(block))
        agents = particles[:, block]  # (P, M)
        # (P, M, M) slot m with the agent now in slot m'
        local = energy[block[:, None], agents[:, None]]
        score = local.reshape(count, -1) @ one_hot.T  # (P, Q)
        chance = np.exp(score - score.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        picked = (
            (chance.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1).clip(max=len(orders) - 1)
        )
        particles[:, block] = agents[particle, orders[picked]]
        # Rao-Blackwell: the whole conditional, not only the order that was drawn
        if visits is not None:
            share = (chance @ one_hot).reshape(count, len(block), len(block))
            visits[particle[:, :, None], block[:, None], agents[:, None]] += share


def _weighted_mean(visits: Floats64, log_weight: Floats64) -> tuple[Floats64, Floats64]:
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    mean = np.einsum("p,pkn->kn", weight, visits)
    spread = np.einsum("p,pkn->kn", weight**2, (visits - mean) ** 2)
    effective = 1.0 / float(weight @ weight)
    correction = effective / max(effective - 1.0, 1e-9)
    floor = 1.0 / (effective * _FINAL_SWEEPS)
    return mean, np.sqrt(spread * correction + floor**2)
