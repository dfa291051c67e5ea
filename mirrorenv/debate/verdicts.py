"""From a reader's words to evidence: a tolerant parser that reads only the reply, never a shown
text.

Texts are labelled A, B, C, ... in the order a reader sees them; players are P1, P2, .... Three
forms are asked for:

====================  ==============================================================================
answer format         the reply
====================  ==============================================================================
``matrix``            ``{"A": {"P1": 0.7, "P2": 0.2, "P3": 0.1}, "B": ...}``; rows need not sum to 1
``labels``            ``{"A": "P2", "B": "P1", ...}``; a player may be named twice
``order``             ``2, 1, 3``: the player of each text in turn, numbers or names
====================  ==============================================================================

A named player without a probability counts as one held with probability 0.9: what that costs when
it is wrong is bounded, and the same for everyone. JSON may stand anywhere in the reply, in a code
fence or among words.

Shape legend: K lineup slots, N players.
"""

from __future__ import annotations

import json
import math
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mirrorenv.mirror.recognition import EVIDENCE_BOUND

__all__ = ["Verdict", "labels", "names", "read_verdict", "verdict_from_evidence", "verdict_schema"]

_HARD = 0.9  # probability given to a player that was named without one
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

    def array(self, num_players: int) -> npt.NDArray[np.float64]:
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


def _from_probabilities(rows: npt.ArrayLike) -> Verdict:
    shares = np.asarray(rows, np.float64)
    with np.errstate(divide="ignore"):
        return verdict_from_evidence(
            np.log(np.maximum(shares / shares.sum(axis=1, keepdims=True), _LEAST))
        )


def _hard(players: Sequence[int]) -> Verdict:
    count = len(players)
    rest = (1.0 - _HARD) / max(1, count - 1)
    shares = np.full((count, count), rest)
    shares[np.arange(count), players] = _HARD
    return _from_probabilities(shares)


def read_verdict(reply: str, num_players: int, answer_format: str) -> Verdict:
    """What a reply says.

    Args:
        reply: the reader's words.
        num_players: N, also the number of texts.
        answer_format: ``matrix``, ``labels`` or ``order``. A matrix is understood where labels were
            asked for and labels where a matrix was: the form is not what is tested.

    Returns:
        the verdict; of an unreadable reply one without evidence that says why.
    """
    reply = reply[:_LONGEST]
    if answer_format == "order":
        return _read_order(reply, num_players)
    table = _last_object(reply)
    if table is None:
        return Verdict(None, "there was no JSON object in the reply")
    rows: list[list[float]] = []
    by_label = {_label(key): value for key, value in table.items()}
    for label in labels(num_players):
        if label not in by_label:
            return Verdict(None, f"the JSON object has no entry for text {label}")
        row = _row(by_label[label], num_players)
        if isinstance(row, str):
            return Verdict(None, f"text {label}: {row}")
        rows.append(row)
    return _from_probabilities(rows)


def _read_order(reply: str, count: int) -> Verdict:
    found = [
        int(number)
        for number in re.findall(
            r"(?<![\w.])[Pp]?(\d{1,2})(?!\w|\.\d)", reply.replace("Player ", "P")
        )
    ]
    found = found[-count:]  # the answer stands at the end of what was thought aloud
    if len(found) < count:
        return Verdict(None, f"there were {len(found)} numbers in the reply where {count} belong")
    if any(not 1 <= number <= count for number in found):
        return Verdict(None, f"the numbers must lie between 1 and {count}")
    return _hard([number - 1 for number in found])


def _label(key: str) -> str:
    return key.strip().upper().removeprefix("TEXT").strip(" _-:.\"'")


def _player(value: str, count: int) -> int | None:
    match = re.fullmatch(r"\W*(?:P|PLAYER)?[\s_#-]*(\d{1,2})\W*", value.strip().upper())
    return int(match[1]) - 1 if match and 1 <= int(match[1]) <= count else None


def _row(value: Any, count: int) -> list[float] | str:
    """N weights, or what is wrong."""
    if isinstance(value, str):
        player = _player(value, count)
        if player is None:
            return f"no player is called {value[:20]!r}"
        return [_HARD if n == player else (1.0 - _HARD) / max(1, count - 1) for n in range(count)]
    if isinstance(value, list) and len(value) == count:
        value = dict(zip(names(count), value, strict=True))
    if not isinstance(value, dict):
        return "give each player a probability"
    weights = [0.0] * count
    for key, weight in value.items():
        player = _player(str(key), count)
        if player is None:
            return f"no player is called {str(key)[:20]!r}"
        if isinstance(weight, str):
            weight = _number(weight)
        if (
            isinstance(weight, bool)
            or not isinstance(weight, int | float)
            or not 0.0 <= weight <= 1e6
        ):
            return f"the probability of P{player + 1} must be a number from 0 to 1"
        weights[player] = float(weight)
    return weights if sum(weights) > 0.0 else "the probabilities are all zero"


def _number(text: str) -> float | None:
    try:
        value = float(text.strip().rstrip("%"))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _last_object(reply: str) -> dict[str, Any] | None:
    """The last JSON object in the reply that is not part of another; None if there is none."""
    decoder = json.JSONDecoder()
    found: dict[str, Any] | None = None
    start = reply.find("{")
    tries = 0
    while start >= 0 and tries < 200:
        tries += 1
        try:
            value, end = decoder.raw_decode(reply, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            if isinstance(value, dict) and value:
                found = value
        start = reply.find("{", end)
    return found


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
