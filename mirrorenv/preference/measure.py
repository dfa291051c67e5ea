"""One evaluation: recognition and usefulness of a population on the topics of one split, always
both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mirrorenv.mirror.arrays import Floats64
from mirrorenv.preference.context import RunContext
from mirrorenv.preference.pairs import Text
from mirrorenv.preference.recognition import recognition
from mirrorenv.preference.scoring import (
    Scored,
    TextLineups,
    group_by_prompt,
    lineups_of,
    prompt_of,
    score_lineups,
    tokens_of,
    untouched_log_probabilities,
)
from mirrorenv.preference.settings import BoundSettings
from mirrorenv.preference.trl_steps import Tokens
from mirrorenv.preference.usefulness import follows, relevance, usefulness

__all__ = ["beyond_bound", "instructions", "measure_texts"]


def measure_texts(context: RunContext, texts: Sequence[Text], run: str) -> dict[str, Any]:
    """Recognition and usefulness of texts.

    Args:
        context: of the run; its voices are the observers.
        texts: of all players on the topics of one split.
        run: names the shuffles.

    Returns:
        `recognition` under the voices, `before` under untouched voices, and `useful` by
        player.
    """
    names = context.settings.names
    lineups = lineups_of(texts, names)
    scored = score_lineups(context, lineups)
    about = _about_topics(context, lineups)
    alike = np.repeat(scored.untouched[..., None], len(names), axis=-1)  # (B, K, N)
    return {
        "recognition": recognition(scored.by_player, scored.untouched, scored.lengths, run),
        "before": recognition(alike, scored.untouched, scored.lengths, run),
        "useful": {
            name: _useful(context, player, lineups, scored, about)
            for player, name in enumerate(names)
        },
    }


def _useful(
    context: RunContext,
    player: int,
    lineups: TextLineups,
    scored: Scored,
    about: Floats64,
) -> dict[str, Any]:
    own = [lineup[player] for lineup in lineups.texts]
    drift = scored.by_player[:, player, player] - scored.untouched[:, player]
    return usefulness(
        tokens=[tokens_of(context.voices.base, text) for text in own],
        finished=[text.finished for text in own],
        plain=about[:, player, 0],
        drift=drift,
        relevant=relevance(about[:, player], np.zeros(len(own), dtype=np.int64)),
    )


def _about_topics(context: RunContext, lineups: TextLineups) -> Floats64:
    """(B, N, M) nats of each text after M topics, its own first, under the untouched model at
    temperature 1."""
    base = context.voices.base
    topics = [*context.topics.train, *context.topics.tuning, *context.topics.held_out]
    prompts = [prompt_of(base, topic, context.settings) for topic in topics]
    count = min(context.settings.measure.relevance_topics, len(topics))  # M
    asked: list[tuple[Tokens, Tokens]] = []  # in the order of (B, N, M)
    for topic, lineup in zip(lineups.topics, lineups.texts, strict=True):
        place = topics.index(topic)
        for text in lineup:
            for step in range(count):
                prompt = prompts[(place + step) % len(prompts)]
                asked.append((prompt, tokens_of(base, text)))
    nats = untouched_log_probabilities(context.voices, group_by_prompt(asked), 1.0)
    return np.array([nats[pair] for pair in asked]).reshape(len(lineups), -1, count)


def instructions(context: RunContext) -> dict[str, float]:
    """Share of the checkable instructions that each player and the untouched model follow."""
    found: dict[str, float] = {}
    for player, name in [*enumerate(context.settings.names), (None, "untouched")]:
        with context.voices.speaking(player) as model:
            found[name] = follows(model, context.settings.data.neutral)
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
        reasons = [
            _above(
                "repetition",
                now["repetition"]["value"],
                first["repetition"]["value"] + bound.repetition,
            ),
            _above("perplexity", now["perplexity"], first["perplexity"] * bound.perplexity),
            _below(
                "relevance",
                now["relevance"]["value"],
                first["relevance"]["value"] * bound.relevance,
            ),
        ]
        broken = [reason for reason in reasons if reason]
        if broken:
            found[name] = broken
    return found


def _above(figure: str, value: float, bound: float) -> str:
    return f"{figure} {value:.3g} is above {bound:.3g}" if value > bound else ""


def _below(figure: str, value: float, bound: float) -> str:
    # a bound of zero or less says nothing: the first texts were of no relevance either
    return f"{figure} {value:.3g} is below {bound:.3g}" if bound > 0 and value < bound else ""
