"""PyTorch by the names of the array API standard, as far as our worlds use them.

What NumPy and PyTorch call alike and mean alike is PyTorch's; the rest stands here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["TorchNamespace"]


class TorchNamespace:
    """The namespace of arrays on one device, in place of `numpy` as `ClockedWorld.xp`.

    Args:
        device: where arrays are made.
    """

    int64 = torch.int64
    float32 = torch.float32
    float64 = torch.float64

    def __init__(self, device: torch.device | str) -> None:
        self.device = torch.device(device)
        self._tables: dict[int, tuple[Any, Tensor]] = {}

    def __getattr__(self, name: str) -> Any:
        """What PyTorch has by this name, types such as `bool` included."""
        return getattr(torch, name)

    def asarray(self, values: Any, *, copy: bool = False) -> Tensor:
        """A tensor as it is, or a NumPy table as a tensor, which is moved once and kept."""
        if isinstance(values, Tensor):
            return values.clone() if copy else values
        kept = self._tables.get(id(values))
        if kept is None:
            # the table is kept too, so that its id stays its own
            kept = (values, torch.from_numpy(np.array(values)).to(self.device))
            self._tables[id(values)] = kept
        return kept[1]

    def astype(self, values: Tensor, dtype: torch.dtype) -> Tensor:
        """See the standard."""
        return values.to(dtype)

    def zeros(self, shape: Any, *, dtype: torch.dtype) -> Tensor:
        """See the standard."""
        return torch.zeros(shape, dtype=dtype, device=self.device)

    def full(self, shape: Any, value: float, *, dtype: torch.dtype) -> Tensor:
        """See the standard."""
        return torch.full(shape, value, dtype=dtype, device=self.device)

    def arange(self, count: int) -> Tensor:
        """See the standard."""
        return torch.arange(count, device=self.device)

    def sort(self, values: Tensor, *, axis: int) -> Tensor:
        """See the standard."""
        return torch.sort(values, dim=axis).values

    def concat(self, parts: list[Tensor], *, axis: int) -> Tensor:
        """See the standard; types are promoted."""
        return torch.cat(parts, dim=axis)

    def stack(self, parts: list[Tensor], *, axis: int) -> Tensor:
        """See the standard."""
        return torch.stack(parts, dim=axis)

    def flip(self, values: Tensor, *, axis: int) -> Tensor:
        """See the standard."""
        return torch.flip(values, dims=(axis,))

    def repeat(self, values: Tensor, count: int, *, axis: int | None = None) -> Tensor:
        """See the standard."""
        return torch.repeat_interleave(values, count, dim=axis)

    def take(self, values: Tensor, index: Tensor, *, axis: int | None = None) -> Tensor:
        """See the standard; as in NumPy an index may have several dimensions."""
        if axis is None:
            return torch.take(values, index)
        return values[(slice(None),) * axis + (index,)]

    def take_along_axis(self, values: Tensor, index: Tensor, *, axis: int) -> Tensor:
        """See the standard."""
        return torch.take_along_dim(values, index, dim=axis)
