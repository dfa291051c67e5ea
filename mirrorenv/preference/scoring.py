"""Every text under every model: the numbers that recognition and usefulness are made of. Needs
torch.

Shape legend: B lineups (a topic and a sample), N players, K = N slots (here in author order).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import MirrorError
from mirrorenv.llm.model import LanguageModel
from mirrorenv.preference.pairs import Text
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.voices import Voices

__all__ = [
    "Lineups",
    "Nats",
    "Scored",
    "lineups_of",
    "nats_of",
    "prompt_of",
    "score_lineups",
    "together",
    "tokens_of",
    "untouched_nats",
]

Array = npt.NDArray[np.float64]
Tokens = tuple[int, ...]
Nats = dict[tuple[Tokens, Tokens], float]
"""Log-probability of a text after a prompt, by both."""
_known: WeakKeyDictionary[Voices, dict[tuple[Tokens, tuple[Tokens, ...], float], list[float]]] = (
    WeakKeyDictionary()
)


@dataclass(frozen=True)
class Lineups:
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

    by_player: Array
    untouched: Array
    lengths: Array


def tokens_of(model: LanguageModel, one: Text) -> tuple[int, ...]:
    """A text's tokens: as drawn, or as the tokenizer cuts a text from elsewhere."""
    return one.tokens or model.answer_tokens(one.text, ended=one.finished)


def together(pairs: Iterable[tuple[Tokens, Tokens]]) -> dict[Tokens, list[Tokens]]:
    """Prompts with all texts that are asked for after them, each once: what is read side by
    side."""
    found: dict[Tokens, dict[Tokens, None]] = {}
    for prompt, text in pairs:
        found.setdefault(prompt, {})[text] = None
    return {prompt: list(texts) for prompt, texts in found.items()}


def nats_of(
    model: LanguageModel, asked: Mapping[Tokens, Sequence[Tokens]], temperature: float
) -> Nats:
    """Log-probabilities of texts after prompts."""
    return {
        (prompt, text): nats
        for prompt, texts in asked.items()
        for text, nats in zip(texts, model.score(prompt, texts, temperature), strict=True)
    }


def untouched_nats(
    voices: Voices, asked: Mapping[Tokens, Sequence[Tokens]], temperature: float
) -> Nats:
    """The same under the untouched model. What was asked before in this very form is not computed
    again.

    In this very form: texts that are read side by side round together, and a resumed run must come
    to the same bytes.
    """
    found: Nats = {}
    known = _known.setdefault(voices, {})
    with voices.speaking(None) as model:
        for prompt, texts in asked.items():
            key = (prompt, tuple(texts), temperature)
            if key not in known:
                known[key] = model.score(prompt, texts, temperature)
            found |= {(prompt, text): nats for text, nats in zip(texts, known[key], strict=True)}
    return found


def lineups_of(texts: Sequence[Text], players: Sequence[str]) -> Lineups:
    """All full lineups: topics and samples on which everybody wrote.

    Raises:
        MirrorError: if there is none.
    """
    found = {(one.topic, one.sample, one.player): one for one in texts}
    places = list(dict.fromkeys((one.topic, one.sample) for one in texts))
    full = [
        (topic, tuple(found[topic, sample, name] for name in players))
        for topic, sample in places
        if all((topic, sample, name) in found for name in players)
    ]
    if not full:
        raise MirrorError(
            "no topic has a text of every player, so there is no lineup to read; write more texts"
        )
    return Lineups(tuple(topic for topic, _ in full), tuple(some for _, some in full))


def score_lineups(
    voices: Voices,
    lineups: Lineups,
    settings: PreferenceSettings,
    progress: Callable[[str, int, int], None],
) -> Scored:
    """Score every text under every model.

    Args:
        voices: the population.
        lineups: B of them.
        settings: of the run.
        progress: called with (what, models done, models).
    """
    heat, size = settings.data.temperature, len(voices)
    by_player = np.zeros((len(lineups), size, size))
    tokens = [[tokens_of(voices.base, one) for one in some] for some in lineups.texts]
    prompts = [prompt_of(voices.base, topic, settings) for topic in lineups.topics]
    asked = together(
        (prompt, text) for prompt, some in zip(prompts, tokens, strict=True) for text in some
    )

    def table(nats: Nats) -> Array:  # (B, N)
        rows = zip(prompts, tokens, strict=True)
        return np.array([[nats[prompt, text] for text in some] for prompt, some in rows])

    for player in range(size):
        with voices.speaking(player) as model:
            by_player[:, :, player] = table(nats_of(model, asked, heat))
        progress("reading", player + 1, size + 1)
    untouched = table(untouched_nats(voices, asked, heat))
    progress("reading", size + 1, size + 1)
    lengths = np.array([[max(1, len(one)) for one in some] for some in tokens], dtype=np.float64)
    return Scored(by_player, untouched, lengths)


def prompt_of(model: LanguageModel, topic: str, settings: PreferenceSettings) -> tuple[int, ...]:
    """Token ids of the question as every tuned player gets it, up to where the answer begins."""
    return model.chat([("system", settings.data.neutral), ("user", topic)])
