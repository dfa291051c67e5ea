"""Texts under a guide: its direction is added to logits or to hidden states.

Shapes: B texts, T tokens, H hidden, C tokens of the vocabulary.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from mirrorenv.errors import ConfigError
from mirrorenv.goals.language.guide import SPAN, Guide
from mirrorenv.goals.language.texts import words_of
from mirrorenv.llm.model import LanguageModel

__all__ = ["Steering", "Written", "plain_bias", "rate_of", "write"]

TOP = 40
"""Tokens that are drawn from: the likeliest so many."""


class Steering(NamedTuple):
    """How a guide is listened to."""

    guide: Guide | None
    """None: texts as the model writes them, but for `bias`."""
    topic: int = 0
    """Number of the goal."""
    weight: float = 0.0
    """Length of what is added, in lengths of the hidden state it is added to."""
    where: Literal["logits", "hidden"] = "logits"
    """Added to what the logits are read from (and so to the logits), or to the middle layer."""
    bias: Tensor | None = None
    """(C,) added to the logits: the plain way, without a guide."""


class Written(NamedTuple):
    """B texts, and what the model thinks of them when it is not steered."""

    texts: tuple[str, ...]
    perplexity: tuple[float, ...]
    """Of each text, under the model without a guide and without a bias."""


def plain_bias(model: LanguageModel, words: Collection[str], nats: float) -> Tensor:
    """(C,) nats for the first token of each word, with and without a blank before it.

    Args:
        model: whose vocabulary.
        words: that are to come more often.
        nats: added to their logits.
    """
    found = torch.zeros(int(model.model.config.vocab_size))
    for word in words:
        for text in (word, f" {word}"):
            found[model.tokens(text)[0]] = nats
    return found


@torch.no_grad()
def write(
    model: LanguageModel,
    prompts: Sequence[str],
    steering: Steering,
    *,
    tokens: int = 40,
    seed: int = 0,
) -> Written:
    """Go on with prompts of one length each: they are read side by side.

    Args:
        model: that writes.
        prompts: the beginnings; cut to the tokens of the shortest.
        steering: the guide, the goal and the weight.
        tokens: to write.
        seed: of the draws.

    Raises:
        ConfigError: if a prompt has no token, or the model has no layers that can be steered.
    """
    begun = [model.tokens(prompt) for prompt in prompts]
    shortest = min(map(len, begun))
    if not shortest:
        raise ConfigError("a prompt without a token: begin the text with a word")
    ids = torch.tensor([one[-shortest:] for one in begun])  # (B, T)
    draws = torch.Generator().manual_seed(seed)
    head = model.model.get_output_embeddings()
    cache: Any = None
    recent = torch.zeros(0)
    added = Added()
    given = ids
    with steered(model, added) if steering.where == "hidden" else contextlib.nullcontext():
        for _ in range(tokens):
            out = model.model(
                given, past_key_values=cache, use_cache=True, output_hidden_states=True
            )
            cache = out.past_key_values
            last = out.hidden_states[-1].float()  # (B, t, H)
            recent = torch.cat([recent, last], 1)[:, -SPAN:] if recent.numel() else last[:, -SPAN:]
            logits = out.logits[:, -1].float()
            if steering.guide is not None and steering.weight:
                inner = steering.where == "hidden"
                way = steering.guide.direction(recent.mean(1), steering.topic, inner)
                if inner:
                    added.way = steering.weight * way
                else:
                    length = last[:, -1].norm(dim=-1, keepdim=True)
                    step = steering.weight * length * way
                    logits = logits + step.to(head.weight.dtype) @ head.weight.T
            if steering.bias is not None:
                logits = logits + steering.bias
            best, place = logits.topk(min(TOP, logits.shape[-1]), dim=-1)
            chosen = torch.multinomial(best.softmax(-1), 1, generator=draws)
            given = place.gather(1, chosen)
            ids = torch.cat([ids, given], 1)
    nats = nats_of(model, ids, tokens)
    texts = tuple(model.words(row[shortest:].tolist()) for row in ids)
    return Written(texts, tuple(nats.exp().tolist()))


class Added:
    """What is added to the middle layer from now on, in lengths of its states."""

    way: Tensor | None = None  # (B, H)


@contextlib.contextmanager
def steered(model: LanguageModel, added: Added) -> Iterator[None]:
    """While this lasts, the middle layer puts out what is added, too."""
    layers = getattr(model.model.get_decoder(), "layers", None)
    if not layers:
        raise ConfigError(
            f"the model {model.name} has no list of layers, so its hidden states cannot be "
            "steered: add to the logits"
        )

    def put_out(module: Any, given: Any, out: Any) -> Any:
        states = out[0] if isinstance(out, tuple) else out
        if added.way is None:
            return out
        moved = states + states.norm(dim=-1, keepdim=True) * added.way[:, None].to(states.dtype)
        return (moved, *out[1:]) if isinstance(out, tuple) else moved

    # hidden_states[m] is what layer m - 1 puts out
    handle = layers[(len(layers) + 1) // 2 - 1].register_forward_hook(put_out)
    try:
        yield
    finally:
        handle.remove()


def nats_of(model: LanguageModel, ids: Tensor, tokens: int) -> Tensor:
    """(B,) mean nats of the last tokens, by the model as it is.

    Args:
        model: that judges.
        ids: (B, T).
        tokens: how many of the last.
    """
    logits = model.model(ids[:, :-1]).logits[:, -tokens:].float()  # (B, tokens, C)
    said: Tensor = logits.log_softmax(-1).gather(2, ids[:, -tokens:, None])[..., 0]
    return -said.mean(1)


def rate_of(text: str, words: Collection[str]) -> float:
    """Share of a text's words that are among some; 0 for a text without words."""
    said = words_of(text)
    return sum(word in words for word in said) / max(1, len(said))
