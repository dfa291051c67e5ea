"""A causal language model that writes in batches and scores texts of others. The only file here
that imports torch.

A prompt is read once, alone and unpadded, and its keys and values are kept: what a context gives
does not depend on what else is computed, and contexts that begin alike share their beginning. Only
the tokens that are written are computed side by side.

Shape legend: B texts side by side, P tokens of a context, L of a continuation, V words of the
vocabulary, H heads, D channels.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from mirrorenv.errors import MirrorError
from mirrorenv.llm.asking import Generated, Request
from mirrorenv.llm.template import ChatTemplate

__all__ = ["LanguageModel"]

_KEPT_TOKENS = 8_000  # of contexts; 46 kB each for SmolLM2 in float32
_KEPT_SCORES = 20_000
_WIDEST = 16  # texts scored at once: bounds the memory that their logits take
# where there is no template
_PLAIN = {"system": "{}\n\n", "user": "Question: {}\n", "assistant": "Answer: {}\n\n"}
_HEADER = "Answer:"
_STOP = "\n\nQuestion:"


class LanguageModel:
    """A transformers model with its tokenizer.

    Args:
        model: causal, on the CPU or elsewhere, in evaluation mode.
        tokenizer: its own.
        name: for messages and logs.

    Attributes:
        ends: tokens after which nothing more is written.
        end: of them, the one that closes a text which came as words.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.name = name
        ends = model.generation_config.eos_token_id if model.generation_config is not None else None
        ends = tokenizer.eos_token_id if ends is None else ends
        self.ends: frozenset[int] = frozenset([ends] if isinstance(ends, int) else (ends or ()))
        self.template = ChatTemplate(tokenizer, name)
        self.end = self._end()
        if self.end is not None:
            self.ends |= {self.end}
        self.longest = int(getattr(model.config, "max_position_embeddings", 1 << 20))
        self._specials = sorted(map(str, tokenizer.all_special_tokens), key=len, reverse=True)
        self._contexts: OrderedDict[tuple[int, ...], tuple[Any, torch.Tensor]] = OrderedDict()
        self._scores: OrderedDict[tuple[Any, ...], float] = OrderedDict()

    # -- words and tokens --------------------------------------------------------------------------

    @property
    def has_template(self) -> bool:
        """Whether it was trained for chat; a base model gets questions and answers as plain
        text."""
        return bool(getattr(self.tokenizer, "chat_template", None))

    def chat(self, messages: Sequence[tuple[str, str]]) -> tuple[int, ...]:
        """Token ids of a conversation, up to where the assistant's next turn begins.

        Args:
            messages: (role, content). A system message comes first, always: without one, templates
                put in their own.
        """
        said = [(role, self._harmless(content)) for role, content in messages]
        if not self.has_template:
            text = "".join(_PLAIN[role].format(content) for role, content in said) + _HEADER
        else:
            text = self.template.prompt(said)
        return self.tokens(text)

    def _end(self) -> int | None:
        """The token with which the template closes a turn: the first mark behind its words. Of a
        base model, or where the template closes with none, the tokenizer's own end."""
        marks = {*self.ends, *self.tokenizer.all_special_ids, *self.tokenizer.added_tokens_decoder}
        closing = self.tokens(self.template.closing()) if self.has_template else ()
        behind = next((token for token in closing if token in marks), None)
        if behind is not None:
            return int(behind)
        own = self.tokenizer.eos_token_id
        return own if own in self.ends or not self.ends else min(self.ends)

    def _harmless(self, text: str) -> str:
        """The text without the tokenizer's own marks: no player's words can end a turn or begin
        another."""
        before = None
        while before != text:
            before = text
            for mark in self._specials:
                text = text.replace(mark, "")
        return text

    def tokens(self, text: str) -> tuple[int, ...]:
        """Token ids of a text, nothing added."""
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def answer_tokens(self, text: str, *, ended: bool = True) -> tuple[int, ...]:
        """Token ids of a whole answer, with the end mark unless it was cut short."""
        ids = self.tokens(self._harmless(text if self.has_template else f" {text}"))
        return (*ids, self.end) if ended and self.end is not None else ids

    def words(self, ids: Sequence[int]) -> str:
        """The text of token ids, without marks."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    # -- contexts ----------------------------------------------------------------------------------

    def _context(
        self, ids: tuple[int, ...]
    ) -> tuple[list[tuple[torch.Tensor, torch.Tensor]], torch.Tensor]:
        """Keys and values (1, H, P, D) of each layer, and the logits (V) after the last token."""
        if ids in self._contexts:
            self._contexts.move_to_end(ids)
            return self._contexts[ids]
        if not ids or len(ids) >= self.longest:
            raise MirrorError(
                f"local model '{self.name}': a context of {len(ids)} tokens, and it takes 1 to "
                f"{self.longest - 1}; "
                "play fewer rounds, or with a memory that keeps less (memory = 'notes')"
            )
        known = max((key for key in self._contexts if ids[: len(key)] == key), key=len, default=())
        cache = DynamicCache(ddp_cache_data=self._contexts[known][0]) if known else DynamicCache()
        new = torch.tensor([ids[len(known) :]], device=self.model.device)
        place = torch.arange(len(known), len(ids), device=self.model.device)[None]
        out = self.model(
            new, past_key_values=cache, position_ids=place, use_cache=True, logits_to_keep=1
        )
        found = (
            [(layer.keys, layer.values) for layer in out.past_key_values.layers],
            out.logits[0, -1].float(),
        )
        self._contexts[ids] = found
        while sum(map(len, self._contexts)) > _KEPT_TOKENS and len(self._contexts) > 1:
            self._contexts.popitem(last=False)
        return found

    def _side_by_side(
        self, prompts: Sequence[tuple[int, ...]]
    ) -> tuple[DynamicCache, torch.Tensor, torch.Tensor]:
        """The contexts as one cache padded on the left, its mask (B, P) and the logits (B, V)."""
        contexts = [self._context(prompt) for prompt in prompts]
        width = max(map(len, prompts))

        def padded(layer: int, part: int) -> torch.Tensor:  # (B, H, P, D); part 0 keys, 1 values
            pieces = (
                torch.nn.functional.pad(kept[layer][part], (0, 0, width - len(prompt), 0))
                for (kept, _), prompt in zip(contexts, prompts, strict=True)
            )
            return torch.cat(list(pieces))

        layers = [(padded(layer, 0), padded(layer, 1)) for layer in range(len(contexts[0][0]))]
        place = torch.arange(width, device=self.model.device)
        mask = torch.stack([place >= width - len(prompt) for prompt in prompts]).long()
        return (
            DynamicCache(ddp_cache_data=layers),
            mask,
            torch.stack([logits for _, logits in contexts]),
        )

    # -- writing -----------------------------------------------------------------------------------

    @torch.inference_mode()
    def generate(self, requests: Sequence[Request]) -> list[Generated]:
        """Write all texts side by side; each row has its own temperature, limit and draws.

        Raises:
            MirrorError: if a prompt leaves no room in the model's context.
        """
        cache, mask, logits = self._side_by_side([request.prompt for request in requests])
        rows = [_Row(request, len(request.prompt)) for request in requests]
        live = list(range(len(rows)))
        while True:
            for place, index in enumerate(live):
                rows[index].take(logits[place], self.ends, self.longest)
            going = [place for place, index in enumerate(live) if not rows[index].done]
            if not going:
                return [self._generated(row) for row in rows]
            if len(going) < len(live):
                kept = torch.tensor(going, device=mask.device)
                cache.batch_select_indices(kept)
                mask = mask[kept]
                live = [live[place] for place in going]
            mask = torch.cat(
                [mask, torch.ones(len(live), 1, dtype=mask.dtype, device=mask.device)], dim=1
            )
            # (B, 1)
            last = torch.tensor([[rows[index].tokens[-1]] for index in live], device=mask.device)
            place_ids = torch.tensor(
                [[rows[index].length - 1] for index in live], device=mask.device
            )
            out = self.model(
                last,
                past_key_values=cache,
                attention_mask=mask,
                position_ids=place_ids,
                use_cache=True,
            )
            cache = out.past_key_values
            logits = out.logits[:, -1].float()  # (B, V)

    def _generated(self, row: _Row) -> Generated:
        finished = bool(row.tokens) and row.tokens[-1] in self.ends
        text = self.words(row.tokens[:-1] if finished else row.tokens)
        if not self.has_template and _STOP in text:
            text = text[: text.index(_STOP)]
        return Generated(tuple(row.tokens), text, finished, tuple(row.logprobs), tuple(row.top))

    # -- scoring -----------------------------------------------------------------------------------

    @torch.inference_mode()
    def score(
        self,
        context: tuple[int, ...],
        continuations: Sequence[tuple[int, ...]],
        temperature: float = 1.0,
    ) -> list[float]:
        """Log-probability in nats of each continuation after the context, when sampled at a
        temperature.

        Args:
            context: token ids.
            continuations: token ids; an empty one scores 0.
            temperature: above 0; at 0 a continuation scores 0 if it is the likeliest at every
                place, else -inf.
        """
        known = {text: self._scores.get((context, text, temperature)) for text in continuations}
        missing = [text for text, value in known.items() if value is None]
        for start in range(0, len(missing), _WIDEST):
            some = missing[start : start + _WIDEST]
            for text, value in zip(some, self._score(context, some, temperature), strict=True):
                known[text] = self._scores[context, text, temperature] = value
        while len(self._scores) > _KEPT_SCORES:
            self._scores.popitem(last=False)
        return [float(known[text] or 0.0) for text in continuations]

    def _score(
        self, context: tuple[int, ...], texts: Sequence[tuple[int, ...]], temperature: float
    ) -> list[float]:
        layers, first = self._context(context)
        count = len(texts)
        longest = max(map(len, texts))
        if len(context) + longest > self.longest:
            raise MirrorError(
                f"local model '{self.name}': context and text are longer than {self.longest} tokens"
            )
        logits = first.expand(count, 1, -1)  # (B, 1, V)
        if longest > 1:
            cache = DynamicCache(
                ddp_cache_data=[
                    (keys.expand(count, -1, -1, -1), values.expand(count, -1, -1, -1))
                    for keys, values in layers
                ]
            )
            # Padded on the right with token 0: a causal model never looks ahead, so nothing needs
            # masking.
            on = self.model.device
            ids = torch.tensor(
                [[*text[:-1], *[0] * (longest - max(1, len(text)))] for text in texts], device=on
            )
            place = torch.arange(len(context), len(context) + longest - 1, device=on)[None].expand(
                count, -1
            )
            out = self.model(ids, past_key_values=cache, position_ids=place, use_cache=True)
            logits = torch.cat([logits, out.logits.float()], dim=1)  # (B, L, V)
        return [
            _log_probability(row, text, temperature)
            for row, text in zip(logits, texts, strict=True)
        ]


def _log_probability(logits: torch.Tensor, text: tuple[int, ...], temperature: float) -> float:
    """Nats of a text, from logits (L or more, V)."""
    if not text:
        return 0.0
    logits = logits[: len(text)]
    ids = torch.tensor(text)  # (L,)
    if temperature == 0.0:
        return 0.0 if bool((logits.argmax(dim=-1) == ids).all()) else -float("inf")
    # over V words in float32, an eighth of the time of float64; what is left, in float64
    tempered = logits if temperature == 1.0 else logits / temperature
    chosen = logits[torch.arange(len(text)), ids].double() / temperature
    return float((chosen - tempered.logsumexp(dim=-1).double()).sum())


class _Row:
    """One text while it is written."""

    def __init__(self, request: Request, length: int) -> None:
        self.request = request
        self.length = length
        self.done = False
        self.tokens: list[int] = []
        self.logprobs: list[float] = []
        self.top: list[tuple[tuple[int, float], ...]] = []
        self._draws = np.random.default_rng(request.seed)

    def take(self, logits: torch.Tensor, ends: frozenset[int], longest: int) -> None:
        """Draw the next token from logits (V)."""
        if self.request.tokens <= 0:
            self.done = True
            return
        logs = torch.log_softmax(logits.double(), dim=-1)
        token = int(logits.argmax()) if self.request.temperature == 0.0 else self._draw(logits)
        self.tokens.append(token)
        self.logprobs.append(float(logs[token]))
        if self.request.top_logprobs:
            values, ids = logs.topk(self.request.top_logprobs)
            self.top.append(tuple(zip(ids.tolist(), values.tolist(), strict=True)))
        self.length += 1
        self.done = (
            token in ends or len(self.tokens) >= self.request.tokens or self.length >= longest
        )

    def _draw(self, logits: torch.Tensor) -> int:
        """By inversion, so that one uniform number decides and rounding can only matter at the edge
        of two tokens."""
        shares = torch.softmax(logits.double() / self.request.temperature, dim=-1).cumsum(dim=0)
        place = torch.searchsorted(
            shares, float(self._draws.random()) * float(shares[-1]), right=True
        )
        return min(int(place), len(shares) - 1)
