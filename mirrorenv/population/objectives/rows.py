"""Hidden states as rows, and which of them a gradient reaches how far.

Shapes: B episodes, T time, N agents, H hidden, X numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["by_agent", "by_step", "felt", "first_episodes", "of_agents"]


def by_agent(rows: Tensor) -> Tensor:
    """(B, T, N, X) -> (N, B*T, X), as stacked layers read."""
    return rows.permute(2, 0, 1, 3).flatten(1, 2)


def by_step(rows: Tensor) -> Tensor:
    """(B, T, N, X) -> (N, T*B, X): for hand-shaped networks' layers, which stand like this in
    memory, a view."""
    return rows.permute(2, 1, 0, 3).flatten(1, 2)


def of_agents(rows: Tensor, batch: int) -> Tensor:
    """The way back: (N, B*T, X) -> (B, T, N, X)."""
    return rows.view(rows.shape[0], batch, -1, rows.shape[-1]).permute(1, 2, 0, 3)


def felt(hidden: Tensor, strength: float | Tensor) -> Tensor:
    """The same numbers, whose gradient reaches the host times `strength`.

    Args:
        hidden: (B, T, N, H).
        strength: of all, or (N, 1) of each agent.
    """
    if isinstance(strength, float):
        if strength == 1.0 or not hidden.requires_grad:
            return hidden
        if not strength:
            return hidden.detach()
    scaled: Tensor = _Scaled.apply(hidden, strength)  # type: ignore[no-untyped-call]
    return scaled


class _Scaled(torch.autograd.Function):
    """The same numbers; the gradient times a factor. No arithmetic forwards."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, strength: float | Tensor) -> Tensor:
        ctx.strength = strength
        return hidden.view_as(hidden)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return slopes[0] * ctx.strength, None


def first_episodes(hidden: Tensor, few: int) -> Tensor:
    """(B, T, N, H) -> (few, T, N, H), the first.

    Its gradient stands in memory as the hidden states do, which need not be in this order: that of
    a plain slice would have to be brought there.
    """
    found: Tensor = _First.apply(hidden, few)  # type: ignore[no-untyped-call]
    return found


class _First(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, few: int) -> Tensor:
        ctx.save_for_backward(hidden)
        return hidden[:few]

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        (hidden,) = ctx.saved_tensors
        whole = torch.empty_like(hidden)
        few = len(slopes[0])
        whole[:few] = slopes[0]
        whole[few:] = 0.0
        return whole, None
