"""A causal transformer that says an utterance, stacked for several speakers, and the distribution
of what it says.

Vaswani et al. 2017, with normalisation before each part (Xiong et al. 2020). The vocabulary are the
symbols (256 bytes) and one special token that begins the utterance; lengths are fixed, so nothing
has to end it.

Shape legend: S stack of networks, R rows, H width, L bytes, V symbols, h heads, t bytes so far.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm, scaled_dot_product_attention

from mirrorenv.population.distributions import ActionDistribution
from mirrorenv.population.layers import StackedLinear

__all__ = ["Cache", "Speaks", "Speech", "Utterances"]

LAYERS = 2
_ROWS_AT_ONCE = 1024  # of all networks, where no gradient is asked for

Cache = list[tuple[Tensor, Tensor]]
"""Keys and values of each layer, (S * R, h, t, H / h) each."""


class Block(nn.Module):
    """Attention over what was said, then a network on each byte.

    Args:
        stack: S.
        width: H.
        generator: source of the initial weights.
    """

    def __init__(self, stack: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.heads = 4 if width % 4 == 0 else 1
        self.attend = StackedLinear(stack, width, 3 * width, 1.0, generator)
        self.mix = StackedLinear(stack, width, width, 1 / math.sqrt(2 * LAYERS), generator)
        self.widen = StackedLinear(stack, width, 2 * width, 1.0, generator)
        self.narrow = StackedLinear(stack, 2 * width, width, 1 / math.sqrt(2 * LAYERS), generator)

    def forward(
        self, stream: Tensor, cache: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(S, R, t, H) -> the same, and keys and values with those of the cache before them."""
        stack, rows, time, width = stream.shape
        flat = layer_norm(stream, (width,)).reshape(stack, rows * time, width)
        asked = self.attend(flat).view(stack * rows, time, 3, self.heads, width // self.heads)
        query, key, value = asked.permute(2, 0, 3, 1, 4)  # (S * R, h, t, H / h) each
        if cache is not None:
            key = torch.cat([cache[0], key], 2)
            value = torch.cat([cache[1], value], 2)
        found = scaled_dot_product_attention(query, key, value, is_causal=cache is None)
        found = found.transpose(1, 2).reshape(stack, rows * time, width)
        stream = stream + self.mix(found).view_as(stream)
        flat = layer_norm(stream, (width,)).reshape(stack, rows * time, width)
        return stream + self.narrow(gelu(self.widen(flat))).view_as(stream), (key, value)


class Speech(nn.Module):
    """S transformers that say `length` symbols each.

    Args:
        stack: S.
        width: H.
        length: L.
        symbols: V.
        gain: of the last layer; small: nearly uniform at the start.
        generator: source of the initial weights.
    """

    def __init__(
        self,
        stack: int,
        width: int,
        *,
        length: int,
        symbols: int,
        gain: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.length = length
        self.symbols = symbols
        scale = 1 / math.sqrt(width)
        # symbol V is the special token that begins an utterance
        letters = torch.randn(stack, symbols + 1, width, generator=generator)
        places = torch.randn(stack, length, width, generator=generator)
        self.letters = nn.Parameter(scale * letters)  # (S, V + 1, H)
        self.places = nn.Parameter(scale * places)  # (S, L, H)
        blocks = [Block(stack, width, generator) for _ in range(LAYERS)]
        self.blocks = nn.ModuleList(blocks)
        self.say = StackedLinear(stack, width, symbols, gain, generator)

    def logits(self, intent: Tensor, said: Tensor) -> Tensor:
        """Of every symbol given those before it.

        Args:
            intent: (S, R, H) what the utterance begins with.
            said: (S, R, L) int64; the last symbol is not read.

        Returns:
            (S, R, L, V).
        """
        stream, _ = self._run(self._begin(intent, said[:, :, :-1]), 0, None)
        return stream

    def first(self, intent: Tensor) -> tuple[Tensor, Cache]:
        """Logits (S, R, V) of the first symbol, and the cache behind it."""
        nothing = torch.zeros(*intent.shape[:2], 0, dtype=torch.long, device=intent.device)
        logits, cache = self._run(self._begin(intent, nothing), 0, None)
        return logits[:, :, 0], cache

    def next(self, symbol: Tensor, place: int, cache: Cache) -> tuple[Tensor, Cache]:
        """Logits of the symbol at a place, given the one before it.

        Args:
            symbol: (S, R) int64, at the place before.
            place: 1 to L - 1.
            cache: of what was said before that.
        """
        logits, cache = self._run(self._embedded(symbol.unsqueeze(-1)), place, cache)
        return logits[:, :, 0], cache

    def _begin(self, intent: Tensor, said: Tensor) -> Tensor:
        """(S, R, H) and (S, R, t) -> (S, R, t + 1, H)."""
        begin = self.letters[:, -1].unsqueeze(1) + intent  # (S, R, H)
        return torch.cat([begin.unsqueeze(2), self._embedded(said)], 2)

    def _embedded(self, said: Tensor) -> Tensor:
        """(S, R, t) -> (S, R, t, H)."""
        stack, rows, time = said.shape
        first = torch.arange(stack, device=said.device).view(stack, 1) * (self.symbols + 1)
        flat = (said.reshape(stack, -1) + first).flatten()
        return self.letters.flatten(0, 1)[flat].view(stack, rows, time, self.letters.shape[-1])

    def _run(self, stream: Tensor, place: int, cache: Cache | None) -> tuple[Tensor, Cache]:
        """(S, R, t, H) from a place on -> logits (S, R, t, V)."""
        stack, rows, time, width = stream.shape
        stream = stream + self.places[:, place : place + time].unsqueeze(1)
        kept: Cache = []
        for number, block in enumerate(self.blocks):
            stream, behind = block(stream, None if cache is None else cache[number])
            kept.append(behind)
        flat = layer_norm(stream, (width,)).reshape(stack, rows * time, width)
        return self.say(flat).view(stack, rows, time, -1), kept


class Speaks(Protocol):
    """Says utterances symbol by symbol; what begins one, and what is cached, is its own affair."""

    length: int

    def logits(self, intent: Tensor, said: Tensor) -> Tensor:
        """See `Speech.logits`."""

    def first(self, intent: Tensor) -> tuple[Tensor, Any]:
        """See `Speech.first`."""

    def next(self, symbol: Tensor, place: int, cache: Any) -> tuple[Tensor, Any]:
        """See `Speech.next`."""


class Utterances(ActionDistribution):
    """What speakers say: byte after byte, each given those before it.

    Args:
        speech: who speaks.
        intent: (S, R, ...) what each utterance begins with.
        lead: (..., N), the axes of what is told; N stands last.
    """

    def __init__(self, speech: Speaks, intent: Tensor, lead: tuple[int, ...]) -> None:
        self.speech = speech
        self.intent = intent
        self.lead = tuple(lead)
        self._entropy: Tensor | None = None

    @torch.no_grad()
    def sample(self, generator: torch.Generator) -> Tensor:
        """See `ActionDistribution.sample`: (..., N, L) int64."""
        said: list[Tensor] = []
        logits, cache = self.speech.first(self.intent)
        while True:
            # Gumbel-max, as in Categorical: no global random state
            waiting = torch.empty_like(logits).exponential_(generator=generator)
            said.append((logits - waiting.log()).argmax(-1))  # (S, R)
            if len(said) == self.speech.length:
                return self._unfold(torch.stack(said, -1))
            logits, cache = self.speech.next(said[-1], len(said), cache)

    def log_probability(self, actions: Tensor) -> Tensor:
        """See `ActionDistribution.log_probability`: exact, the sum over the bytes."""
        said = self._fold(actions)  # (S, R, L)
        stack, rows, _ = said.shape
        at_once = rows if torch.is_grad_enabled() else max(1, _ROWS_AT_ONCE // stack)
        likely: list[Tensor] = []
        spread: list[Tensor] = []
        for first in range(0, rows, at_once):
            part = said[:, first : first + at_once]
            logits = self.speech.logits(self.intent[:, first : first + at_once], part)
            log_p = logits.log_softmax(-1)  # (S, R, L, V)
            likely.append(log_p.gather(-1, part.unsqueeze(-1)).squeeze(-1).sum(-1))
            spread.append(-(log_p.exp() * log_p).sum(-1).sum(-1))
        self._entropy = self._unfold(torch.cat(spread, 1))
        return self._unfold(torch.cat(likely, 1))

    def entropy(self) -> Tensor:
        """See `ActionDistribution.entropy`: the entropies of the bytes given those before them,
        summed along the utterance that was last asked for.

        For an utterance that was drawn from this distribution that is an unbiased estimate; the
        entropy itself is a sum over V^L utterances. If none was asked for, one is drawn.
        """
        if self._entropy is None:
            self.log_probability(self.sample(torch.Generator().manual_seed(0)))
        assert self._entropy is not None
        return self._entropy

    def _fold(self, actions: Tensor) -> Tensor:
        """(..., N, L) -> (S, R, L)."""
        flat = actions.expand(*self.lead, actions.shape[-1])
        if len(self.intent) == 1:
            return flat.reshape(1, -1, actions.shape[-1])
        return flat.reshape(-1, self.lead[-1], actions.shape[-1]).transpose(0, 1)

    def _unfold(self, rows: Tensor) -> Tensor:
        """(S, R, ...) -> (..., N, ...)."""
        by_agent = rows if len(self.intent) == 1 else rows.transpose(0, 1)
        return by_agent.reshape(*self.lead, *rows.shape[2:])
