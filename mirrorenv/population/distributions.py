"""How agents choose: distributions of actions, given what a policy puts out.

A kind of agent may bring one of its own (bytes that depend on the bytes before, say): whatever
samples, and tells log probabilities and its entropy.

Shapes: A policy outputs of a vector or of one choice, P parts, C choices of a part.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from mirrorenv.errors import ShapeError
from mirrorenv.population.columns import split_columns
from mirrorenv.population.fused_losses import chosen_of_columns

__all__ = ["ActionDistribution", "Categorical", "Factored", "Joint", "SquashedGaussian"]

# the closest a squashed action comes to its bound: atanh stays finite in float32
_EDGE = 1.0 - 1e-6


class ActionDistribution(ABC):
    """A distribution of one action for each of any leading axes (...)."""

    @abstractmethod
    def sample(self, generator: torch.Generator) -> Tensor:
        """Actions (..., *shape) of the layout; no gradient, and no global random state."""

    def noise(self, generator: torch.Generator) -> Tensor | None:
        """What chance adds to these choices, drawn apart from them: `choose` takes it, or any part
        along the leading axes. None for a distribution that can only `sample`."""
        return None

    def choose(self, noise: Tensor) -> Tensor:
        """Actions (..., *shape) by noise that was drawn before; no gradient."""
        raise NotImplementedError

    @abstractmethod
    def log_probability(self, actions: Tensor) -> Tensor:
        """Log probability or log density of actions (..., *shape) in nats, shape (...)."""

    @abstractmethod
    def entropy(self) -> Tensor:
        """Entropy in nats, shape (...); of vectors before squashing."""

    def of_chosen(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """`log_probability` and `entropy`, for a distribution that can compute both at once."""
        return self.log_probability(actions), self.entropy()


class Categorical(ActionDistribution):
    """One of A choices.

    Args:
        logits: (..., A).
        allowed: (..., A) bool, False for choices of probability zero; None allows all.

    Raises:
        ShapeError: if nothing is allowed somewhere.
    """

    def __init__(self, logits: Tensor, allowed: Tensor | None = None) -> None:
        self.allowed = allowed
        if allowed is not None:
            # on a device, to look at the mask would be to wait for it
            if allowed.device.type == "cpu" and not bool(allowed.any(-1).all()):
                raise ShapeError("a mask of allowed choices must allow one of them everywhere")
            logits = logits.masked_fill(~allowed, -math.inf)
        self.outputs = logits
        # Logits in columns come from products shaped by hand: everything is then computed from one
        # log-softmax along that axis.
        in_columns = logits.shape[-1] > 1 and logits.stride(-1) != 1
        self._columns = in_columns

    def sample(self, generator: torch.Generator) -> Tensor:
        """See `ActionDistribution.sample`: (...) int64."""
        # Gumbel-max: one draw per logit, no loop over rows and no global random state.
        waiting = torch.empty_like(self.outputs).exponential_(generator=generator)
        return (self.outputs - waiting.log()).argmax(-1)

    def noise(self, generator: torch.Generator) -> Tensor:
        """See `ActionDistribution.noise`: (..., A), Gumbel, by inversion: a third of the time of
        exponential numbers. A zero, the lowest of the uniform numbers, never wins."""
        uniform = torch.empty_like(self.outputs).uniform_(generator=generator)
        return uniform.log_().neg_().log_().neg_()

    def choose(self, noise: Tensor) -> Tensor:
        """See `ActionDistribution.choose`: (...) int64."""
        return (self.outputs + noise).max(-1).indices  # much faster than argmax on a CPU

    def log_probability(self, actions: Tensor) -> Tensor:
        """See `ActionDistribution.log_probability`; minus infinity for what is not allowed."""
        if self._columns:
            return self._log_p.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
        chosen = self.outputs.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
        return chosen - self.outputs.logsumexp(-1)

    def entropy(self) -> Tensor:
        """See `ActionDistribution.entropy`."""
        log_p = self._log_p if self._columns else self.outputs.log_softmax(-1)
        p = log_p.exp()
        if self.allowed is not None:
            log_p = log_p.masked_fill(~self.allowed, 0.0)  # 0 log 0 = 0
        return -(p * log_p).sum(-1)

    def of_chosen(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """See `ActionDistribution.of_chosen`."""
        if not self._columns or self.allowed is not None:
            return super().of_chosen(actions)
        order = _order_of_memory(self.outputs)
        place = order.index(len(order) - 1)
        index = actions.unsqueeze(-1).permute(order)
        found = chosen_of_columns(self.outputs.permute(order), index, place)
        leading = [axis for axis in order if axis < len(order) - 1]
        back = sorted(range(len(leading)), key=leading.__getitem__)
        return found[0].permute(back), found[1].permute(back)

    @cached_property
    def _log_p(self) -> Tensor:
        """Log probabilities (..., A) of logits in columns, computed once."""
        return _log_softmax_of_columns(self.outputs)


def _log_softmax_of_columns(logits: Tensor) -> Tensor:
    """log-softmax over the last axis (..., A) where that is no inner one in memory: PyTorch would
    first move it there, and then go through short rows."""
    order = _order_of_memory(logits)
    place = order.index(logits.dim() - 1)
    back = sorted(range(logits.dim()), key=order.__getitem__)
    return logits.permute(order).log_softmax(place).permute(back)


def _order_of_memory(tensor: Tensor) -> list[int]:
    """Its axes, the outermost in memory first."""
    return sorted(range(tensor.dim()), key=tensor.stride, reverse=True)


class Factored(ActionDistribution):
    """Several choices, independent of each other.

    Parts with fewer choices than the largest are filled up with choices that are not allowed, so
    that all are one categorical distribution with an axis more.

    Args:
        logits: (..., sum of sizes).
        sizes: choices of each of the P parts.
        allowed: (..., sum of sizes) bool; None allows all.

    Raises:
        ShapeError: if nothing is allowed in a part.
    """

    def __init__(self, logits: Tensor, sizes: Sequence[int], allowed: Tensor | None = None) -> None:
        self.outputs = logits
        most = max(sizes)
        if len(set(sizes)) == 1:
            shape = (*logits.shape[:-1], len(sizes), most)  # (..., P, C)
            grid = logits.reshape(shape)
            mask = None if allowed is None else allowed.expand_as(logits).reshape(shape)
        else:
            given = torch.ones_like(logits, dtype=torch.bool) if allowed is None else allowed
            grid = _padded(logits, sizes)
            mask = _padded(given, sizes)
        self._parts = Categorical(grid, mask)

    def sample(self, generator: torch.Generator) -> Tensor:
        """See `ActionDistribution.sample`: (..., P) int64."""
        return self._parts.sample(generator)

    def noise(self, generator: torch.Generator) -> Tensor:
        """See `ActionDistribution.noise`: (..., P, C)."""
        return self._parts.noise(generator)

    def choose(self, noise: Tensor) -> Tensor:
        """See `ActionDistribution.choose`: (..., P) int64."""
        return self._parts.choose(noise)

    def log_probability(self, actions: Tensor) -> Tensor:
        """See `ActionDistribution.log_probability`."""
        return self._parts.log_probability(actions).sum(-1)

    def entropy(self) -> Tensor:
        """See `ActionDistribution.entropy`."""
        return self._parts.entropy().sum(-1)


def _padded(rows: Tensor, sizes: Sequence[int]) -> Tensor:
    """(..., sum of sizes) -> (..., P, C), zeros after the last choice of each part."""
    most = max(sizes)
    blocks = split_columns(rows, sizes)
    filled = [torch.nn.functional.pad(block, (0, most - block.shape[-1])) for block in blocks]
    return torch.stack(filled, -2)


class SquashedGaussian(ActionDistribution):
    """tanh(u) with u a diagonal Gaussian, so every number lies in (-1, 1).

    Every part of the action has an effect in the world, so a name cannot hide in a part that is
    clipped away. Worlds with other bounds are scaled outside.

    Args:
        mean: (..., A) means of u.
        log_std: log standard deviation of u, broadcastable to the means.
        allowed: bool, broadcastable to the means; numbers that are not are 0, and count for
            nothing. None allows all.
    """

    def __init__(self, mean: Tensor, log_std: Tensor, allowed: Tensor | None = None) -> None:
        self.allowed = allowed
        self.outputs = mean
        self.log_std = log_std

    def sample(self, generator: torch.Generator) -> Tensor:
        """See `ActionDistribution.sample`: (..., A) float32 in (-1, 1)."""
        return self.choose(self.noise(generator))

    def noise(self, generator: torch.Generator) -> Tensor:
        """See `ActionDistribution.noise`: (..., A), standard normal."""
        return torch.randn(self.outputs.shape, generator=generator, device=self.outputs.device)

    def choose(self, noise: Tensor) -> Tensor:
        """See `ActionDistribution.choose`: (..., A) float32 in (-1, 1)."""
        chosen = torch.tanh(self.outputs + noise * self.log_std.exp()).clamp(-_EDGE, _EDGE)
        return self._counted(chosen)

    def log_probability(self, actions: Tensor) -> Tensor:
        """See `ActionDistribution.log_probability`: a density on (-1, 1)."""
        z = (torch.atanh(actions) - self.outputs) / self.log_std.exp()
        gaussian = -0.5 * z * z - self.log_std - 0.5 * math.log(2 * math.pi)
        # change of variables d tanh(u) / du
        return self._counted(gaussian - torch.log1p(-actions * actions)).sum(-1)

    def entropy(self) -> Tensor:
        """See `ActionDistribution.entropy`: that of u, before squashing."""
        per_entry = self.log_std + 0.5 * math.log(2 * math.pi * math.e)
        return self._counted(per_entry.expand_as(self.outputs)).sum(-1)

    def _counted(self, numbers: Tensor) -> Tensor:
        """Zeros in the place of what is not allowed."""
        return numbers if self.allowed is None else numbers.masked_fill(~self.allowed, 0.0)


class SideBySide(Protocol):
    """How actions of several parts stand in one array."""

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """One array (..., W) of the parts' actions."""

    def split(self, actions: Tensor) -> list[Tensor]:
        """The parts' actions of one array; the inverse of `join`."""


class Joint(ActionDistribution):
    """Parts of different kinds side by side, independent of each other.

    Args:
        parts: a distribution for each part of the layout.
        layout: says how their actions stand side by side.
    """

    def __init__(self, parts: Sequence[ActionDistribution], layout: SideBySide) -> None:
        self.parts = tuple(parts)
        self.layout = layout

    def sample(self, generator: torch.Generator) -> Tensor:
        """See `ActionDistribution.sample`: (..., W)."""
        return self.layout.join([part.sample(generator) for part in self.parts])

    def log_probability(self, actions: Tensor) -> Tensor:
        """See `ActionDistribution.log_probability`."""
        pairs = zip(self.parts, self.layout.split(actions), strict=True)
        return torch.stack([part.log_probability(one) for part, one in pairs]).sum(0)

    def entropy(self) -> Tensor:
        """See `ActionDistribution.entropy`."""
        return torch.stack([part.entropy() for part in self.parts]).sum(0)
