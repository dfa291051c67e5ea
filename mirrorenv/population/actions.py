"""What one action is made of: a choice, several choices, a vector, bytes, or a mixture of these.

A layout is plain data (it stands in checkpoints) that says how an action is held in arrays, how a
policy's outputs become a distribution of it, and how an observer reads it. Nothing elsewhere asks
which kind an action is. No torch is needed to read one.

| layout | array of actions | policy outputs | as observers read it |
|---|---|---|---|
| `Choice` | (...) int64 | a logit for each | one-hot |
| `Choices` | (..., L) int64 | a logit for each choice of each part | one-hot, part after part |
| `Vector` | (..., A) float32 in (-1, 1) | a mean for each entry | itself |
| `Bytes` | (..., L) int64 in 0..255 | 256 logits for each byte | one-hot, byte after byte |
| `Mixed` | (..., W) float32, choices as whole numbers | those of its parts | so, too |

The parts of an action are independent given what the agent saw: several choices are never numbered
as combinations. An actor whose bytes depend on the bytes before brings a distribution of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mirrorenv.errors import ShapeError, WorldError
from mirrorenv.strict import StrictModel

if TYPE_CHECKING:
    from gymnasium import spaces
    from torch import Tensor

    from mirrorenv.population.distributions import ActionDistribution

__all__ = [
    "ActionLayout",
    "AnyLayout",
    "Bytes",
    "Choice",
    "Choices",
    "Mixed",
    "Vector",
    "layout_of",
    "split_columns",
]


class ActionLayout(StrictModel):
    """What every layout is; ``...`` stands for any leading axes, such as (B, T, N)."""

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
        """How many log standard deviations a policy has besides; 0 for choices only."""
        raise NotImplementedError

    @property
    def feature_width(self) -> int:
        """How many numbers an observer reads of one action."""
        raise NotImplementedError

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
            allowed: (..., policy_outputs) bool, False for choices that must not be taken; entries
                of vectors are not read. None allows everything.
        """
        raise NotImplementedError

    def centred(self, outputs: Tensor) -> Tensor:
        """Outputs (..., policy_outputs) without what makes no difference: the mean of logits that
        belong to one choice."""
        raise NotImplementedError

    def features(self, actions: Tensor) -> Tensor:
        """Actions (..., *shape) as observers read them, (..., feature_width) float32."""
        raise NotImplementedError

    def from_features(self, features: Tensor) -> Tensor:
        """Actions (..., *shape) from what observers read; the inverse of `features`."""
        raise NotImplementedError

    def to_world(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Actions (..., *shape) as the world takes them: choices as they are, vectors scaled from
        (-1, 1) to the world's bounds."""
        return actions

    def from_world(self, actions: NDArray[Any]) -> NDArray[Any]:
        """The inverse of `to_world`."""
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


class Choice(ActionLayout):
    """One of several choices."""

    kind: Literal["choice"] = "choice"
    choices: int = Field(ge=1)
    """How many there are."""

    @property
    def shape(self) -> tuple[int, ...]:
        """See `ActionLayout.shape`."""
        return ()

    @property
    def whole(self) -> bool:
        """See `ActionLayout.whole`."""
        return True

    @property
    def policy_outputs(self) -> int:
        """See `ActionLayout.policy_outputs`."""
        return self.choices

    @property
    def spreads(self) -> int:
        """See `ActionLayout.spreads`."""
        return 0

    @property
    def feature_width(self) -> int:
        """See `ActionLayout.feature_width`."""
        return self.choices

    def distribution(
        self, outputs: Tensor, log_std: Tensor | None = None, allowed: Tensor | None = None
    ) -> ActionDistribution:
        """See `ActionLayout.distribution`."""
        from mirrorenv.population.distributions import Categorical

        return Categorical(outputs, allowed)

    def centred(self, outputs: Tensor) -> Tensor:
        """See `ActionLayout.centred`."""
        return outputs - outputs.mean(-1, keepdim=True)

    def features(self, actions: Tensor) -> Tensor:
        """See `ActionLayout.features`."""
        import torch
        from torch.nn.functional import one_hot

        return one_hot(actions, self.choices).to(torch.float32)

    def from_features(self, features: Tensor) -> Tensor:
        """See `ActionLayout.from_features`."""
        return features.argmax(-1)

    def columns(self) -> Iterator[tuple[int, int | None]]:
        """See `ActionLayout.columns`."""
        yield 0, self.choices


class _Several(ActionLayout):
    """Several choices at once, one of each part."""

    @property
    def parts(self) -> tuple[int, ...]:
        """How many choices each part has."""
        raise NotImplementedError

    @property
    def shape(self) -> tuple[int, ...]:
        """See `ActionLayout.shape`."""
        return (len(self.parts),)

    @property
    def whole(self) -> bool:
        """See `ActionLayout.whole`."""
        return True

    @property
    def policy_outputs(self) -> int:
        """See `ActionLayout.policy_outputs`."""
        return sum(self.parts)

    @property
    def spreads(self) -> int:
        """See `ActionLayout.spreads`."""
        return 0

    @property
    def feature_width(self) -> int:
        """See `ActionLayout.feature_width`."""
        return sum(self.parts)

    def distribution(
        self, outputs: Tensor, log_std: Tensor | None = None, allowed: Tensor | None = None
    ) -> ActionDistribution:
        """See `ActionLayout.distribution`."""
        from mirrorenv.population.distributions import Factored

        return Factored(outputs, self.parts, allowed)

    def centred(self, outputs: Tensor) -> Tensor:
        """See `ActionLayout.centred`."""
        import torch

        blocks = split_columns(outputs, self.parts)
        return torch.cat([block - block.mean(-1, keepdim=True) for block in blocks], -1)

    def features(self, actions: Tensor) -> Tensor:
        """See `ActionLayout.features`."""
        import torch
        from torch.nn.functional import one_hot

        if len(set(self.parts)) == 1:
            return one_hot(actions, self.parts[0]).to(torch.float32).flatten(-2)
        hot = [one_hot(actions[..., i], size) for i, size in enumerate(self.parts)]
        return torch.cat(hot, -1).to(torch.float32)

    def from_features(self, features: Tensor) -> Tensor:
        """See `ActionLayout.from_features`."""
        import torch

        return torch.stack([block.argmax(-1) for block in split_columns(features, self.parts)], -1)

    def columns(self) -> Iterator[tuple[int, int | None]]:
        """See `ActionLayout.columns`."""
        return iter(enumerate(self.parts))


class Choices(_Several):
    """Several choices at once, each with a number of its own."""

    kind: Literal["choices"] = "choices"
    sizes: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)
    """How many choices each part has."""

    @property
    def parts(self) -> tuple[int, ...]:
        """How many choices each part has."""
        return self.sizes


class Bytes(_Several):
    """A string of bytes of fixed length, each drawn by itself."""

    kind: Literal["bytes"] = "bytes"
    length: int = Field(ge=1)
    """L, bytes in one action."""

    @property
    def parts(self) -> tuple[int, ...]:
        """256 choices for each byte."""
        return (256,) * self.length


class Vector(ActionLayout):
    """Numbers in (-1, 1), scaled to the world's bounds outside."""

    kind: Literal["vector"] = "vector"
    size: int = Field(ge=1)
    """A, how many numbers."""
    low: float = -1.0
    """Lower bound of every number in the world."""
    high: float = 1.0
    """Upper bound of every number in the world."""

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

    @property
    def feature_width(self) -> int:
        """See `ActionLayout.feature_width`."""
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
        return SquashedGaussian(outputs, log_std)

    def centred(self, outputs: Tensor) -> Tensor:
        """See `ActionLayout.centred`."""
        return outputs

    def features(self, actions: Tensor) -> Tensor:
        """See `ActionLayout.features`."""
        return actions

    def from_features(self, features: Tensor) -> Tensor:
        """See `ActionLayout.from_features`."""
        return features

    def to_world(self, actions: NDArray[Any]) -> NDArray[Any]:
        """See `ActionLayout.to_world`."""
        half = 0.5 * (self.high - self.low)
        scaled: NDArray[Any] = (self.low + half * (actions + 1.0)).astype(np.float32)
        return scaled

    def from_world(self, actions: NDArray[Any]) -> NDArray[Any]:
        """See `ActionLayout.from_world`."""
        unit = 2.0 * (actions - self.low) / (self.high - self.low) - 1.0
        scaled: NDArray[Any] = unit.astype(np.float32)
        return scaled

    def columns(self) -> Iterator[tuple[int, int | None]]:
        """See `ActionLayout.columns`."""
        return iter((i, None) for i in range(self.size))


class Mixed(ActionLayout):
    """Choices and vectors side by side, as a Dict or Tuple of the world holds them."""

    kind: Literal["mixed"] = "mixed"
    parts: tuple[Annotated[Choice | Choices | Bytes | Vector, Field(discriminator="kind")], ...] = (
        Field(min_length=1)
    )
    """What stands side by side, in the order of the columns."""

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

    def join(self, actions: list[Tensor]) -> Tensor:
        """The inverse of `split`."""
        import torch

        flat = [
            one if part.shape else one.unsqueeze(-1)
            for part, one in zip(self.parts, actions, strict=True)
        ]
        return torch.cat([one if self.whole else one.to(torch.float32) for one in flat], -1)

    def to_world(self, actions: NDArray[Any]) -> NDArray[Any]:
        """See `ActionLayout.to_world`."""
        return self._each(actions, "to_world")

    def from_world(self, actions: NDArray[Any]) -> NDArray[Any]:
        """See `ActionLayout.from_world`."""
        return self._each(actions, "from_world")

    def _each(self, actions: NDArray[Any], way: str) -> NDArray[Any]:
        ends = np.cumsum([part.numbers for part in self.parts])
        blocks = np.split(actions, ends[:-1], axis=-1)
        moved = [getattr(part, way)(one) for part, one in zip(self.parts, blocks, strict=True)]
        return np.concatenate(moved, axis=-1, dtype=self.dtype)

    def columns(self) -> Iterator[tuple[int, int | None]]:
        """See `ActionLayout.columns`."""
        first = 0
        for part in self.parts:
            for column, count in part.columns():
                yield first + column, count
            first += part.numbers


AnyLayout = Annotated[Choice | Choices | Bytes | Vector | Mixed, Field(discriminator="kind")]


def split_columns(rows: Tensor, widths: Sequence[int]) -> list[Tensor]:
    """The last axis in blocks of these widths."""
    ends = np.cumsum(widths).tolist()
    pairs = zip(ends, widths, strict=True)
    return [rows[..., end - width : end] for end, width in pairs]


def layout_of(space: spaces.Space[Any]) -> Choice | Choices | Bytes | Vector | Mixed:
    """The layout of a world's actions.

    Args:
        space: Discrete or MultiDiscrete from 0 on, MultiBinary, a one-dimensional Box with the same
            finite bounds for every entry, or a Dict or Tuple of these.

    Raises:
        WorldError: for any other space.
    """
    from gymnasium import spaces as kinds

    if isinstance(space, kinds.Dict | kinds.Tuple):
        return Mixed(parts=tuple(_leaves(space)))
    if isinstance(space, kinds.Discrete):
        if int(space.start) != 0:
            raise WorldError(f"Discrete actions must start at 0, not {space.start}")
        return Choice(choices=int(space.n))
    if isinstance(space, kinds.MultiDiscrete) and space.nvec.ndim == 1:
        if (space.start != 0).any():
            raise WorldError(f"MultiDiscrete actions must start at 0, not {space.start}")
        return Choices(sizes=tuple(map(int, space.nvec)))
    if isinstance(space, kinds.MultiBinary) and len(space.shape or ()) == 1:
        return Choices(sizes=(2,) * int(np.prod(space.shape)))
    if isinstance(space, kinds.Box) and len(space.shape) == 1 and space.is_bounded():
        low = np.unique(space.low)
        high = np.unique(space.high)
        if len(low) == 1 and len(high) == 1 and space.low.dtype.kind == "f":
            return Vector(size=space.shape[0], low=float(low[0]), high=float(high[0]))
    raise WorldError(
        f"action space {space} is not supported. Use Discrete, MultiDiscrete, MultiBinary, a "
        "one-dimensional Box with the same finite bounds for every entry, or a Dict or Tuple of "
        "these"
    )


def _leaves(
    space: spaces.Dict | spaces.Tuple,
) -> Iterator[Choice | Choices | Bytes | Vector]:
    """The layouts side by side, nested spaces in the order gymnasium flattens them."""
    from gymnasium import spaces as kinds

    inner = space.spaces.values() if isinstance(space, kinds.Dict) else space.spaces
    for part in inner:
        layout = layout_of(part)
        if isinstance(layout, Mixed):
            yield from layout.parts
        else:
            yield layout
