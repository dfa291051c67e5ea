"""Readers of texts: pieces of words, words, marks, and how long what is said is.

Shape legend: M trajectories.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from zlib import crc32

import numpy as np
from scipy.sparse import csr_array

from mirrorenv.instrument.readers.base import Counted
from mirrorenv.instrument.record import ChatRecord

__all__ = ["names_in_texts", "text_readers"]

CELLS = 1 << 13
"""Numbers that pieces of text are hashed into."""
_LONGEST = 20_000  # letters of a trajectory that are read
_WORD = re.compile(r"\w+", re.UNICODE)
_MARK = re.compile(r"[^\w\s]", re.UNICODE)


def _pieces(turns: tuple[str, ...]) -> Iterable[str]:
    whole = f" {' '.join(turns)[:_LONGEST]} "
    return (whole[at : at + 3] for at in range(len(whole) - 2))


def _words(turns: tuple[str, ...]) -> Iterable[str]:
    return _WORD.findall(" ".join(turns)[:_LONGEST].lower())


def _marks(turns: tuple[str, ...]) -> Iterable[str]:
    return _MARK.findall(" ".join(turns)[:_LONGEST])


def _lengths(turns: tuple[str, ...]) -> Iterable[str]:
    return (f"{round(2 * np.log2(1 + len(text)))}" for text in turns)


def _openings(turns: tuple[str, ...]) -> Iterable[str]:
    return (_WORD.findall(text[:200].lower())[0] for text in turns if _WORD.search(text[:200]))


_FEATURES: dict[str, tuple[str, Callable[[tuple[str, ...]], Iterable[str]]]] = {
    "pieces": ("pieces of three letters", _pieces),
    "words": ("words", _words),
    "marks": ("punctuation and other marks", _marks),
    "lengths": ("how long each turn is", _lengths),
    "openings": ("the first word of each turn", _openings),
}


def text_readers(record: ChatRecord) -> list[Counted]:
    """The readers of texts, each of one kind of feature."""
    return [_counted(record, name, *_FEATURES[name]) for name in _FEATURES]


def _counted(
    record: ChatRecord, name: str, part: str, features: Callable[[tuple[str, ...]], Iterable[str]]
) -> Counted:
    starts = [0]
    cells: list[int] = []
    times: list[int] = []
    for turns in record.turns:
        found = Counter(crc32(one.encode("utf-8", "replace")) % CELLS for one in features(turns))
        cells += found.keys()
        times += found.values()
        starts.append(len(cells))
    rows = len(record.turns)
    counts = csr_array((np.asarray(times, np.float64), cells, starts), (rows, CELLS))
    used = np.flatnonzero(counts.sum(0))  # cells that never occur tell nothing
    if not len(used):
        used = np.zeros(1, np.int64)
    return Counted(name, part, counts[:, used].tocsr(), np.zeros(len(used), np.int64))


def names_in_texts(record: ChatRecord) -> list[str]:
    """Speakers who say their own name in more than one in ten of their conversations, and others
    hardly ever say it: who they are is then in what they say."""
    found = []
    for index, name in enumerate(record.lineups.names):
        said = np.array([name.lower() in " ".join(turns).lower() for turns in record.turns])
        own = said[record.lineups.agent == index].mean()
        others = said[record.lineups.agent != index].mean()
        if len(name) > 1 and own > 0.1 and own > 2 * others:
            found.append(name)
    return found
