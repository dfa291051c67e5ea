"""Topics, split into train, tuning and held-out before anything is written about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import files as package_files
from typing import Literal, get_args

from mirrorenv.debate.topic_files import load_topics, topic_packs
from mirrorenv.errors import ConfigError, unknown_name

__all__ = [
    "OWN_PACK",
    "SPLITS",
    "Split",
    "TopicSplit",
    "normalised",
    "refuse_leaks",
    "split_topics",
    "topic_order",
    "topics_of",
]

Split = Literal["train", "tuning", "held_out"]
SPLITS: tuple[Split, ...] = get_args(Split)
OWN_PACK = "questions"


@dataclass(frozen=True)
class TopicSplit:
    """Topics by split; no topic is in two of them.

    Attributes:
        train: texts on these are learned from.
        tuning: the best round is chosen on these.
        held_out: measured at the end, and never before.
    """

    train: tuple[str, ...]
    tuning: tuple[str, ...]
    held_out: tuple[str, ...]

    def __post_init__(self) -> None:
        refuse_leaks({split: getattr(self, split) for split in SPLITS}, "topics")
        for split in SPLITS:
            if not getattr(self, split):
                raise ConfigError(
                    f"topics: none for '{split}'; give more topics, or larger shares for tuning "
                    "and held_out"
                )

    def __getitem__(self, split: Split) -> tuple[str, ...]:
        found: tuple[str, ...] = getattr(self, split)
        return found

    def of(self, topic: str) -> Split | None:
        """The split that a topic is in."""
        return next((split for split in SPLITS if topic in self[split]), None)


def normalised(topic: str) -> str:
    """A topic as it is compared: case, spacing and closing marks do not make it another one."""
    return " ".join(topic.casefold().split()).rstrip(" .?!:…")


def refuse_leaks(topics: Mapping[Split, Iterable[str]], place: str) -> None:
    """Check that no topic is in two splits.

    Raises:
        ConfigError: that names the topic and both splits.
    """
    seen: dict[str, Split] = {}
    for split, some in topics.items():
        for topic in some:
            other = seen.setdefault(normalised(topic), split)
            if other != split:
                raise ConfigError(
                    f"{place}: the topic '{topic[:80]}' leaks: it is in '{other}' and in "
                    f"'{split}'. What is measured "
                    "must not have been trained on; keep it in one of them"
                )


def topics_of(packs: Iterable[str]) -> list[str]:
    """The topics of several packs in order, each once.

    Raises:
        UnknownNameError: for an unknown pack.
        ConfigError: for a file that cannot be read.
    """
    found: dict[str, str] = {}
    for pack in packs:
        if pack == OWN_PACK:
            pack = str(package_files("mirrorenv.preference").joinpath(f"{OWN_PACK}.toml"))
        elif not pack.endswith(".toml") and pack not in topic_packs():
            raise unknown_name("topic pack", pack, [*topic_packs(), OWN_PACK])
        for topic in load_topics(pack).topics:
            found.setdefault(normalised(topic), topic)
    return list(found.values())


def split_topics(
    topics: Iterable[str], tuning: float, held_out: float, seed: int, most: int = 0
) -> TopicSplit:
    """Split topics by hash: the same topics and seed give the same split, whatever their order.

    Args:
        topics: at least three different ones.
        tuning: share.
        held_out: share.
        seed: of the order.
        most: use only this many (0: all).

    Raises:
        ConfigError: if a split would be empty.
    """
    order = topic_order(topics, seed)[: most or None]
    if len(order) < 3:
        raise ConfigError(
            f"topics: {len(order)} different ones, and three splits need at least one each; give "
            "more"
        )
    some = max(1, round(tuning * len(order)))
    kept = max(1, round(held_out * len(order)))
    return TopicSplit(
        tuple(order[some + kept :]), tuple(order[:some]), tuple(order[some : some + kept])
    )


def topic_order(topics: Iterable[str], seed: int) -> list[str]:
    """Different topics in the order in which splits take them: by hash."""
    unique = {normalised(topic): topic for topic in topics}
    order = sorted(
        unique, key=lambda topic: blake2b(f"{seed}|{topic}".encode(), digest_size=8).digest()
    )
    return [unique[topic] for topic in order]
