"""Small settings and first texts for the tests of this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mirrorenv.preference.pairs import Dropped, PairFile, Text
from mirrorenv.preference.settings import PreferenceSettings, load_settings
from mirrorenv.preference.topics import SPLITS, split_topics

LETTERS = {"ann": "aeiouy", "bob": "bcdfgh", "eve": "qrstvw"}


def small_settings(model: Path, *changes: str, **given: Any) -> PreferenceSettings:
    """A run of seconds: bounds are wide, since random weights write nothing useful to begin
    with."""
    return load_settings(
        overrides=[
            f"model={model}",
            "data.players=[{name: ann}, {name: bob}]",
            "data.neutral=n",
            "data.tokens=8",
            "data.temperature=1.0",
            "data.samples=1",
            "data.truncated=keep",
            "data.most_topics=10",
            "learning.rounds=2",
            "learning.steps=3",
            "learning.stop_at=2",
            "learning.rank=2",
            "learning.learning_rate=0.02",
            "measure.instructions=false",
            "measure.relevance_topics=2",
            "bound.perplexity=1e9",
            "bound.repetition=1.0",
            "bound.relevance=0.0",
            *changes,
        ],
        given=given,
    )


def first_texts(players: tuple[str, ...] = ("ann", "bob"), topics: int = 10) -> PairFile:
    """Players that use different letters: what they wrote gives them away to anybody who knows
    them."""
    split = split_topics([f"t{number}?" for number in range(topics)], 0.3, 0.3, 0)
    draws = np.random.default_rng(0)
    texts = [
        Text(name, topic, part, "".join(draws.choice(list(LETTERS[name]), size=6)))
        for part in SPLITS
        for topic in split[part]
        for name in players
    ]
    return PairFile(players, tuple(texts), split, Dropped())


class Killed(BaseException):
    """What a kill looks like from inside: nothing may catch it."""


def content(path: Path) -> dict[str, bytes]:
    """All that a run leaves that must not depend on how often it was killed."""
    files = [
        path / "evaluations.jsonl",
        path / "metrics.jsonl",
        path / "texts.jsonl",
        path / "data_card.json",
    ]
    files += [*path.glob("checkpoints/*/*"), *path.glob("voices/*/*.safetensors")]
    return {str(one.relative_to(path)): one.read_bytes() for one in files if one.is_file()}


def differing(one: Path, other: Path) -> list[str]:
    """Names of files that are not the same in both runs."""
    first, second = content(one), content(other)
    return [name for name in {**first, **second} if first.get(name) != second.get(name)]


def turn_of(settings: PreferenceSettings, voices: Any, player: int = 0, round: int = 1) -> Any:
    """A player's first steps, outside of a run."""
    from mirrorenv.preference.context import RunContext
    from mirrorenv.preference.trl_steps import PlayerTurn

    return PlayerTurn(RunContext.start(settings, voices, first_texts().topics), player, round)
