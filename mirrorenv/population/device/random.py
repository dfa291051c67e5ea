"""`mirrorenv.envs.random.BatchRandom` on a device: the same bits, in 64-bit integers with a sign.

Shapes: B rows of the generator.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from mirrorenv.envs.random import Seeds, row_keys

__all__ = ["DeviceRandom"]


def _signed(number: int) -> int:
    """The same 64 bits as a number with a sign."""
    return number - (1 << 64) if number >= 1 << 63 else number


_GOLDEN = _signed(0x9E3779B97F4A7C15)
_MIX_1 = _signed(0xBF58476D1CE4E5B9)
_MIX_2 = _signed(0x94D049BB133111EB)
_SIGN = -(1 << 63)


class DeviceRandom:
    """Random numbers for B rows, those that `BatchRandom` draws from the same seeds.

    Only what our worlds draw while they run is here. Whoever does not draw does not advance.

    Args:
        seeds: (B,) integers, zero or greater.
        device: where numbers are drawn.
        stream: as `BatchRandom`.
    """

    def __init__(self, seeds: Seeds, device: torch.device, stream: str = "world") -> None:
        keys = row_keys(seeds, stream).view(np.int64)
        self._keys = torch.from_numpy(keys).to(device)  # (B,)
        self._counters = torch.zeros_like(self._keys)  # (B,)

    def bits(self, shape: tuple[int, ...] = (), where: Tensor | None = None) -> Tensor:
        """(B, *shape) uniform 64-bit integers, as numbers with a sign.

        Args:
            shape: of the numbers of one row.
            where: (B,) bool, the rows that draw; what the others are given means nothing.
        """
        size = math.prod(shape)
        first = self._counters
        self._counters = first + (size if where is None else size * where)
        index = torch.arange(1, size + 1, device=first.device)
        bits = _mixed(self._keys[:, None] + (first[:, None] + index) * _GOLDEN)
        return bits.reshape(len(first), *shape)

    def uniform(
        self,
        shape: tuple[int, ...] = (),
        low: float = 0.0,
        high: float = 1.0,
        where: Tensor | None = None,
    ) -> Tensor:
        """(B, *shape) float64 in [low, high).

        Args:
            shape: of the numbers of one row.
            low: the smallest number.
            high: above the largest number.
            where: (B,) bool, the rows that draw.
        """
        unit = _shifted(self.bits(shape, where), 11).to(torch.float64) * 2.0**-53
        return low + (high - low) * unit

    def integers(
        self, high: int, shape: tuple[int, ...] = (), where: Tensor | None = None
    ) -> Tensor:
        """(B, *shape) int64 in [0, high).

        Args:
            high: above the largest integer, 1 to 2**31.
            shape: of the numbers of one row.
            where: (B,) bool, the rows that draw.
        """
        return (self.uniform(shape, where=where) * high).to(torch.int64)

    def permutation(
        self, n: int, shape: tuple[int, ...] = (), where: Tensor | None = None
    ) -> Tensor:
        """(B, *shape, n) int64, random orders of 0..n-1.

        Args:
            n: how many things are put in order.
            shape: how many orders each row draws.
            where: (B,) bool, the rows that draw.
        """
        unsigned = self.bits((*shape, n), where) ^ _SIGN  # so that they sort as without a sign
        return torch.argsort(unsigned, dim=-1, stable=True)


def _shifted(x: Tensor, places: int) -> Tensor:
    """x >> places, with zeros coming in from the left."""
    return (x >> places) & ((1 << (64 - places)) - 1)


def _mixed(x: Tensor) -> Tensor:
    """SplitMix64's finaliser; products wrap around as without a sign."""
    x = (x ^ _shifted(x, 30)) * _MIX_1
    x = (x ^ _shifted(x, 27)) * _MIX_2
    return x ^ _shifted(x, 31)
