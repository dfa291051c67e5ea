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
from mirrorenv.preference.pairs import Text, kept_texts
from mirrorenv.preference.scoring import (
    Lineups,
    lineups_of,
    prompt_of,
    together,
    tokens_of,
    untouched_nats,
)
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.topics import SPLITS, TopicSplit
from mirrorenv.preference.voices import Voices

__all__ = ["data_card", "style_accuracy"]


def data_card(
    voices: Voices, texts: Sequence[Text], topics: TopicSplit, settings: PreferenceSettings
) -> dict[str, Any]:
    """What is known of a set of first texts before anybody is trained.

    Returns:
        players, a hash of all prompts, topics by split, what cleaning drops of the training texts,
        and by player:
        texts, lengths in tokens, and typicality: nats per token under the untouched model.
        ``style`` is the accuracy of a classifier of style that learned from all other topics, with
        chance beside it.
    """
    prompts = "\0".join([settings.data.neutral, *(settings.persona(n) for n in range(len(voices)))])
    lines = [*topics.train, *topics.tuning, *topics.held_out]
    _, dropped = kept_texts([one for one in texts if one.split == "train"], settings.data.truncated)
    try:
        style = style_accuracy(lineups_of(texts, settings.names), settings.names)
    except ValueError:
        style = None
    return {
        "players": list(settings.names),
        "prompts": hashlib.sha256("\0".join([prompts, *lines]).encode()).hexdigest(),
        "topics": {split: len(topics[split]) for split in SPLITS},
        "dropped": asdict(dropped),
        "texts": _by_player(voices, texts, settings),
        "style": style,
    }


def _by_player(
    voices: Voices, texts: Sequence[Text], settings: PreferenceSettings
) -> dict[str, Any]:
    asked = [
        (prompt_of(voices.base, one.topic, settings), tokens_of(voices.base, one)) for one in texts
    ]
    nats = untouched_nats(voices, together(asked), 1.0)
    found = {}
    for name in settings.names:
        own = [(one, pair) for one, pair in zip(texts, asked, strict=True) if one.player == name]
        lengths = [max(1, len(text)) for _, (_, text) in own]
        found[name] = {
            "texts": len(own),
            "unfinished": sum(not one.finished for one, _ in own),
            "length": {
                "mean": float(np.mean(lengths)),
                "least": min(lengths),
                "most": max(lengths),
            },
            "typicality": sum(nats[pair] for _, pair in own) / sum(lengths),
        }
    return found


def style_accuracy(lineups: Lineups, players: Sequence[str]) -> dict[str, Any]:
    """How well style alone tells the players apart: naive Bayes, each topic judged by all others.

    Args:
        lineups: B of them.
        players: N names.
    """
    rows = [tuple(one.text for one in some) for some in lineups.texts]
    names = tuple(range(len(players)))
    right = []
    for topic, row in zip(lineups.topics, rows, strict=True):
        record = tuple(
            PastRound(0, other, texts, names, own_text=None, own_hits=None, scores=None)
            for other, texts in zip(lineups.topics, rows, strict=True)
            if other != topic
        )
        evidence = style_evidence(row, record, len(players))
        right.append(float((evidence.argmax(axis=1) == np.arange(len(players))).mean()))
    return {"accuracy": rate_interval(right).to_dict(), "chance": 1 / len(players)}
