"""Counter-based random numbers for a batch of worlds, so that row b of a batch equals the single
world with its seed.

A generator that is shared by a batch would make every row depend on how many rows stand beside it.
Here each row owns a key (hashed from its seed) and a counter, and a number is a hash of the two:
Steele, Lea and Flood's SplitMix64 ("Fast splittable pseudorandom number generators", OOPSLA 2014)
evaluated at any counter, for all rows at once.

Shape legend: B batch (rows of the generator), R rows asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv, ndtri

from mirrorenv.errors import ShapeError
from mirrorenv.mirror.arrays import Bools, Floats64, Ints64

__all__ = ["BatchRandom", "check_seeds", "fresh_seed", "row_keys", "small_seed"]

Seeds = Sequence[int] | npt.NDArray[np.integer[Any]]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S11 = (np.uint64(s) for s in (27, 30, 31, 11))
_ONE = np.uint64(1)
_MANY = 2**31


def fresh_seed() -> int:
    """A seed in [0, 2**63) from the operating system's entropy; the global random state is not
    touched."""
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0] >> _ONE)


def small_seed(seed: int) -> int:
    """A seed for somebody else's generator, many of which take no more than 31 bits: below 2**31
    the seed itself, else a hash of all of it.

    Args:
        seed: in [0, 2**64).
    """
    if seed < _MANY:
        return seed
    digest = hashlib.blake2b(seed.to_bytes(8, "big"), digest_size=4).digest()
    return int.from_bytes(digest, "big") % _MANY


def check_seeds(seeds: Seeds, count: int | None = None) -> npt.NDArray[np.uint64]:
    """Seeds as a (B,) uint64 array.

    Args:
        seeds: (B,) integers in [0, 2**64).
        count: the number of seeds wanted, or None for any.

    Raises:
        ShapeError: if the seeds are not a flat row of non-negative integers, or not `count` of
            them.
    """
    try:
        array = np.asarray(seeds)
    except (ValueError, OverflowError) as error:  # lists of several lengths
        raise ShapeError(f"seeds must be a flat row of integers: {error}") from error
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ShapeError(
            f"seeds must be a flat row of integers, got shape {array.shape} and dtype {array.dtype}"
        )
    if array.dtype.kind == "i" and array.size and array.min() < 0:
        raise ShapeError(f"seeds must not be negative, got {array.min()}")
    if count is not None and len(array) != count:
        raise ShapeError(
            f"{count} worlds need {count} seeds, got {len(array)}: pass one seed for each row of "
            "the batch"
        )
    return array.astype(np.uint64)


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64's finaliser: a bijection of 64 bits in which every input bit moves every output
    bit."""
    x = (x ^ (x >> _S30)) * _MIX_1
    x = (x ^ (x >> _S27)) * _MIX_2
    return x ^ (x >> _S31)


def row_keys(seeds: Seeds, stream: str) -> npt.NDArray[np.uint64]:
    """(B,) the keys of rows, of which all their numbers are hashed; arguments as `BatchRandom`."""
    salt = int.from_bytes(hashlib.blake2b(stream.encode(), digest_size=8).digest(), "little")
    return _mix(_mix(check_seeds(seeds) + _GOLDEN) ^ np.uint64(salt))


class BatchRandom:
    """Random numbers for B rows; row b depends on `seeds[b]`, on the stream's name and on its own
    earlier draws only.

    Every method takes `rows`: the rows that draw (an index array), or None for all. Rows that do
    not draw do not advance, so a world may draw for the rows that need it and stay independent of
    its neighbours. `integers` and `permutation` take `where` instead, (B,) bool, and then give
    (B, ...), of which the rows that do not draw mean nothing: so it can be done on a device, too.

    Args:
        seeds: (B,) integers, zero or greater.
        stream: a name that separates users of one seed, for example a world and a policy playing in
            it.
    """

    def __init__(self, seeds: Seeds, stream: str = "world") -> None:
        self._keys = row_keys(seeds, stream)  # (B,)
        self._counters = np.zeros_like(self._keys)  # (B,) how many numbers each row has drawn

    def __len__(self) -> int:
        return len(self._keys)

    def bits(
        self, shape: tuple[int, ...] = (), rows: npt.NDArray[np.intp] | None = None
    ) -> npt.NDArray[np.uint64]:
        """(R, *shape) uniform 64-bit integers.

        Args:
            shape: of the numbers of one row.
            rows: (R,) the rows that draw; None for all, R = B.
        """
        size = int(np.prod(shape, dtype=np.int64))
        chosen: Any = slice(None) if rows is None else rows
        first = self._counters[chosen].copy()  # a view would move with the counters
        self._counters[chosen] = first + np.uint64(size)
        counters = first[:, None] + np.arange(1, size + 1, dtype=np.uint64)  # (R, size)
        bits = _mix(self._keys[chosen][:, None] + counters * _GOLDEN)
        return bits.reshape(len(first), *shape)

    def uniform(
        self,
        shape: tuple[int, ...] = (),
        low: float = 0.0,
        high: float = 1.0,
        rows: npt.NDArray[np.intp] | None = None,
    ) -> Floats64:
        """(R, *shape) float64 in [low, high).

        Args:
            shape: of the numbers of one row.
            low: the smallest number.
            high: above the largest number.
            rows: (R,) the rows that draw; None for all, R = B.
        """
        unit = (self.bits(shape, rows) >> _S11).astype(np.float64) * 2.0**-53
        scaled: Floats64 = low + (high - low) * unit
        return scaled

    def integers(
        self,
        high: int,
        shape: tuple[int, ...] = (),
        rows: npt.NDArray[np.intp] | None = None,
        *,
        where: Bools | None = None,
    ) -> Ints64:
        """(R, *shape) int64 in [0, high); the bias against some values is below high / 2**53.

        Args:
            high: above the largest integer, 1 to 2**31.
            shape: of the numbers of one row.
            rows: (R,) the rows that draw; None for all, R = B.
            where: (B,) the rows that draw, in place of `rows`; R = B.
        """
        if not 1 <= high <= 2**31:
            raise ShapeError(f"integers(high) needs 1 <= high <= 2**31, got {high}")
        if where is not None:
            return self._spread(self.integers(high, shape, np.flatnonzero(where)), where)
        return (self.uniform(shape, rows=rows) * high).astype(np.int64)

    def permutation(
        self,
        n: int,
        shape: tuple[int, ...] = (),
        rows: npt.NDArray[np.intp] | None = None,
        *,
        where: Bools | None = None,
    ) -> Ints64:
        """(R, *shape, n) int64: random orders of 0..n-1; the first k columns are k draws without
        replacement.

        Args:
            n: how many things are put in order.
            shape: how many orders each row draws.
            rows: (R,) the rows that draw; None for all, R = B.
            where: (B,) the rows that draw, in place of `rows`; R = B.
        """
        if where is not None:
            return self._spread(self.permutation(n, shape, np.flatnonzero(where)), where)
        order = np.argsort(self.bits((*shape, n), rows), axis=-1, kind="stable")
        return order.astype(np.int64, copy=False)

    def _spread(self, drawn: Ints64, where: Bools) -> Ints64:
        """What some rows drew, (R, ...), as (B, ...) with zeros for those that did not."""
        whole = np.zeros((len(self), *drawn.shape[1:]), np.int64)
        whole[where] = drawn
        return whole

    def normal(
        self, shape: tuple[int, ...] = (), rows: npt.NDArray[np.intp] | None = None
    ) -> Floats64:
        """(R, *shape) float64 standard normal, by the inverse distribution function.

        Args:
            shape: of the numbers of one row.
            rows: (R,) the rows that draw; None for all, R = B.
        """
        values: Floats64 = ndtri(self.uniform(shape, rows=rows) + 2.0**-54)
        return values

    def log_gamma(
        self, alpha: float, shape: tuple[int, ...] = (), rows: npt.NDArray[np.intp] | None = None
    ) -> Floats64:
        """(R, *shape) float64: logarithms of Gamma(alpha, 1) variables, finite for alpha far below
        1.

        Gamma(alpha) has the law of Gamma(alpha + 1) * U**(1 / alpha) (Marsaglia and Tsang, ACM TOMS
        2000, section 6).

        Args:
            alpha: the shape of the Gamma distribution, above 0.
            shape: of the numbers of one row.
            rows: (R,) the rows that draw; None for all, R = B.
        """
        if not alpha > 0:
            raise ShapeError(f"log_gamma needs alpha above 0, got {alpha}")
        unit = self.uniform((2, *shape), rows=rows) + 2.0**-54  # never exactly 0
        values: Floats64 = np.log(gammaincinv(alpha + 1.0, unit[:, 0])) + np.log(unit[:, 1]) / alpha
        return values

    def log_dirichlet(
        self,
        alpha: float,
        n: int,
        shape: tuple[int, ...] = (),
        rows: npt.NDArray[np.intp] | None = None,
    ) -> Floats64:
        """(R, *shape, n) float64: log probabilities of symmetric Dirichlet(alpha) vectors.

        Args:
            alpha: the concentration, above 0.
            n: outcomes of each vector.
            shape: how many vectors each row draws.
            rows: (R,) the rows that draw; None for all, R = B.
        """
        logs = self.log_gamma(alpha, (*shape, n), rows)
        logs = logs - logs.max(axis=-1, keepdims=True)
        normalised: Floats64 = logs - np.log(np.exp(logs).sum(axis=-1, keepdims=True))
        return normalised

    def categorical(
        self, probabilities: npt.NDArray[np.floating[Any]], rows: npt.NDArray[np.intp] | None = None
    ) -> Ints64:
        """One draw from each of (R, ..., n) rows of probabilities; returns (R, ...) int64.

        Args:
            probabilities: (R, ..., n), zero or greater; rows need not sum to 1.
            rows: (R,) the rows that draw; None for all, R = B.
        """
        cumulative = np.cumsum(probabilities, axis=-1)  # (R, ..., n)
        draw = self.uniform(cumulative.shape[1:-1], rows=rows)[..., None] * cumulative[..., -1:]
        chosen: Ints64 = (draw >= cumulative[..., :-1]).sum(axis=-1)
        return chosen
