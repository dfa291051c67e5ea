"""The data card: what first texts a run begins with, and how far apart their authors already are.
Needs torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from mirrorenv.debate.players.stylometric import style_evidence
from mirrorenv.debate.views import PastRound
from mirrorenv.mirror.intervals import rate_interval
from mirrorenv.preference.context import RunContext
from mirrorenv.preference.pairs import Text, kept_texts
from mirrorenv.preference.scoring import (
    TextLineups,
    group_by_prompt,
    lineups_of,
    prompt_of,
    tokens_of,
    untouched_log_probabilities,
)
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.topics import SPLITS, TopicSplit

__all__ = ["data_card", "style_accuracy"]


def data_card(context: RunContext, texts: Sequence[Text]) -> dict[str, Any]:
    """What is known of a set of first texts before any voice is tuned.

    Args:
        context: of the run.
        texts: of all players on all topics.

    Returns:
        players, a hash of all prompts, topics by split, what cleaning drops of the training texts,
        and by player: texts, lengths in tokens, and typicality: nats per token under the untouched
        model. `style` is the accuracy of a classifier of style that learned from all other
        topics, with chance beside it; None without a lineup.
    """
    settings = context.settings
    topics = context.topics
    training = [text for text in texts if text.split == "train"]
    _, dropped = kept_texts(training, settings.data.truncated)
    try:
        style = style_accuracy(lineups_of(texts, settings.names), settings.names)
    except ValueError:
        style = None
    return {
        "players": list(settings.names),
        "prompts": _prompts_digest(settings, topics),
        "topics": {split: len(topics[split]) for split in SPLITS},
        "dropped": asdict(dropped),
        "texts": _by_player(context, texts),
        "style": style,
    }


def _prompts_digest(settings: PreferenceSettings, topics: TopicSplit) -> str:
    personas = [settings.persona(player) for player in range(len(settings.names))]
    prompts = "\0".join([settings.data.neutral, *personas])
    lines = [*topics.train, *topics.tuning, *topics.held_out]
    return hashlib.sha256("\0".join([prompts, *lines]).encode()).hexdigest()


def _by_player(context: RunContext, texts: Sequence[Text]) -> dict[str, Any]:
    base = context.voices.base
    asked = [
        (prompt_of(base, text.topic, context.settings), tokens_of(base, text)) for text in texts
    ]
    nats = untouched_log_probabilities(context.voices, group_by_prompt(asked), 1.0)
    found: dict[str, Any] = {}
    for name in context.settings.names:
        own = [pair for pair in zip(texts, asked, strict=True) if pair[0].player == name]
        lengths = [max(1, len(tokens)) for _, (_, tokens) in own]
        found[name] = {
            "texts": len(own),
            "unfinished": sum(not text.finished for text, _ in own),
            "length": {
                "mean": float(np.mean(lengths)),
                "least": min(lengths),
                "most": max(lengths),
            },
            "typicality": sum(nats[pair] for _, pair in own) / sum(lengths),
        }
    return found


def style_accuracy(lineups: TextLineups, players: Sequence[str]) -> dict[str, Any]:
    """How well style alone tells the players apart: naive Bayes, each topic judged by all others.

    Args:
        lineups: B of them.
        players: N names.
    """
    authors = tuple(range(len(players)))
    by_topic = zip(lineups.topics, lineups.texts, strict=True)
    rows = [_as_round(topic, lineup) for topic, lineup in by_topic]
    right: list[float] = []
    for row in rows:
        record = tuple(other for other in rows if other.topic != row.topic)
        evidence = style_evidence(row.texts, record, len(players))  # (K, N)
        right.append(float((evidence.argmax(axis=1) == np.array(authors)).mean()))
    return {"accuracy": rate_interval(right).to_dict(), "chance": 1 / len(players)}


def _as_round(topic: str, lineup: Sequence[Text]) -> PastRound:
    """A lineup in author order as a revealed round of the debate, from which style is learned."""
    return PastRound(
        number=0,
        topic=topic,
        texts=tuple(text.text for text in lineup),
        authors=tuple(range(len(lineup))),
        own_text=None,
        own_hits=None,
        scores=None,
    )
