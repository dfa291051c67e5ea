"""Topic packs: what a game is about. One TOML file each; a pack of one's own is given by its
path."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path

from mirrorenv.errors import ConfigError, unknown_name
from mirrorenv.strict import parse_toml, read_settings_text

__all__ = ["TopicPack", "load_topics", "topic_packs"]

LONGEST_TOPIC = 400  # characters


@dataclass(frozen=True)
class TopicPack:
    """A list of topics.

    Attributes:
        name: the file's name without its ending.
        title: for headings.
        about: what the pack is for.
        topics: at least one, each of 1 to 400 characters, the pack's `request` at its end if
            there is one.
    """

    name: str
    title: str
    about: str
    topics: tuple[str, ...]

    def __getitem__(self, round_number: int) -> str:
        """The topic of a round, counted from 0; the pack starts over when it is through."""
        return self.topics[round_number % len(self.topics)]

    @property
    def digest(self) -> str:
        """SHA-256 of the topics, in hex: two packs with one digest ask the same questions."""
        return hashlib.sha256("\0".join(self.topics).encode()).hexdigest()


def topic_packs() -> list[str]:
    """Names of the packs that come with the package."""
    folder = package_files("mirrorenv.debate").joinpath("topics")
    return sorted(
        item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")
    )


def load_topics(name: str) -> TopicPack:
    """A pack of the package by name, or any TOML file by path.

    Raises:
        UnknownNameError: if no pack has this name.
        ConfigError: if the file is missing, no TOML, or holds no topics.
    """
    if name.endswith(".toml"):
        path = Path(name)
        short = path.stem
        try:
            text = read_settings_text(path)
        except ConfigError as error:
            raise ConfigError(
                f"topic pack {path}: cannot read it ({error}); give the path of a TOML file"
            ) from error
    elif name in topic_packs():
        short = name
        folder = package_files("mirrorenv.debate").joinpath("topics")
        text = folder.joinpath(f"{name}.toml").read_text("utf-8")
    else:
        raise unknown_name("topic pack", name, topic_packs())
    return _pack(short, name, parse_toml(text, f"topic pack {name}"))


def _pack(short: str, name: str, data: dict[str, object]) -> TopicPack:
    unknown = data.keys() - {"title", "about", "request", "topics"}
    if unknown:
        raise ConfigError(
            f"topic pack {name}: unknown keys {sorted(unknown)}; it holds title, about, topics, "
            "and a request if any"
        )
    topics = data.get("topics")
    request = data.get("request", "")
    if not isinstance(topics, list) or not topics:
        raise ConfigError(f"topic pack {name}: 'topics' must be a list of at least one text")
    if not isinstance(request, str):
        raise ConfigError(
            f"topic pack {name}: 'request', which is added to every topic, must be a text"
        )
    for number, topic in enumerate(topics):
        if not isinstance(topic, str) or not 0 < len(f"{topic} {request}".strip()) <= LONGEST_TOPIC:
            raise ConfigError(
                f"topic pack {name}: topic {number} must be a text of 1 to {LONGEST_TOPIC} "
                "characters, request included"
            )
    return TopicPack(
        name=short,
        title=str(data.get("title", short)),
        about=str(data.get("about", "")),
        topics=tuple(f"{topic.strip()} {request}".strip() for topic in topics),
    )
