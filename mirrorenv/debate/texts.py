"""What is shown of what was written: cleaning, the arms that take style away, and texts too alike
to tell apart.

====================  ==============================================================================
show                  what the readers see
====================  ==============================================================================
`as_written`          the cleaned text
`equal_length`        every text cut to the length of the shortest of its round: length alone told
                      60 % of authors in one published lineup of five, and 22 % after such a cut
`plain`               lower case, one paragraph, no markdown, emoji or decoration, and cut to equal
                      length
`paraphrased`         what a neutral writer made of it (a call of its own); where there is none,
                      `plain`
====================  ==============================================================================
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

__all__ = [
    "EDITION",
    "NO_ANSWER",
    "alike",
    "clean",
    "exchangeable",
    "plain",
    "shown_texts",
    "words",
]

EDITION = 3
"""Of the rules of cleaning and of reading verdicts; a log is read by those it was written under.
The second keeps words as they are and has a grammar of verdicts; the third asks again where words
correct an object."""
NO_ANSWER = "(no answer)"
# ANSI: CSI, OSC, others
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# C0 and C1 but for tab and line feed, and the noncharacters: fixed for all time by Unicode
_LAST_TWO = "".join(chr(one + 0xFFFE) + chr(one + 0xFFFF) for one in range(0, 0x110000, 0x10000))
_NO_WRITING = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufdd0-\ufdef{_LAST_TWO}]")
_HALVES = re.compile("[\ud800-\udfff]")
_JOINER_AT_END = re.compile("\u200d+$")  # a cut may leave a joiner with nothing behind it
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_ALIKE = 0.85  # share of common five-letter pieces above which two texts count as one


def clean(text: str, longest: int, edition: int = EDITION) -> str:
    """The text as it was written, without what no writing has and what acts on a terminal.

    Escape sequences, control characters and noncharacters go; half of a surrogate pair becomes the
    replacement character, because no file can hold it. Joiners, direction marks, variation and tag
    characters belong to words and emoji and stay: pages and terminals show by their number what
    could act there. None of this asks the running Python's table of characters, so that a log gives
    the same figures everywhere.

    Args:
        text: as a player wrote it.
        longest: characters; what is longer is cut.
        edition: of these rules. The first deleted format characters and whatever the running
            Python's table did not know.
    """
    if edition < 2:
        return _first_edition(text, longest)
    text = _ESCAPES.sub("", text[: 4 * longest + 4096].replace("\r\n", "\n").replace("\r", "\n"))
    text = _HALVES.sub("\ufffd", _NO_WRITING.sub("", text))
    kept = text.replace("\u2028", "\n").replace("\u2029", "\n").strip()
    return kept if len(kept) <= longest else _JOINER_AT_END.sub("", kept[:longest]).rstrip()


def _first_edition(text: str, longest: int) -> str:
    text = _ESCAPES.sub("", text[: 4 * longest + 4096].replace("\r\n", "\n").replace("\r", "\n"))
    kept = "".join(mark for mark in text if mark in "\n\t" or unicodedata.category(mark)[0] != "C")
    return kept.replace("\u2028", "\n").replace("\u2029", "\n").strip()[:longest].rstrip()


def plain(text: str) -> str:
    """Lower case, one paragraph, only letters, digits and simple punctuation."""
    text = re.sub(r"[*_`#>~|]+", " ", unicodedata.normalize("NFKC", text)).casefold()
    text = (
        text.replace("\u2019", "'")
        .replace("\u2018", "'")
        .replace("\u201c", '"')
        .replace("\u201d", '"')
    )
    kept = (mark if mark.isalnum() or mark in " .,;:!?'\"()-" else " " for mark in text)
    return " ".join("".join(kept).split())


def _equal_length(texts: Sequence[str]) -> list[str]:
    """Every text cut to the length of the shortest, at the end of a word where there is one."""
    limit = min((len(text) for text in texts if text), default=0)
    return [
        text
        if len(text) <= limit
        else (text[: limit + 1].rsplit(None, 1)[0][:limit] or text[:limit])
        for text in texts
    ]


def shown_texts(
    texts: Sequence[str], show: str, paraphrases: Sequence[str] | None = None
) -> list[str]:
    """What readers see of the texts of one round, in the same order; an empty text is shown as "(no
    answer)".

    Args:
        texts: cleaned texts.
        show: see the module.
        paraphrases: for `paraphrased`, one for each text.
    """
    shown = list(texts)
    if show == "paraphrased" and paraphrases is not None:
        shown = list(paraphrases)
    elif show in ("plain", "paraphrased"):
        shown = _equal_length([plain(text) for text in texts])
    elif show == "equal_length":
        shown = _equal_length(texts)
    return [text or NO_ANSWER for text in shown]


def words(text: str) -> list[str]:
    """The words in lower case."""
    return _WORD.findall(text.casefold())


@lru_cache(maxsize=4096)
def _pieces(text: str) -> frozenset[str]:
    letters = " ".join(words(text))[:20_000]
    return frozenset(letters[i : i + 5] for i in range(max(1, len(letters) - 4)))


def alike(one: str, other: str) -> bool:
    """Whether two texts are too alike to tell apart: their sets of five-letter pieces agree to 85 %
    (Jaccard)."""
    pieces = _pieces(one)
    others = _pieces(other)
    return one == other or len(pieces & others) >= _ALIKE * len(pieces | others)


def exchangeable(texts: Sequence[str]) -> list[list[int]]:
    """Groups of positions whose texts cannot be told apart; most groups hold one position.

    A credit for any text of a group is worth the mean over it, so that copying a neighbour earns
    what guessing does.
    """
    groups: list[list[int]] = []
    for position, text in enumerate(texts):
        home = next((group for group in groups if _belongs(text, group, texts)), None)
        if home is None:
            groups.append([position])
        else:
            home.append(position)
    return groups


def _belongs(text: str, group: Sequence[int], texts: Sequence[str]) -> bool:
    return any(alike(texts[position], text) for position in group)
