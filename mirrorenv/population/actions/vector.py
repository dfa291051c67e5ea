"""A vector of bounded numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mirrorenv.errors import ShapeError
from mirrorenv.population.actions.base import ActionLayout
from mirrorenv.population.actions.registry import register_layout

if TYPE_CHECKING:
    from gymnasium import spaces
    from torch import Tensor

    from mirrorenv.population.distributions import ActionDistribution

__all__ = ["Vector"]


@register_layout
class Vector(ActionLayout):
    """Numbers in (-1, 1), scaled to the world's bounds outside."""

    kind: Literal["vector"] = "vector"
    size: int = Field(ge=1)
    """A, how many numbers."""
    low: float = -1.0
    """Lower bound of every number in the world."""
    high: float = 1.0
    """Upper bound of every number in the world."""

    @classmethod
    def of_space(cls, space: spaces.Space[Any]) -> Self | None:
        """See `ActionLayout.of_space`: a one-dimensional Box of floats with the same finite bounds
        for every entry."""
        from gymnasium import spaces as kinds

        if not isinstance(space, kinds.Box) or len(space.shape) != 1 or not space.is_bounded():
            return None
        low = np.unique(space.low)
        high = np.unique(space.high)
        if len(low) != 1 or len(high) != 1 or space.low.dtype.kind != "f":
            return None
        return cls(size=space.shape[0], low=float(low[0]), high=float(high[0]))

    @property
    def shape(self) -> tuple[int, ...]:
        """See `ActionLayout.shape`."""
        return (self.size,)

    @property
    def whole(self) -> bool:
        """See `ActionLayout.whole`."""
        return False

    @property
    def policy_outputs(self) -> int:
        """See `ActionLayout.policy_outputs`."""
        return self.size

    @property
    def spreads(self) -> int:
        """See `ActionLayout.spreads`."""
        return self.size

    def distribution(
        self, outputs: Tensor, log_std: Tensor | None = None, allowed: Tensor | None = None
    ) -> ActionDistribution:
        """See `ActionLayout.distribution`.

        Raises:
            ShapeError: without `log_std`.
        """
        from mirrorenv.population.distributions import SquashedGaussian

        if log_std is None:
            raise ShapeError(f"{self} needs the log standard deviations of a policy, got None")
        return SquashedGaussian(outputs, log_std, allowed)

    def to_world(self, actions: NDArray[Any]) -> NDArray[Any]:
        """See `ActionLayout.to_world`."""
        half = 0.5 * (self.high - self.low)
        scaled: NDArray[Any] = (self.low + half * (actions + 1.0)).astype(np.float32)
        return scaled

    def columns(self) -> Iterator[tuple[int, int | None]]:
        """See `ActionLayout.columns`."""
        return iter((i, None) for i in range(self.size))
