"""A causal transformer over time, with a cache: S independent ones as a stack.

Each of the blocks reads the last `WINDOW` steps (Vaswani et al. 2017, normalisation before each
part), and how long ago a step was is a penalty on its attention, without position codes (ALiBi:
Press, Smith and Lewis 2022). A block remembers the keys and values of its window, so that a step
costs the same at any time, and steps and whole sequences agree.

Shapes: S stack, R rows of one network, T time, F input features, H hidden, W window, A heads of
attention, D numbers of a head, M memory.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mirrorenv.population.actors.encoders import register_encoder
from mirrorenv.population.layers import StackedLinear

__all__ = ["BLOCKS", "WINDOW", "StackedTransformer"]

WINDOW = 32
"""W, steps that a block reads, the present one included."""
BLOCKS = 2
"""Blocks, one on the other; what the upper one reads has read a window itself."""
_HEADS = 4


class _Block(nn.Module):
    """Attention over the past, then a layer for each step by itself."""

    def __init__(self, stack: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        # as many heads as the width can be divided among
        self.heads = next(heads for heads in (_HEADS, 2, 1) if hidden % heads == 0)
        self.attends = StackedLinear(stack, hidden, 3 * hidden, 1.0, generator)
        self.gathers = StackedLinear(stack, hidden, hidden, 0.5, generator)
        self.widens = StackedLinear(stack, hidden, 2 * hidden, 2**0.5, generator)
        self.narrows = StackedLinear(stack, 2 * hidden, hidden, 0.5, generator)
        slopes = torch.tensor([2.0 ** (-8 * (head + 1) / self.heads) for head in range(self.heads)])
        self.register_buffer("slopes", slopes.view(-1, 1, 1), persistent=False)
        self.slopes: Tensor

    def asked(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value of rows (S, X, H), each the same shape."""
        asked = self.attends.forward(_normal(rows))
        query, key, value = (part.contiguous() for part in asked.chunk(3, -1))
        return query, key, value

    def attended(self, query: Tensor, key: Tensor, value: Tensor, ago: Tensor) -> Tensor:
        """What queries gather from the past.

        Args:
            query: (S, R, Q, H).
            key: (S, R, K, H).
            value: (S, R, K, H).
            ago: (Q, K) or (S, R, 1, Q, K) steps between; negative or from W on: not to be read.

        Returns:
            (S, R, Q, H).
        """
        parts = [x.view(*x.shape[:3], self.heads, -1).transpose(2, 3) for x in (query, key, value)]
        width = parts[0].shape[-1]
        scores = parts[0] @ parts[1].transpose(-1, -2) / width**0.5  # (S, R, A, Q, K)
        scores = scores - self.slopes * ago
        scores = scores.masked_fill((ago < 0) | (ago >= WINDOW), -torch.inf)
        gathered: Tensor = scores.softmax(-1) @ parts[2]  # (S, R, A, Q, D)
        return gathered.transpose(2, 3).flatten(-2)

    def finished(self, rows: Tensor, gathered: Tensor) -> Tensor:
        """Rows (S, X, H) with what they gathered, and the layer after it."""
        rows = rows + self.gathers.forward(gathered)
        return rows + self.narrows.forward(torch.relu(self.widens.forward(_normal(rows))))


@register_encoder("transformer")
class StackedTransformer(nn.Module):
    """S causal transformers, `population.actor = "transformer"`.

    The memory of a row holds, block by block, keys and values of the last W steps, and after them
    how many steps there have been.

    Args:
        stack: S.
        features: F.
        hidden: H.
        generator: source of the initial weights.
    """

    def __init__(self, stack: int, features: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.hidden = hidden
        self.state_size = BLOCKS * WINDOW * 2 * hidden + 1
        self.embed = StackedLinear(stack, features, hidden, 2**0.5, generator)
        self.blocks = nn.ModuleList(_Block(stack, hidden, generator) for _ in range(BLOCKS))

    def sequence(self, rows: Tensor) -> Tensor:
        """(S, T, R, F) -> (S, T, R, H), from empty memory."""
        stack, time, count, features = rows.shape
        steps = torch.arange(time, device=rows.device)
        ago = steps[:, None] - steps[None]  # (T, T)
        x = self.embed.forward(rows.transpose(1, 2).reshape(stack, -1, features))  # (S, R*T, H)
        for block in self.blocks:
            assert isinstance(block, _Block)
            query, key, value = (part.view(stack, count, time, -1) for part in block.asked(x))
            x = block.finished(x, block.attended(query, key, value, ago).flatten(1, 2))
        return _normal(x).view(stack, count, time, -1).transpose(1, 2)

    def step(self, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """(S, R, F), state (S, R, M) -> hidden (S, R, H), next state (S, R, M)."""
        stack, count, _ = rows.shape
        past = state[..., :-1].view(stack, count, BLOCKS, 2, WINDOW, self.hidden)
        done = state[..., -1:] + 1  # (S, R, 1) steps, with this one
        ago = torch.arange(WINDOW - 1, -1, -1, device=rows.device)  # (W,) oldest first
        # what was before the episode began must not be read
        ago = ago.where(ago < done, WINDOW)[:, :, None, None]  # (S, R, 1, 1, W)
        x = self.embed.forward(rows)
        kept = []
        for place, block in enumerate(self.blocks):
            assert isinstance(block, _Block)
            query, key, value = (part.unsqueeze(2) for part in block.asked(x))  # (S, R, 1, H)
            keys = torch.cat([past[:, :, place, 0, 1:], key], 2)  # (S, R, W, H)
            values = torch.cat([past[:, :, place, 1, 1:], value], 2)
            x = block.finished(x, block.attended(query, keys, values, ago).squeeze(2))
            kept.append(torch.stack([keys, values], 2))
        memory = torch.stack(kept, 2).flatten(2)  # (S, R, M - 1)
        return _normal(x), torch.cat([memory, done], -1)


def _normal(rows: Tensor) -> Tensor:
    """Zero mean and unit variance along the last axis."""
    return torch.nn.functional.layer_norm(rows, rows.shape[-1:])
