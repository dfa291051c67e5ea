"""From evidence to permutations: exact marginals, normaliser and best assignment of a lineup, for
up to 16 agents.

Each agent made exactly one of the K = N trajectories, so the belief over whole lineups is
`p(sigma) = exp(sum_k L[k, sigma(k)]) / perm(exp L)`: a posterior over the N! permutations whose
normaliser is a permanent. Both are computed exactly by dynamic programming over subsets
(:mod:`mirrorenv.mirror._subsets`), in the linear domain: the matrix is first shifted by the dual
potentials of the assignment problem, so that no entry is above zero and the best permutation weighs
exactly 1. Shifts of whole rows or columns change no posterior, and evidence differences of hundreds
of nats cannot underflow what matters. Above 16 agents see :mod:`mirrorenv.mirror.sampling`.

Shape legend: ... any leading batch axes, B their product, N agents and slots. Row k is a slot,
column n an agent.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import permutations

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ShapeError
from mirrorenv.mirror._checks import log_likelihood_array, square
from mirrorenv.mirror._subsets import forward_sums, linear_marginals, log_marginals
from mirrorenv.mirror.arrays import Bools, Floats64, Ints64

__all__ = [
    "MAX_EXACT_AGENTS",
    "dual_shift",
    "log_permutation_marginals",
    "log_permutation_posterior",
    "log_permutation_sum",
    "most_probable_permutation",
    "permutation_array",
    "permutation_marginals",
]

MAX_EXACT_AGENTS = 16
"""Largest N for the exact sums: 16 * 2**15 terms a pass."""

# a linear marginal above this kept full relative precision (every partial sum is at most 16!)
_TRUSTED = 1e-280

# agents up to whom trying all permutations beats the solver, and matrices tried at once
_LISTED = 5
_MATRICES = 512


def permutation_marginals(log_likelihood: npt.ArrayLike) -> Floats64:
    """Exact probability that slot k was made by agent n, given that every agent made one slot.

    Args:
        log_likelihood: (..., N, N) evidence in nats, slot by agent, N <= 16; -inf marks impossible
            pairs.

    Returns:
        (..., N, N) float64, doubly stochastic. Entries below about 1e-300 are zero; their
        logarithms come from
        :func:`log_permutation_marginals`.

    Raises:
        ShapeError: if the matrix is not square, larger than 16, holds NaN or +inf, or admits no
            permutation at all.

    Example:
        >>> permutation_marginals([[0.0, 0.0], [0.0, 0.0]]).tolist()
        [[0.5, 0.5], [0.5, 0.5]]
    """
    logs = _evidence(log_likelihood)
    flat = logs.reshape(-1, *logs.shape[-2:])  # (B, N, N)
    result = np.empty_like(flat)
    for part in _chunks(flat):
        weights, columns, _ = dual_shift(flat[part])
        _, marginals = linear_marginals(np.exp(weights))
        result[part] = _original_columns(marginals, columns)
    return result.reshape(logs.shape)


def log_permutation_marginals(log_likelihood: npt.ArrayLike) -> Floats64:
    """Natural logarithm of :func:`permutation_marginals`, finite wherever some permutation allows
    the pair.

    Lineups whose linear marginals lose precision are computed again with logarithms, about ten
    times slower.

    Args:
        log_likelihood: (..., N, N) evidence in nats, N <= 16.

    Returns:
        (..., N, N) float64, at most 0.

    Raises:
        ShapeError: as :func:`permutation_marginals`.
    """
    logs = _evidence(log_likelihood)
    flat = logs.reshape(-1, *logs.shape[-2:])  # (B, N, N)
    result = np.empty_like(flat)
    for part in _chunks(flat):
        weights, columns, _ = dual_shift(flat[part])
        _, marginals = linear_marginals(np.exp(weights))
        with np.errstate(divide="ignore"):
            answer = np.log(marginals)
        tiny = (marginals < _TRUSTED).any(axis=(0, 1))
        if tiny.any():
            answer[..., tiny] = log_marginals(weights[..., tiny])
        result[part] = _original_columns(np.minimum(answer, 0.0), columns)
    return result.reshape(logs.shape)


def log_permutation_sum(log_likelihood: npt.ArrayLike) -> Floats64:
    """Log of the sum over all permutations of exp(sum of chosen evidence): the log permanent of
    exp(L).

    Args:
        log_likelihood: (..., N, N) evidence in nats, N <= 16.

    Returns:
        (...) float64, the log normaliser of the posterior over permutations.

    Raises:
        ShapeError: as :func:`permutation_marginals`.
    """
    logs = _evidence(log_likelihood)
    flat = logs.reshape(-1, *logs.shape[-2:])
    result = np.empty(len(flat))
    for part in _chunks(flat):
        weights, _, best = dual_shift(flat[part])
        result[part] = np.log(forward_sums(np.exp(weights))[-1][0]) + best
    return result.reshape(logs.shape[:-2])


def log_permutation_posterior(
    log_likelihood: npt.ArrayLike, permutation: npt.ArrayLike
) -> Floats64:
    """Log posterior probability of given permutations.

    Args:
        log_likelihood: (..., N, N) evidence in nats, N <= 16.
        permutation: (..., N) int64, `permutation[..., k]` is the agent proposed for slot k.

    Returns:
        (...) float64, at most 0; -inf for a permutation the evidence rules out.

    Raises:
        ShapeError: if the permutation does not fit or repeats an agent, or as
            :func:`permutation_marginals`.
    """
    logs = _evidence(log_likelihood)
    chosen = permutation_array("permutation", permutation, logs.shape[:-1])
    total = np.take_along_axis(logs, chosen[..., None], axis=-1)[..., 0].sum(axis=-1)  # (...)
    return np.asarray(np.minimum(total - log_permutation_sum(logs), 0.0), dtype=np.float64)


def most_probable_permutation(log_likelihood: npt.ArrayLike) -> Ints64:
    """The permutation with the highest posterior: the assignment that maximises the summed
    evidence.

    Any N: this is the linear assignment problem (Crouse 2016, as in SciPy), not a sum. Ties are
    broken by index, so a score must not show it lineups in author order.

    Args:
        log_likelihood: (..., N, N) evidence in nats.

    Returns:
        (..., N) int64, the agent of each slot.

    Raises:
        ShapeError: if the matrix is not square, holds NaN or +inf, or admits no permutation.
    """
    logs = log_likelihood_array("log_likelihood", log_likelihood)
    n = square("log_likelihood", logs)
    return _assign(logs.reshape(-1, n, n)).reshape(logs.shape[:-1])


def permutation_array(name: str, permutation: npt.ArrayLike, shape: tuple[int, ...]) -> Ints64:
    """The array as int64 permutations along its last axis.

    Args:
        name: of the argument, for errors.
        permutation: integers; each row of the last axis holds 0 to N - 1 once.
        shape: that it must have, (..., N).

    Raises:
        ShapeError: if shape, dtype or a row is wrong.
    """
    result = np.asarray(permutation)
    if result.shape != shape or not np.issubdtype(result.dtype, np.integer):
        raise ShapeError(
            f"{name} must be integers of shape {shape}, got {result.dtype} of shape {result.shape}"
        )
    if not (np.sort(result, axis=-1) == np.arange(shape[-1])).all():
        raise ShapeError(
            f"{name} must hold each agent 0..{shape[-1] - 1} exactly once in every row"
        )
    return result.astype(np.int64)


def _evidence(log_likelihood: npt.ArrayLike) -> Floats64:
    logs = log_likelihood_array("log_likelihood", log_likelihood)
    n = square("log_likelihood", logs)
    if n > MAX_EXACT_AGENTS:
        raise ShapeError(
            f"log_likelihood has N = {n} agents; exact sums over permutations stop at "
            f"{MAX_EXACT_AGENTS}. "
            "Use sampled_marginals, which states its standard error"
        )
    return logs


def _chunks(flat: Floats64) -> Iterator[slice]:
    # Lineups a pass, as measured fastest: enough to amortise NumPy's calls, few enough to stay
    # inside the caches.
    n = flat.shape[-1]
    size = min(512, max(32, (1 << 14) >> n)) if n <= 12 else 8 if n <= 14 else 1
    return (slice(start, start + size) for start in range(0, len(flat), size))


def _assign(flat: Floats64) -> Ints64:
    """(B, N) the best permutation of each matrix (B, N, N)."""
    if not 1 < flat.shape[-1] <= _LISTED:
        return _solved(flat, np.arange(len(flat)))
    columns = np.empty(flat.shape[:2], dtype=np.int64)
    clear = np.empty(len(flat), dtype=np.bool_)
    for start in range(0, len(flat), _MATRICES):
        part = slice(start, start + _MATRICES)
        columns[part], clear[part] = _compared(flat[part])
    unclear = np.flatnonzero(~clear)
    if len(unclear):
        columns[unclear] = _solved(flat, unclear)
    return columns


def _compared(flat: Floats64) -> tuple[Ints64, Bools]:
    """Every permutation is tried, which is many times faster where there are few.

    Returns:
        (B, N) the best, and (B,) whether it is one and no other comes close; where another does,
        rounding or a tie decides, and the solver is to be asked.
    """
    n = flat.shape[-1]
    orders = _orders(n)  # (P, N)
    rows = np.ascontiguousarray(flat.transpose(1, 2, 0))  # (N, N, B)
    total = rows[0, orders[:, 0]]  # (P, B)
    for k in range(1, n):
        total = total + rows[k, orders[:, k]]
    best = total.argmax(axis=0)  # (B,)
    chosen = np.take_along_axis(total, best[None], axis=0)[0]
    np.put_along_axis(total, best[None], -np.inf, axis=0)
    finite = np.where(np.isfinite(rows), np.abs(rows), 0.0)
    close = 1e-12 * (1.0 + finite.sum(axis=(0, 1)))  # beyond what the sums of either can be off
    return orders[best], (chosen > -np.inf) & (total.max(axis=0) < chosen - close)


@lru_cache
def _orders(n: int) -> Ints64:
    """(N!, N) all permutations."""
    return np.array(list(permutations(range(n))), dtype=np.int64)


def _solved(flat: Floats64, numbers: Ints64) -> Ints64:
    """The best permutations of the matrices of these numbers, one after the other, any N."""
    # here, since the optimisers are slow to import and most who need this module need none
    from scipy.optimize import linear_sum_assignment

    columns = np.empty((len(numbers), flat.shape[1]), dtype=np.int64)
    for index, number in enumerate(numbers):
        try:
            columns[index] = linear_sum_assignment(flat[number], maximize=True)[1]
        except ValueError as error:
            raise ShapeError(
                f"log_likelihood number {number} admits no permutation: its -inf entries rule out "
                "every assignment"
            ) from error
    return columns


def dual_shift(flat: Floats64) -> tuple[Floats64, Ints64, Floats64]:
    """Shift matrices so that the best permutation is the diagonal of zeros and nothing is above
    zero.

    Args:
        flat: (B, N, N) evidence that admits a permutation.

    Returns:
        shifted (N, N, B); columns (B, N) with `shifted[k, j, b]` belonging to agent `columns[b,
        j]`; the evidence (B,) of the best permutation, which was taken off.
    """
    columns = _assign(flat)
    # (B, N, N), best on the diagonal
    sorted_columns = np.take_along_axis(flat, columns[:, None, :], axis=2)
    logs = np.ascontiguousarray(sorted_columns.transpose(1, 2, 0))  # (N, N, B)
    n = len(logs)
    best = np.einsum("kkb->kb", logs).copy()  # (N, B)
    gain = logs - best[:, None]  # what slot k gains by leaving its own column for column j
    # Dual potentials are longest paths in `gain`, which has no positive cycle since the diagonal is
    # optimal (complementary slackness): potential[j] >= potential[k] + gain[k, j] for all k, j.
    potential = np.zeros_like(best)
    for _ in range(n - 1):
        potential = np.maximum(potential, (potential[:, None] + gain).max(axis=0))
    gain += potential[:, None] - potential[None]
    return gain, columns, best.sum(axis=0)


def _original_columns(marginals: Floats64, columns: Ints64) -> Floats64:
    result = np.empty((marginals.shape[2], *marginals.shape[:2]))  # (B, N, N)
    np.put_along_axis(result, columns[:, None, :], marginals.transpose(2, 0, 1), axis=2)
    return result
