"""Texts with topics: what a guide learns from, and the words that a topic is known by."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mirrorenv.errors import ConfigError
from mirrorenv.results.runs.files import parse_json, read_bytes

__all__ = ["TopicWords", "read_topics", "topic_words", "words_of"]

_OWN = ("strings", "debugger", "compound", "formatstrings", "import", "numeric-types", "typesseq")
_WORD = re.compile(r"[a-z]{3,}")


class TopicWords(NamedTuple):
    """Words that are far more often in one topic than in the others."""

    shown: tuple[str, ...]
    """Those that a plain bias may know."""
    held_out: tuple[str, ...]
    """Those that are counted, and that no bias knows."""


def read_topics(source: str) -> dict[str, str]:
    """Texts by topic.

    Args:
        source: `pydoc`, the topics that Python brings along; or a JSON file of an object whose
            names are topics and whose values are texts.

    Raises:
        ConfigError: if the file holds something else, or fewer than two topics.
        RunFolderError: if it cannot be read.
    """
    if source == "pydoc":
        from pydoc_data.topics import topics

        return {name: topics[name] for name in _OWN if name in topics}
    found = parse_json(read_bytes(Path(source)).decode("utf-8", "replace"))
    if not isinstance(found, dict) or len(found) < 2:
        raise ConfigError(f"{source}: two topics at least, as a JSON object of texts by topic")
    if wrong := [name for name, text in found.items() if not isinstance(text, str)]:
        raise ConfigError(f"{source}: the topic {wrong[0]!r} holds no text")
    return {str(name): str(text) for name, text in found.items()}


def words_of(text: str) -> list[str]:
    """Words of three letters or more, in small letters."""
    return _WORD.findall(text.lower())


def topic_words(texts: Mapping[str, str], topic: str, count: int = 40) -> TopicWords:
    """The words a topic is known by: largest log ratio of rates, weighed by how often they come.

    Args:
        texts: by topic.
        topic: whose words.
        count: how many, half of them held out.

    Raises:
        ConfigError: if there is no such topic.
    """
    if topic not in texts:
        raise ConfigError(f"no topic {topic!r}; there are {', '.join(texts)}")
    own = Counter(words_of(texts[topic]))
    rest = Counter(word for name in texts if name != topic for word in words_of(texts[name]))
    total = sum(own.values())
    others = sum(rest.values())

    def score(word: str) -> float:
        ratio = math.log((own[word] / total) / ((rest[word] + 0.5) / others))
        return own[word] * ratio

    best = sorted(own, key=lambda word: (-score(word), word))[:count]
    return TopicWords(tuple(best[::2]), tuple(best[1::2]))
