"""Causal language models with room for further tokens, and texts to train them on; nothing is
downloaded.

Shape legend: B sequences, T places, V vocabulary, K added tokens, F width of an embedding.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mirrorenv.errors import ConfigError, MissingExtraError

__all__ = ["STARTS", "Corpus", "Model", "build", "read_texts", "with_tokens"]

SMALL = "small"
"""The name of the model made from a configuration."""


@dataclass(frozen=True)
class Model:
    """A causal model of transformers, and how its texts become tokens."""

    name: str
    network: Any
    encode: Callable[[str], list[int]]
    tokenizer: Any | None = None

    @property
    def vocabulary(self) -> int:
        """V, rows of the embedding."""
        return int(self.network.get_input_embeddings().weight.shape[0])


def read_texts(file: Path | None) -> list[str]:
    """Texts, each on something: Python's help topics, or the parts of a file.

    Args:
        file: text in UTF-8; Python's own `pydoc_data.topics` if not given.

    Raises:
        ConfigError: if the file cannot be read or holds next to nothing.
    """
    if file is None:
        from pydoc_data.topics import topics

        return [topics[name] for name in sorted(topics)]
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--text {file}: no text in UTF-8 that can be read ({error})") from error
    if len(text) < 10_000:
        raise ConfigError(f"--text {file}: {len(text)} characters; 10,000 are needed")
    size = len(text) // 64 + 1
    return [text[begin : begin + size] for begin in range(0, len(text), size)]


class Corpus:
    """Tokens of texts, one in ten held out.

    Args:
        texts: each on something.
        encode: text -> tokens.
        length: T of a sequence.
    """

    def __init__(
        self, texts: Sequence[str], encode: Callable[[str], list[int]], length: int
    ) -> None:
        self.length = length
        self.parts = [torch.tensor(encode(text)) for text in texts]
        kept = [part for number, part in enumerate(self.parts) if number % 10]
        self.train = torch.cat(kept)
        self.held_out = torch.cat(self.parts[::10])
        if min(len(self.train), len(self.held_out)) < 2 * length:
            raise ConfigError(f"the text has too few tokens for sequences of {length}")

    def batch(self, size: int, draws: torch.Generator, *, held_out: bool = False) -> Tensor:
        """(B, T) int64 from anywhere in the text."""
        return self._cut(self.held_out if held_out else self.train, size, draws)

    def of_topics(self, topics: int, size: int, draws: torch.Generator) -> Tensor:
        """(B, T) of so many of the texts that are long enough."""
        long = [part for part in self.parts if len(part) > 2 * self.length]
        chosen = torch.randperm(len(long), generator=draws)[:topics]
        each = [long[i] for i in chosen.tolist()]
        share = -(-size // len(each))
        return torch.cat([self._cut(part, share, draws) for part in each])[:size]

    def _cut(self, tokens: Tensor, size: int, draws: torch.Generator) -> Tensor:
        begin = torch.randint(len(tokens) - self.length, (size, 1), generator=draws)
        return tokens[begin + torch.arange(self.length)]


def build(name: str, length: int, seed: int) -> Model:
    """A small GPT on bytes, or a local model.

    Args:
        name: `small`; `smollm2`, a folder that transformers can load, or a GGUF file.
        length: T, places that are needed.
        seed: of the small model's weights.

    Raises:
        MissingExtraError: if transformers is not installed.
        ConfigError: if there is no such model.
    """
    if name != SMALL:
        from mirrorenv.llm.weights import load_model

        loaded = load_model(name)
        tokenizer = copy.deepcopy(loaded.tokenizer)

        def encode(text: str) -> list[int]:
            return list(tokenizer.encode(text, add_special_tokens=False))

        network = copy.deepcopy(loaded.model)
        network.set_attn_implementation("eager")  # the only one that shows its attention
        return Model(loaded.name, network, encode, tokenizer)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        from transformers import GPT2Config, GPT2LMHeadModel
    except ImportError as error:
        raise MissingExtraError("a GPT needs transformers: pip install '.[local]'") from error
    config = GPT2Config(
        vocab_size=256,
        n_positions=length + 8,
        n_embd=96,
        n_layer=3,
        n_head=4,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
        attn_implementation="eager",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # transformers draws from the global stream
        network = GPT2LMHeadModel(config)
    return Model("small GPT on bytes", network, lambda text: list(text.encode("utf-8")))


def _at_mean(old: Tensor, _: torch.Generator, __: float) -> Tensor:
    return old.mean(0, keepdim=True)


def _at_random(old: Tensor, draws: torch.Generator, scale: float) -> Tensor:
    return scale * torch.randn(1, old.shape[1], generator=draws)


def _as_layers_start(old: Tensor, draws: torch.Generator, _: float) -> Tensor:
    return torch.randn(1, old.shape[1], generator=draws)


STARTS: dict[str, Callable[[Tensor, torch.Generator, float], Tensor]] = {
    "mean embedding": _at_mean,
    "random, the model's own scale": _at_random,
    "random, unit variance": _as_layers_start,
}
"""How a new row of the embedding starts: the old rows (V, F), a source, a scale -> (1, F)."""


@torch.no_grad()
def with_tokens(model: Model, count: int, start: str, draws: torch.Generator) -> tuple[Model, int]:
    """A copy of a model with further tokens in its tokenizer and its embeddings.

    Args:
        model: stays as it is.
        count: K.
        start: a name in `STARTS`.
        draws: source of random rows.

    Returns:
        the copy, and the number of the first new token.
    """
    network = copy.deepcopy(model.network)
    tokenizer = copy.deepcopy(model.tokenizer)
    first = model.vocabulary
    if tokenizer is not None:
        tokenizer.add_tokens([f"<mind {number}>" for number in range(count)])
        first = max(len(tokenizer) - count, 0)
    before = network.get_input_embeddings().weight.detach().clone()  # (V, F)
    head_before = network.get_output_embeddings().weight.detach().clone()
    size = max(first + count, model.vocabulary)
    with torch.random.fork_rng(devices=[]):
        network.resize_token_embeddings(size, mean_resizing=False)
    scale = float(getattr(network.config, "initializer_range", 0.02))
    rows = torch.cat([STARTS[start](before[:first], draws, scale) for _ in range(count)])  # (K, F)
    embedding = network.get_input_embeddings().weight
    embedding[first : first + count] = rows
    head = network.get_output_embeddings().weight
    if head.data_ptr() != embedding.data_ptr():
        head[first : first + count] = STARTS[start](head_before[:first], draws, scale)
    return Model(model.name, network, model.encode, tokenizer), first
