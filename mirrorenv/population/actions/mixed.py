"""Choices and vectors side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from mirrorenv.population.actions.base import ActionLayout
from mirrorenv.population.actions.registry import AnyLayout, layout_of, register_layout
from mirrorenv.population.columns import split_columns

if TYPE_CHECKING:
    from gymnasium import spaces
    from torch import Tensor

    from mirrorenv.population.distributions import ActionDistribution

__all__ = ["Mixed"]


@register_layout
class Mixed(ActionLayout):
    """Other layouts side by side, as a Dict or Tuple of the world holds them."""

    kind: Literal["mixed"] = "mixed"
    parts: tuple[AnyLayout, ...] = Field(min_length=1)
    """What stands side by side, in the order of the columns; mixtures among them are unfolded."""

    @field_validator("parts")
    @classmethod
    def _unfolded(cls, parts: tuple[ActionLayout, ...]) -> tuple[ActionLayout, ...]:
        flat: list[ActionLayout] = []
        for part in parts:
            flat += part.parts if isinstance(part, Mixed) else [part]
        return tuple(flat)

    @classmethod
    def of_space(cls, space: spaces.Space[Any]) -> Self | None:
        """See `ActionLayout.of_space`: a Dict or Tuple, its spaces in the order gymnasium flattens
        them."""
        from gymnasium import spaces as kinds

        if isinstance(space, kinds.Dict):
            return cls(parts=tuple(map(layout_of, space.spaces.values())))
        if isinstance(space, kinds.Tuple):
            return cls(parts=tuple(map(layout_of, space.spaces)))
        return None

    @property
    def shape(self) -> tuple[int, ...]:
        """See `ActionLayout.shape`."""
        return (sum(part.numbers for part in self.parts),)

    @property
    def whole(self) -> bool:
        """See `ActionLayout.whole`."""
        return all(part.whole for part in self.parts)

    @property
    def policy_outputs(self) -> int:
        """See `ActionLayout.policy_outputs`."""
        return sum(part.policy_outputs for part in self.parts)

    @property
    def spreads(self) -> int:
        """See `ActionLayout.spreads`."""
        return sum(part.spreads for part in self.parts)

    @property
    def feature_width(self) -> int:
        """See `ActionLayout.feature_width`."""
        return sum(part.feature_width for part in self.parts)

    def distribution(
        self, outputs: Tensor, log_std: Tensor | None = None, allowed: Tensor | None = None
    ) -> ActionDistribution:
        """See `ActionLayout.distribution`."""
        from mirrorenv.population.distributions import Joint

        widths = [part.policy_outputs for part in self.parts]
        count = len(self.parts)
        blocks = split_columns(outputs, widths)
        spreads = [part.spreads for part in self.parts]
        stds = [None] * count if log_std is None else split_columns(log_std, spreads)
        masks = [None] * count if allowed is None else split_columns(allowed, widths)
        made = [
            part.distribution(block, std, mask)
            for part, block, std, mask in zip(self.parts, blocks, stds, masks, strict=True)
        ]
        return Joint(made, self)

    def centred(self, outputs: Tensor) -> Tensor:
        """See `ActionLayout.centred`."""
        import torch

        blocks = split_columns(outputs, [part.policy_outputs for part in self.parts])
        pairs = zip(self.parts, blocks, strict=True)
        return torch.cat([part.centred(block) for part, block in pairs], -1)

    def features(self, actions: Tensor) -> Tensor:
        """See `ActionLayout.features`."""
        import torch

        pairs = zip(self.parts, self.split(actions), strict=True)
        return torch.cat([part.features(one) for part, one in pairs], -1)

    def from_features(self, features: Tensor) -> Tensor:
        """See `ActionLayout.from_features`."""
        blocks = split_columns(features, [part.feature_width for part in self.parts])
        pairs = zip(self.parts, blocks, strict=True)
        return self.join([part.from_features(block) for part, block in pairs])

    def split(self, actions: Tensor) -> list[Tensor]:
        """Actions (..., W) as those of each part, in its own shape and dtype."""
        blocks = split_columns(actions, [part.numbers for part in self.parts])
        whole = [
            block.long() if part.whole else block
            for part, block in zip(self.parts, blocks, strict=True)
        ]
        return [
            block if part.shape else block.squeeze(-1)
            for part, block in zip(self.parts, whole, strict=True)
        ]

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """The inverse of `split`."""
        import torch

        flat = [
            one if part.shape else one.unsqueeze(-1)
            for part, one in zip(self.parts, parts, strict=True)
        ]
        return torch.cat([one if self.whole else one.to(torch.float32) for one in flat], -1)

    def to_world(self, actions: NDArray[Any]) -> NDArray[Any]:
        """See `ActionLayout.to_world`."""
        ends = np.cumsum([part.numbers for part in self.parts])
        blocks = np.split(actions, ends[:-1], axis=-1)
        moved = [part.to_world(one) for part, one in zip(self.parts, blocks, strict=True)]
        return np.concatenate(moved, axis=-1, dtype=self.dtype)

    def columns(self) -> Iterator[tuple[int, int | None]]:
        """See `ActionLayout.columns`."""
        first = 0
        for part in self.parts:
            for column, count in part.columns():
                yield first + column, count
            first += part.numbers
