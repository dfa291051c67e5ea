"""From a reader's words to evidence: a tolerant parser that reads only the reply, never a shown
text.

Texts are labelled A, B, C, ... in the order a reader sees them; players are P1, P2, .... Three
forms are asked for:

====================  ==============================================================================
answer format         the reply
====================  ==============================================================================
`matrix`              `{"A": {"P1": 0.7, "P2": 0.2, "P3": 0.1}, "B": ...}`; rows need not sum to 1
`labels`              `{"A": "P2", "B": "P1", ...}`; a player may be named twice
`order`               `2, 1, 3`: the player of each text in turn, numbers or names
====================  ==============================================================================

A named player without a probability counts as one held with probability 0.9: what that costs when
it is wrong is bounded, and the same for everyone. JSON may stand anywhere in the reply, in a code
fence or among words; where there is none, words are read. What can be read in two ways is not
guessed at: its author is asked again.

Shape legend: K lineup slots, N players.
"""

from __future__ import annotations

import re
import string
import unicodedata
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mirrorenv.debate.texts import EDITION
from mirrorenv.debate.verdict_objects import Rows, Unclear, object_readings
from mirrorenv.debate.verdict_words import word_readings
from mirrorenv.debate.verdicts_legacy import first_edition
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.mirror.recognition import EVIDENCE_BOUND

__all__ = [
    "Verdict",
    "labels",
    "names",
    "read_verdict",
    "verdict_from_evidence",
    "verdict_from_probabilities",
    "verdict_schema",
]

_LEAST = 1e-4  # probability below which a stated one counts as this
_LONGEST = 200_000  # characters of a reply that are read


@dataclass(frozen=True)
class Verdict:
    """Who a reader thinks wrote what.

    Attributes:
        evidence: (K, N) nats, slot by player, each row up to a constant; None if the reply could
            not be read.
        problem: why not, in words for a second try; None if it could.
        tries: how often the reader was asked.
    """

    evidence: tuple[tuple[float, ...], ...] | None
    problem: str | None = None
    tries: int = 1

    @property
    def valid(self) -> bool:
        """Whether the reply could be read."""
        return self.evidence is not None

    def array(self, num_players: int) -> Floats64:
        """(K, N) nats; zeros, which say nothing, for an unreadable reply."""
        if self.evidence is None:
            return np.zeros((num_players, num_players))
        return np.asarray(self.evidence, np.float64)


def labels(count: int) -> list[str]:
    """What texts are called: A, B, C, ...."""
    return list(string.ascii_uppercase[:count])


def names(count: int) -> list[str]:
    """What players are called: P1, P2, P3, ...."""
    return [f"P{number}" for number in range(1, count + 1)]


def verdict_from_evidence(evidence: npt.ArrayLike) -> Verdict:
    """A verdict of numbers: (K, N) nats, shifted to a largest entry of 0 in each row and cut at
    -10, rounded to 1e-6.

    Not a number, or of another shape than square, makes an unreadable verdict.
    """
    try:
        array = np.asarray(evidence, np.float64)
    except (TypeError, ValueError):
        return Verdict(None, "the evidence is not an array of numbers")
    if (
        array.ndim != 2
        or array.shape[0] != array.shape[1]
        or np.isnan(array).any()
        or np.isposinf(array).any()
    ):
        return Verdict(None, "the evidence must be a square table of numbers")
    top = array.max(axis=1, keepdims=True)
    if np.isneginf(top).any():
        return Verdict(None, "the evidence rules out every player for a text")
    shifted = np.maximum(array - top, -EVIDENCE_BOUND).round(6) + 0.0
    return Verdict(tuple(tuple(row) for row in shifted.tolist()))


def verdict_from_probabilities(rows: npt.ArrayLike) -> Verdict:
    """A verdict of (K, N) probabilities; rows need not sum to 1, but must not be all zero."""
    shares = np.asarray(rows, np.float64)
    with np.errstate(divide="ignore"):
        return verdict_from_evidence(
            np.log(np.maximum(shares / shares.sum(axis=1, keepdims=True), _LEAST))
        )


def read_verdict(
    reply: str, num_players: int, answer_format: str, edition: int = EDITION
) -> Verdict:
    """What a reply says.

    Args:
        reply: the reader's words.
        num_players: N, also the number of texts.
        answer_format: `matrix`, `labels` or `order`. Another form than the asked one is
            understood, too: the form is not what is tested.
        edition: of the grammar; logs are read by the one they were written under.

    Returns:
        the verdict; of a reply that cannot be read, or in more than one way, one without evidence
        that says why.
    """
    if edition < 2:
        read = first_edition(reply[:_LONGEST], num_players, answer_format)
        return Verdict(None, read) if isinstance(read, str) else verdict_from_probabilities(read)
    # the same letters and quotation marks however they are typed
    reply = unicodedata.normalize("NFKC", reply[:_LONGEST]).translate(_QUOTES)
    try:
        found = object_readings(reply, num_players)
        if found and edition > 2 and _CORRECTION.search(reply.rpartition("}")[2]):
            return Verdict(None, "words after the verdict correct it; give one verdict")
        if not found and not _BRACES.search(reply):
            found = word_readings(reply, num_players, answer_format == "order")
        elif answer_format == "order" and any(not _permutes(rows) for rows in found):
            return Verdict(None, "a player is named twice; give each text another player")
    except Unclear as problem:
        return Verdict(None, str(problem))
    if not found:
        return Verdict(None, _NOTHING[answer_format == "order"].format(count=num_players))
    if len(found) > 1:
        return Verdict(None, "there are two verdicts in the reply, and they differ; give one")
    return verdict_from_probabilities(found[0])


_QUOTES = str.maketrans("\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019", '"""""\'\'')
_CORRECTION = re.compile(
    r"\b(?:sorry|correction|actually|wait|on reflection|second thought|i meant|should (?:be|read)|"
    r"swap|instead|scratch that|oops|mistake)\b.*\b(?:p\d|player \d|text [a-j]|(?-i:[A-HJ]))\b",
    re.IGNORECASE | re.DOTALL,
)
_BRACES = re.compile(r"\{[^{}]*:")
_NOTHING = (
    "there was no JSON object in the reply",
    "there were no {count} numbers in the reply where {count} belong",
)


def _permutes(rows: Rows) -> bool:
    named = [int(np.argmax(row)) for row in rows]
    return len(set(named)) == len(named)


def verdict_schema(num_players: int, answer_format: str) -> dict[str, Any]:
    """A strict JSON schema of the reply, for servers that enforce one."""
    players = names(num_players)
    if answer_format == "labels":
        entry: dict[str, Any] = {"type": "string", "enum": players}
    else:
        entry = _closed({player: {"type": "number"} for player in players})
    return _closed(dict.fromkeys(labels(num_players), entry))


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
