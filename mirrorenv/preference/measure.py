"""One evaluation: recognition and usefulness of a population on the topics of one split, always
both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mirrorenv.preference.pairs import Text
from mirrorenv.preference.recognition import recognition
from mirrorenv.preference.scoring import (
    Lineups,
    Scored,
    lineups_of,
    prompt_of,
    score_lineups,
    together,
    tokens_of,
    untouched_nats,
)
from mirrorenv.preference.settings import BoundSettings, PreferenceSettings
from mirrorenv.preference.topics import TopicSplit
from mirrorenv.preference.usefulness import follows, relevance, usefulness
from mirrorenv.preference.voices import Voices

__all__ = ["Progress", "beyond_bound", "instructions", "measure_texts"]

Progress = Callable[[str, int, int], None]


def measure_texts(
    voices: Voices,
    texts: Sequence[Text],
    topics: TopicSplit,
    settings: PreferenceSettings,
    run: str,
    progress: Progress,
) -> dict[str, Any]:
    """Recognition and usefulness of texts.

    Args:
        voices: the population, as observers.
        texts: of all players on the topics of one split.
        topics: all topics, for relevance.
        settings: of the run.
        run: names the shuffles.
        progress: called with (what, done, of).

    Returns:
        ``recognition`` under the voices, ``before`` under untouched voices, and ``useful`` by
        player.
    """
    lineups = lineups_of(texts, settings.names)
    scored = score_lineups(voices, lineups, settings, progress)
    about = _about_topics(voices, lineups, topics, settings)
    alike = np.repeat(scored.untouched[..., None], len(voices), axis=-1)
    return {
        "recognition": recognition(scored.by_player, scored.untouched, scored.lengths, run),
        "before": recognition(alike, scored.untouched, scored.lengths, run),
        "useful": {
            name: _useful(voices, number, lineups, scored, about)
            for number, name in enumerate(settings.names)
        },
    }


def _useful(
    voices: Voices, player: int, lineups: Lineups, scored: Scored, about: npt.NDArray[np.float64]
) -> dict[str, Any]:
    own = [some[player] for some in lineups.texts]
    drift = scored.by_player[:, player, player] - scored.untouched[:, player]
    return usefulness(
        [tokens_of(voices.base, one) for one in own],
        [one.finished for one in own],
        about[:, player, 0],
        drift,
        relevance(about[:, player], np.zeros(len(own), dtype=np.int64)),
    )


def _about_topics(
    voices: Voices, lineups: Lineups, topics: TopicSplit, settings: PreferenceSettings
) -> npt.NDArray[np.float64]:
    """(B, N, M) nats of each text after M topics, its own first, under the untouched model at
    temperature 1."""
    everything = [*topics.train, *topics.tuning, *topics.held_out]
    count = min(settings.measure.relevance_topics, len(everything))
    prompts = [prompt_of(voices.base, one, settings) for one in everything]
    rows = [
        [
            [
                (
                    prompts[(everything.index(topic) + step) % len(prompts)],
                    tokens_of(voices.base, one),
                )
                for step in range(count)
            ]
            for one in some
        ]
        for topic, some in zip(lineups.topics, lineups.texts, strict=True)
    ]
    nats = untouched_nats(
        voices, together(pair for row in rows for one in row for pair in one), 1.0
    )
    return np.array([[[nats[pair] for pair in one] for one in row] for row in rows])


def instructions(voices: Voices, settings: PreferenceSettings) -> dict[str, float]:
    """Share of the checkable instructions that each player and the untouched model follow."""
    found = {}
    for number, name in [*enumerate(settings.names), (None, "untouched")]:
        with voices.speaking(number) as model:
            found[name] = follows(model, settings.data.neutral)
    return found


def beyond_bound(
    useful: dict[str, dict[str, Any]], reference: dict[str, dict[str, Any]], bound: BoundSettings
) -> dict[str, list[str]]:
    """What is no longer useful, by player, in words; empty for a population that is.

    Args:
        useful: figures of the texts by player.
        reference: those of the players' first texts.
        bound: how far they may part.
    """
    found: dict[str, list[str]] = {}
    for name, now in useful.items():
        first = reference[name]
        limits = (
            (
                "repetition",
                now["repetition"]["value"],
                first["repetition"]["value"] + bound.repetition,
                1,
            ),
            ("perplexity", now["perplexity"], first["perplexity"] * bound.perplexity, 1),
            (
                "relevance",
                now["relevance"]["value"],
                first["relevance"]["value"] * bound.relevance,
                -1,
            ),
        )
        for what, value, limit, sign in limits:
            if sign * (value - limit) > 0 and (sign > 0 or limit > 0):
                side = "above" if sign > 0 else "below"
                found.setdefault(name, []).append(f"{what} {value:.3g} is {side} {limit:.3g}")
    return found
