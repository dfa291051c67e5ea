"""Every text under every model: the numbers that recognition and usefulness are made of. Needs torch.

Shape legend: B lineups (a topic and a sample), N players, K = N slots (here in author order).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mirrorenv.debate.local.model import LanguageModel
from mirrorenv.errors import MirrorError
from mirrorenv.preference.pairs import Text
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.voices import Voices

__all__ = ["Lineups", "Scored", "lineups_of", "prompt_of", "score_lineups", "tokens_of"]

Array = npt.NDArray[np.float64]


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
        by_player: (B, N, N) text of author k under player n's model, told nothing, at the temperature of sampling.
        untouched: (B, N) under the untouched model, told nothing, at the same temperature.
        plain: (B, N) under the untouched model at temperature 1.
        lengths: (B, N) tokens.
    """

    by_player: Array
    untouched: Array
    plain: Array
    lengths: Array


def tokens_of(model: LanguageModel, one: Text) -> tuple[int, ...]:
    """A text's tokens: as drawn, or as the tokenizer cuts a text from elsewhere."""
    return one.tokens or model.answer_tokens(one.text, ended=one.finished)


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
        raise MirrorError("no topic has a text of every player, so there is no lineup to read; write more texts")
    return Lineups(tuple(topic for topic, _ in full), tuple(some for _, some in full))


def score_lineups(
    voices: Voices, lineups: Lineups, settings: PreferenceSettings, progress: Callable[[str, int, int], None]
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

    def column(model: LanguageModel, temperature: float) -> Array:  # (B, N)
        return np.array([
            model.score(prompt_of(model, topic, settings), some, temperature)
            for topic, some in zip(lineups.topics, tokens, strict=True)
        ])  # fmt: skip

    for player in range(size):
        with voices.speaking(player) as model:
            by_player[:, :, player] = column(model, heat)
        progress("reading", player + 1, size + 1)
    with voices.speaking(None) as model:
        untouched = column(model, heat)
        plain = untouched if heat == 1.0 else column(model, 1.0)
    progress("reading", size + 1, size + 1)
    lengths = np.array([[max(1, len(one)) for one in some] for some in tokens], dtype=np.float64)
    return Scored(by_player, untouched, plain, lengths)


def prompt_of(model: LanguageModel, topic: str, settings: PreferenceSettings) -> tuple[int, ...]:
    """Token ids of the question as every tuned player gets it, up to where the answer begins."""
    return model.chat([("system", settings.data.neutral), ("user", topic)])
