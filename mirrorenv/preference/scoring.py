"""Every text under every model: the numbers that recognition and usefulness are made of. Needs
torch.

Shape legend: B lineups (a topic and a sample), N players, K = N slots (here in author order).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from mirrorenv.errors import MirrorError
from mirrorenv.llm.model import LanguageModel
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.preference.context import RunContext
from mirrorenv.preference.pairs import Text
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.voices import VoicePopulation

__all__ = [
    "LogProbabilities",
    "Scored",
    "TextLineups",
    "group_by_prompt",
    "lineups_of",
    "log_probabilities",
    "prompt_of",
    "score_lineups",
    "tokens_of",
    "untouched_log_probabilities",
]

Tokens = tuple[int, ...]
LogProbabilities = dict[tuple[Tokens, Tokens], float]
"""Nats of a text after a prompt, by prompt and text."""
Asked = tuple[Tokens, tuple[Tokens, ...], float]
"""A prompt, the texts that are read side by side after it, and a temperature."""

_known: WeakKeyDictionary[VoicePopulation, dict[Asked, list[float]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class TextLineups:
    """Texts side by side: one of each player, on one topic.

    Attributes:
        topics: B topics.
        texts: B x N texts, in author order.
    """

    topics: tuple[str, ...]
    texts: tuple[tuple[Text, ...], ...]

    def __len__(self) -> int:
        return len(self.topics)


@dataclass(frozen=True)
class Scored:
    """Log-probabilities of whole texts, in nats.

    Attributes:
        by_player: (B, N, N) text of author k under player n's model, told nothing, at the
            temperature of sampling.
        untouched: (B, N) under the untouched model, told nothing, at the same temperature.
        lengths: (B, N) tokens.
    """

    by_player: Floats64
    untouched: Floats64
    lengths: Floats64


def tokens_of(model: LanguageModel, one: Text) -> tuple[int, ...]:
    """A text's tokens: as drawn, or as the tokenizer cuts a text from elsewhere."""
    return one.tokens or model.answer_tokens(one.text, ended=one.finished)


def group_by_prompt(pairs: Iterable[tuple[Tokens, Tokens]]) -> dict[Tokens, list[Tokens]]:
    """Prompts with all texts that are asked for after them, each once: what is read side by
    side."""
    found: dict[Tokens, dict[Tokens, None]] = {}
    for prompt, text in pairs:
        found.setdefault(prompt, {})[text] = None
    return {prompt: list(texts) for prompt, texts in found.items()}


def log_probabilities(
    model: LanguageModel, asked: Mapping[Tokens, Sequence[Tokens]], temperature: float
) -> LogProbabilities:
    """Log-probabilities of texts after prompts.

    Args:
        model: whose.
        asked: prompts with the texts that are read side by side after them.
        temperature: of sampling.
    """
    found: LogProbabilities = {}
    for prompt, texts in asked.items():
        scores = model.score(prompt, texts, temperature)
        found |= {(prompt, text): nats for text, nats in zip(texts, scores, strict=True)}
    return found


def untouched_log_probabilities(
    voices: VoicePopulation, asked: Mapping[Tokens, Sequence[Tokens]], temperature: float
) -> LogProbabilities:
    """Log-probabilities under the untouched model. What was asked before in this very form is not
    computed again.

    In this very form: texts that are read side by side round together, and a resumed run must come
    to the same bytes.

    Args:
        voices: whose untouched model.
        asked: prompts with the texts that are read side by side after them.
        temperature: of sampling.

    Returns:
        nats by prompt and text.
    """
    found: LogProbabilities = {}
    known = _known.setdefault(voices, {})
    with voices.speaking(None) as model:
        for prompt, texts in asked.items():
            key = (prompt, tuple(texts), temperature)
            if key not in known:
                known[key] = model.score(prompt, texts, temperature)
            found |= {(prompt, text): nats for text, nats in zip(texts, known[key], strict=True)}
    return found


def lineups_of(texts: Sequence[Text], players: Sequence[str]) -> TextLineups:
    """All full lineups: topics and samples on which every player wrote.

    Args:
        texts: in any order.
        players: N names; their order is the author order.

    Raises:
        MirrorError: if there is none.
    """
    found: dict[tuple[str, int], dict[str, Text]] = {}
    for text in texts:
        found.setdefault((text.topic, text.sample), {})[text.player] = text
    topics: list[str] = []
    lineups: list[tuple[Text, ...]] = []
    for (topic, _), by_player in found.items():
        if by_player.keys() >= set(players):
            topics.append(topic)
            lineups.append(tuple(by_player[name] for name in players))
    if not topics:
        raise MirrorError(
            "no topic has a text of every player, so there is no lineup to read; write more texts"
        )
    return TextLineups(tuple(topics), tuple(lineups))


def score_lineups(context: RunContext, lineups: TextLineups) -> Scored:
    """Score every text under every model.

    Args:
        context: of the run.
        lineups: B of them.
    """
    voices = context.voices
    temperature = context.settings.data.temperature
    size = len(voices)
    prompts = [prompt_of(voices.base, topic, context.settings) for topic in lineups.topics]
    tokens = [_tokens_of_all(voices.base, lineup) for lineup in lineups.texts]
    asked = group_by_prompt(_pairs(prompts, tokens))
    by_player = np.zeros((len(lineups), size, size))
    for player in range(size):
        with voices.speaking(player) as model:
            nats = log_probabilities(model, asked, temperature)
        by_player[:, :, player] = _table(nats, prompts, tokens)
        context.callbacks.stage("reading", player + 1, size + 1)
    nats = untouched_log_probabilities(voices, asked, temperature)
    context.callbacks.stage("reading", size + 1, size + 1)
    lengths = np.array([list(map(len, lineup)) for lineup in tokens], np.float64)  # (B, N)
    return Scored(by_player, _table(nats, prompts, tokens), np.maximum(lengths, 1.0))


def _tokens_of_all(model: LanguageModel, texts: Sequence[Text]) -> list[Tokens]:
    return [tokens_of(model, text) for text in texts]


def _pairs(
    prompts: Sequence[Tokens], tokens: Sequence[Sequence[Tokens]]
) -> Iterator[tuple[Tokens, Tokens]]:
    for prompt, lineup in zip(prompts, tokens, strict=True):
        yield from ((prompt, text) for text in lineup)


def _table(
    nats: LogProbabilities, prompts: Sequence[Tokens], tokens: Sequence[Sequence[Tokens]]
) -> Floats64:
    """(B, N) nats of each text after its prompt."""
    flat = [nats[pair] for pair in _pairs(prompts, tokens)]
    return np.array(flat).reshape(len(prompts), -1)


def prompt_of(model: LanguageModel, topic: str, settings: PreferenceSettings) -> tuple[int, ...]:
    """The question as every tuned player gets it, up to where the answer begins.

    Args:
        model: whose chat template and tokens.
        topic: the question.
        settings: `data.neutral` is the system message.

    Returns:
        token ids.
    """
    return model.chat([("system", settings.data.neutral), ("user", topic)])
