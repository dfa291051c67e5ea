"""What every layout of an action is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from mirrorenv.errors import ShapeError, WorldError
from mirrorenv.population.columns import split_columns
from mirrorenv.strict import StrictModel

if TYPE_CHECKING:
    from gymnasium import spaces
    from torch import Tensor

    from mirrorenv.population.distributions import ActionDistribution

__all__ = ["ActionLayout"]


class ActionLayout(StrictModel):
    """What every layout is; `...` stands for any leading axes, such as (B, T, N)."""

    kind: str
    """The form's name, under which plain data finds it."""

    @classmethod
    def of_space(cls, space: spaces.Space[Any]) -> Self | None:
        """The layout of a world's actions, or None if this form is not for that space."""
        raise NotImplementedError

    # -- widths ------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The trailing axes of an array of actions: () for a single choice, else (numbers,)."""
        raise NotImplementedError

    @property
    def whole(self) -> bool:
        """Whether every number is a whole one: arrays are then int64, else float32."""
        raise NotImplementedError

    @property
    def numbers(self) -> int:
        """How many numbers one action is."""
        return self.shape[0] if self.shape else 1

    @property
    def policy_outputs(self) -> int:
        """How many outputs of a policy one action takes."""
        raise NotImplementedError

    @property
    def spreads(self) -> int:
        """How many log standard deviations a policy has besides; none unless a form says so."""
        return 0

    @property
    def feature_width(self) -> int:
        """How many numbers an observer reads of one action; its own unless a form says so."""
        return self.numbers

    @property
    def dtype(self) -> type[np.int64 | np.float32]:
        """Of arrays of actions."""
        return np.int64 if self.whole else np.float32

    # -- behaviour ---------------------------------------------------------------------------------

    def distribution(
        self, outputs: Tensor, log_std: Tensor | None = None, allowed: Tensor | None = None
    ) -> ActionDistribution:
        """How a policy with these outputs acts.

        Args:
            outputs: (..., policy_outputs) logits, or means before squashing.
            log_std: (..., spreads) log standard deviations of the means, broadcastable; None if
                there are none.
            allowed: (..., policy_outputs) bool, False for choices that must not be taken, and for
                numbers of a vector that are no part of the action: these are 0. None allows
                everything.
        """
        raise NotImplementedError

    def at_least_first(self, allowed: Tensor) -> Tensor:
        """A mask (..., policy_outputs) that allows the first choice of every number that is allowed
        none: an agent that has ended or waits, and steps that never were, show zeros."""
        import torch

        blocks = split_columns(allowed, [count or 1 for _, count in self.columns()])
        whole = []
        for block, (_, count) in zip(blocks, self.columns(), strict=True):
            if count is None:
                whole.append(block)
                continue
            first = block[..., :1] | ~block.any(-1, keepdim=True)
            whole.append(torch.cat([first, block[..., 1:]], -1))
        return torch.cat(whole, -1)

    def centred(self, outputs: Tensor) -> Tensor:
        """Outputs (..., policy_outputs) without what makes no difference, such as the mean of
        logits that belong to one choice; all of them unless a form says so."""
        return outputs

    def features(self, actions: Tensor) -> Tensor:
        """Actions (..., *shape) as observers read them, (..., feature_width) float32; as they are
        unless a form says so."""
        return actions

    def from_features(self, features: Tensor) -> Tensor:
        """Actions (..., *shape) from what observers read; the inverse of `features`."""
        return features

    def to_world(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Actions (..., *shape) as the world takes them: choices as they are, vectors scaled from
        (-1, 1) to the world's bounds."""
        return actions

    def columns(self) -> Iterator[tuple[int, int | None]]:
        """Each number of an action in order: (its column, how many choices it has, None for a
        number of a vector)."""
        raise NotImplementedError

    def check(self, actions: NDArray[Any], where: str = "actions") -> None:
        """Whether an array holds actions of this layout.

        Args:
            actions: (..., *shape).
            where: what to call it in messages.

        Raises:
            ShapeError: for another shape or dtype.
            WorldError: for a value that is no action.
        """
        trailing = actions.shape[actions.ndim - len(self.shape) :]
        if trailing != self.shape or actions.dtype.kind not in ("iu" if self.whole else "f"):
            raise ShapeError(
                f"{where}: expected {np.dtype(self.dtype)} (..., {', '.join(map(str, self.shape))})"
                f" for {self}, got {actions.dtype} of shape {actions.shape}"
            )
        flat = actions.reshape(-1, self.numbers)
        for column, count in self.columns():
            values = flat[:, column]
            inside = np.abs(values) < 1 if count is None else (values >= 0) & (values < count)
            if count is not None and not self.whole:
                inside &= values == np.rint(values)
            if not inside.all():
                value = values[~inside][0]
                fine = "between -1 and 1" if count is None else f"a whole number below {count}"
                raise WorldError(f"{where}: number {column} of an action is {value}, not {fine}")
