"""Columns of tensors: side by side in their last axis, and images as networks read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["as_floats", "as_read", "split_columns"]


def as_floats(observations: Tensor) -> Tensor:
    """Observations as networks read them, float32. Columns hold images as the uint8 that a world
    shows; they are cast where a minibatch or a step of them is read, and nowhere before.

    Returns:
        a tensor of the same shape; float32 is handed back as it is.
    """
    return observations.float()


def as_read(minibatch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A minibatch as objectives read it: its observations as floats.

    Args:
        minibatch: columns of whole episodes, (B, ...) each.
    """
    return {**minibatch, "observations": as_floats(minibatch["observations"])}


def split_columns(rows: Tensor, widths: Sequence[int]) -> list[Tensor]:
    """The last axis in blocks.

    Args:
        rows: (..., sum of the widths).
        widths: of the blocks, in order.

    Returns:
        a view (..., width) for each.
    """
    ends = np.cumsum(widths).tolist()
    pairs = zip(ends, widths, strict=True)
    return [rows[..., end - width : end] for end, width in pairs]
