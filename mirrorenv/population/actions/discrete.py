"""One choice, several choices, and bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field

from mirrorenv.errors import WorldError
from mirrorenv.population.actions.base import ActionLayout
from mirrorenv.population.actions.registry import register_layout
from mirrorenv.population.columns import split_columns

if TYPE_CHECKING:
    from gymnasium import spaces
    from torch import Tensor

    from mirrorenv.population.distributions import ActionDistribution

__all__ = ["Bytes", "Choice", "Choices"]


@register_layout
class Choice(ActionLayout):
    """One of several choices."""

    kind: Literal["choice"] = "choice"
    choices: int = Field(ge=1)
    """How many there are."""

    @classmethod
    def of_space(cls, space: spaces.Space[Any]) -> Self | None:
        """See `ActionLayout.of_space`: Discrete from 0 on."""
        from gymnasium import spaces as kinds

        if not isinstance(space, kinds.Discrete):
            return None
        if int(space.start) != 0:
            raise WorldError(f"Discrete actions must start at 0, not {space.start}")
        return cls(choices=int(space.n))

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


@register_layout
class Choices(_Several):
    """Several choices at once, each with a number of its own."""

    kind: Literal["choices"] = "choices"
    sizes: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)
    """How many choices each part has."""

    @classmethod
    def of_space(cls, space: spaces.Space[Any]) -> Self | None:
        """See `ActionLayout.of_space`: MultiDiscrete from 0 on, and MultiBinary."""
        from gymnasium import spaces as kinds

        if isinstance(space, kinds.MultiDiscrete) and space.nvec.ndim == 1:
            if (space.start != 0).any():
                raise WorldError(f"MultiDiscrete actions must start at 0, not {space.start}")
            return cls(sizes=tuple(map(int, space.nvec)))
        if isinstance(space, kinds.MultiBinary) and len(space.shape or ()) == 1:
            return cls(sizes=(2,) * int(np.prod(space.shape)))
        return None

    @property
    def parts(self) -> tuple[int, ...]:
        """How many choices each part has."""
        return self.sizes


@register_layout
class Bytes(_Several):
    """A string of bytes of fixed length, each drawn by itself."""

    kind: Literal["bytes"] = "bytes"
    length: int = Field(ge=1)
    """L, bytes in one action."""

    @classmethod
    def of_space(cls, space: spaces.Space[Any]) -> Self | None:
        """See `ActionLayout.of_space`: MultiDiscrete of 256 choices everywhere, from 0 on."""
        from gymnasium import spaces as kinds

        if not isinstance(space, kinds.MultiDiscrete) or space.nvec.ndim != 1:
            return None
        whole = (space.nvec == 256).all() and (space.start == 0).all()
        return cls(length=len(space.nvec)) if whole else None

    @property
    def parts(self) -> tuple[int, ...]:
        """256 choices for each byte."""
        return (256,) * self.length

    @property
    def feature_width(self) -> int:
        """See `ActionLayout.feature_width`: eight bits of each byte, and counts of the bytes."""
        return 8 * self.length + 256

    def features(self, actions: Tensor) -> Tensor:
        """See `ActionLayout.features`: bits, the lowest first, then how often each byte occurs."""
        import torch

        places = torch.arange(8, device=actions.device)
        bits = ((actions.unsqueeze(-1) >> places) & 1).to(torch.float32).flatten(-2)
        counts = bits.new_zeros(*bits.shape[:-1], 256)
        counts.scatter_add_(-1, actions.long(), torch.ones_like(actions, dtype=bits.dtype))
        return torch.cat([bits, counts], -1)

    def from_features(self, features: Tensor) -> Tensor:
        """See `ActionLayout.from_features`."""
        import torch

        places = torch.arange(8, device=features.device)
        bits = features[..., :-256].reshape(*features.shape[:-1], self.length, 8).round().long()
        values: Tensor = (bits << places).sum(-1)
        return values
