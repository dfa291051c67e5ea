"""Texts and their owners, and pair files in the conversational form that TRL loads.

A row of a pair file is `{"prompt": [{"role", "content"}, ...], "chosen": [...], "rejected":
[...]}`; ours also say `author`, `peer` and `split`. What is kept of a file is who wrote what
on which topic: pairs are made from that.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mirrorenv.errors import ConfigError, MirrorError
from mirrorenv.preference.topics import (
    SPLITS,
    Split,
    TopicSplit,
    normalised,
    refuse_leaks,
    split_topics,
    topic_order,
)
from mirrorenv.results.runs.files import atomic_write_text
from mirrorenv.results.runs.json_lines import json_lines, read_jsonl

__all__ = ["Dropped", "PairFile", "Text", "kept_texts", "pair_rows", "read_pairs", "write_pairs"]

_SPLIT_NAMES: dict[str, Split] = {
    **{split: split for split in SPLITS},
    "test": "held_out",
    "heldout": "held_out",
}
# not the number of a list, "2."
_SENTENCE = re.compile(r"(?<![\s\d])[.!?\u2026][\"'\u2019\u201d)\]*]*(?=\s|$)")
_EXPORT = "'mirrorenv debate export' and 'mirrorenv prefer generate' write such files"


@dataclass(frozen=True)
class Text:
    """What one player wrote.

    Attributes:
        player: its author's name.
        topic: what about.
        split: of the topic.
        text: in words.
        tokens: ids as the model drew them; empty for texts from elsewhere.
        finished: whether the author ended it; False if a limit did.
        sample: which of its author's texts on this topic.
        round: version of the adapters that wrote it: rounds of training behind them; -1 for first
            texts, which are written before there are any.
    """

    player: str
    topic: str
    split: Split
    text: str
    tokens: tuple[int, ...] = ()
    finished: bool = True
    sample: int = 0
    round: int = -1

    def to_row(self) -> dict[str, Any]:
        """As a row of JSON."""
        return asdict(self)

    @classmethod
    def of_row(cls, row: dict[str, Any]) -> Text:
        """From a row of JSON."""
        return cls(**{**row, "tokens": tuple(row["tokens"])})


@dataclass(frozen=True)
class Dropped:
    """What cleaning did, counted: texts that were left out, by reason, and those that were only
    cut.

    Attributes:
        empty: nothing was said.
        truncated: a limit ended them.
        duplicates: said twice.
        trimmed: kept, up to their last whole sentence.
    """

    empty: int = 0
    truncated: int = 0
    duplicates: int = 0
    trimmed: int = 0


@dataclass(frozen=True)
class PairFile:
    """What a pair file held.

    Attributes:
        players: names in order of appearance.
        texts: who wrote what.
        topics: by split.
        dropped: what was left out.
        system: the system message of all prompts; None if they have none.
    """

    players: tuple[str, ...]
    texts: tuple[Text, ...]
    topics: TopicSplit
    dropped: Dropped
    system: str | None = None


def kept_texts(texts: Iterable[Text], truncated: str = "drop") -> tuple[list[Text], Dropped]:
    """Without what is empty, cut short or said twice.

    A duplicate is a text with the same words on the same topic, whoever wrote it: it has no owner.

    Args:
        texts: in any order.
        truncated: what did not end by itself: `drop` it, `keep` it as it is, or `trim` it to
            its last whole sentence, and drop it if there is none.

    Returns:
        the rest in the same order, and the counts.
    """
    everything = list(texts)
    written = [one for one in everything if one.text.strip()]
    ended = [_cut(one) if truncated == "trim" else one for one in written]
    trimmed = sum(one is not whole for one, whole in zip(ended, written, strict=True))
    ended = [one for one in ended if one.text and (one.finished or truncated != "drop")]
    owners: dict[tuple[str, str], set[str]] = {}
    for one in ended:
        owners.setdefault(_words(one), set()).add(one.player)
    kept: list[Text] = []
    seen: set[tuple[str, str]] = set()
    for one in ended:
        if _words(one) not in seen and len(owners[_words(one)]) == 1:
            kept.append(one)
        seen.add(_words(one))
    lost = len(written) - len(ended)
    trimmed -= lost if truncated == "trim" else 0
    return kept, Dropped(len(everything) - len(written), lost, len(ended) - len(kept), trimmed)


def _cut(one: Text) -> Text:
    """A text that a limit ended, up to its last whole sentence; empty if there is none.

    It is still one that did not end: no end mark is put where its author set none, so that no one
    learns to stop there.
    """
    if one.finished:
        return one
    ends = list(_SENTENCE.finditer(one.text))
    cut = one.text[: ends[-1].end()] if ends else ""
    return one if cut == one.text else replace(one, text=cut, tokens=())


def _words(one: Text) -> tuple[str, str]:
    return normalised(one.topic), " ".join(one.text.casefold().split())


def pair_rows(texts: Sequence[Text], neutral: str = "") -> list[dict[str, Any]]:
    """Rows in the conversational form: every text against every text of another player on the same
    topic.

    Args:
        texts: of all players.
        neutral: system message of the prompt, if any.
    """
    by_topic: dict[str, list[Text]] = {}
    for one in texts:
        by_topic.setdefault(one.topic, []).append(one)
    system = [{"role": "system", "content": neutral}] if neutral else []
    return [
        {
            "prompt": [*system, {"role": "user", "content": topic}],
            "chosen": [{"role": "assistant", "content": own.text}],
            "rejected": [{"role": "assistant", "content": other.text}],
            "split": own.split,
            "author": own.player,
            "peer": other.player,
        }
        for topic, some in by_topic.items()
        for own in some
        for other in some
        if other.player != own.player
    ]


def write_pairs(path: Path, texts: Sequence[Text], neutral: str = "") -> dict[str, int]:
    """Write a pair file.

    Args:
        path: file to write, JSON lines; it appears whole or not at all.
        texts: of all players.
        neutral: system message of the prompt, if any.

    Returns:
        rows by split.
    """
    rows = pair_rows(texts, neutral)
    atomic_write_text(path, json_lines(rows))
    counts = Counter(row["split"] for row in rows)
    return {split: counts[split] for split in SPLITS}


def read_pairs(
    path: str | Path,
    *,
    tuning: float = 0.2,
    held_out: float = 0.2,
    seed: int = 0,
    both_ways: bool = False,
) -> PairFile:
    """Read a pair file.

    Args:
        path: JSON lines; see the module.
        tuning: share of the training topics that becomes the tuning split where the file has none.
        held_out: share of held-out topics where the file names no splits at all.
        seed: of that split.
        both_ways: take rejected texts as their author's own, too. Without it, who is only ever
            rejected is an error.

    Raises:
        ConfigError: if the file is missing, not such a file, empty or one-sided, or a topic leaks
            between splits.
    """
    path = Path(path)
    rows = _rows(path)
    said = [
        _row_texts(row, f"{path}, line {number}", both_ways)
        for number, row in enumerate(rows, start=1)
    ]
    system = _refuse_instructions(path, rows)
    _refuse_one_sided(path, said, both_ways)
    splits = _splits(
        path, [(one.topic, row.get("split")) for (one, _), row in zip(said, rows, strict=True)]
    )
    topics = _complete(path, splits, tuning, held_out, seed)
    found: dict[tuple[str, str, str], Text] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for pair in said:
        for one in pair:
            split = topics.of(one.topic)
            if split is not None and (one.player, one.topic, one.text) not in found:
                sample = counts[one.player, one.topic]
                counts[one.player, one.topic] += 1
                found[one.player, one.topic, one.text] = Text(
                    one.player, one.topic, split, one.text, sample=sample, finished=one.finished
                )
    texts, dropped = kept_texts(found.values())
    players = tuple(dict.fromkeys(one.player for pair in said for one in pair))
    for player in players:
        for split in SPLITS:
            if not any(one.player == player and one.split == split for one in texts):
                raise ConfigError(
                    f"{path} is one-sided: '{player}' has no text left in the split '{split}' "
                    f"({dropped.duplicates} duplicates and {dropped.empty} empty texts were "
                    "dropped)"
                )
    return PairFile(players, tuple(texts), topics, dropped, system)


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise ConfigError(f"pair file {path}: there is no such file; {_EXPORT}")
    try:
        lines = read_jsonl(path)
    except MirrorError as error:
        raise ConfigError(f"pair file {path}: not JSON lines ({error}); {_EXPORT}") from error
    if not lines.rows:
        raise ConfigError(f"pair file {path} is empty; {_EXPORT}")
    return lines.rows


def _row_texts(row: dict[str, Any], place: str, both_ways: bool) -> tuple[Text, Text]:
    topic = _said(row, "prompt", "user", place)
    own, other = (_said(row, side, "assistant", place) for side in ("chosen", "rejected"))
    author = row.get("author", "self")
    peer = row.get("peer", "other")
    if not isinstance(author, str) or not isinstance(peer, str):
        raise ConfigError(f"{place}: 'author' and 'peer' must be names")
    if author == peer:
        raise ConfigError(
            f"{place}: one-sided, '{author}' wrote both the chosen and the rejected text"
        )
    return Text(author, topic, "train", own), Text(peer, topic, "train", other)


def _said(row: dict[str, Any], field: str, role: str, place: str) -> str:
    """What is said in a field: one message of the role, behind instructions at most.

    Raises:
        ConfigError: for anything else. Earlier turns are part of what was asked, and a topic is one
            question.
    """
    messages = row.get(field)
    if not isinstance(messages, list) or not messages:
        raise ConfigError(
            f"{place}: '{field}' must be a list of messages (TRL's conversational form); {_EXPORT}"
        )
    last = messages[-1]
    content = last.get("content") if isinstance(last, dict) and last.get("role") == role else None
    if not isinstance(content, str) or (role == "user" and not content.strip()):
        raise ConfigError(
            f"{place}: the last message of '{field}' must be of the role '{role}' and hold a text"
        )
    before = [one.get("role") if isinstance(one, dict) else None for one in messages[:-1]]
    if before and (field != "prompt" or before != ["system"]):
        raise ConfigError(
            f"{place}: '{field}' holds {len(messages)} messages; a conversation of several turns "
            "cannot be used: give one question (with a system message before it, if any) and one "
            "answer"
        )
    return content


def _refuse_instructions(path: Path, rows: Sequence[dict[str, Any]]) -> str | None:
    """The one system message of all rows, None if there is none.

    Raises:
        ConfigError: if rows have different ones; the message names the line.
    """
    told = [
        row["prompt"][0].get("content") if row["prompt"][0].get("role") == "system" else None
        for row in rows
    ]
    for number, one in enumerate(told, start=1):
        if one != told[0] or (one is not None and not isinstance(one, str)):
            raise ConfigError(
                f"{path}, line {number}: another system message than in line 1; who writes what "
                "would depend on it: give all rows the same one, or none"
            )
    return told[0]


def _refuse_one_sided(path: Path, said: list[tuple[Text, Text]], both_ways: bool) -> None:
    chosen = {own.player for own, _ in said}
    silent = sorted({other.player for _, other in said} - chosen)
    if silent and not both_ways:
        raise ConfigError(
            f"{path} is one-sided: '{silent[0]}' is only ever rejected, so no voice would learn to "
            f"be '{silent[0]}'. "
            "Give rows in both directions, or --both-ways to take rejected texts as their author's "
            "own"
        )
    if len(chosen | set(silent)) < 2:
        raise ConfigError(
            f"{path} is one-sided: all texts are by '{next(iter(chosen))}'; two players are needed"
        )


def _splits(path: Path, said: list[tuple[str, Any]]) -> dict[Split | None, list[str]]:
    splits: dict[Split | None, list[str]] = {}
    for number, (topic, name) in enumerate(said, start=1):
        if name is not None and (not isinstance(name, str) or name not in _SPLIT_NAMES):
            raise ConfigError(
                f"{path}, line {number}: unknown split {name!r}; known are "
                f"{', '.join(_SPLIT_NAMES)}"
            )
        split = None if name is None else _SPLIT_NAMES[name]
        if topic not in splits.setdefault(split, []):
            splits[split].append(topic)
    refuse_leaks({split: some for split, some in splits.items() if split is not None}, str(path))
    return splits


def _complete(
    path: Path, splits: dict[Split | None, list[str]], tuning: float, held_out: float, seed: int
) -> TopicSplit:
    """The split of a file, whichever part of it the file names."""
    if None in splits:
        if len(splits) > 1:
            raise ConfigError(
                f"{path}: some rows name a split and some do not; name it in all or in none"
            )
        return split_topics(splits[None], tuning, held_out, seed)
    train, tuned, kept = (splits.get(split, []) for split in SPLITS)
    if train and kept and not tuned:  # a debate's export knows train and test only
        if len(train) < 2:
            raise ConfigError(
                f"{path}: one training topic, and one is needed for tuning; give more topics"
            )
        some = max(1, round(tuning * len(train)))
        order = topic_order(train, seed)
        train = order[some:]
        tuned = order[:some]
    return TopicSplit(tuple(train), tuple(tuned), tuple(kept))
