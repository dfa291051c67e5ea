"""How verdicts were read before the grammar: logs that name no edition are read by these rules.

The last JSON object won, and of an order the last N numbers.
"""

from __future__ import annotations

import json
import math
import re
import string
from typing import Any

from mirrorenv.debate.verdict_objects import HARD, named_row

__all__ = ["first_edition"]

_HARD = HARD


def first_edition(reply: str, num_players: int, answer_format: str) -> list[list[float]] | str:
    """What a reply says.

    Args:
        reply: the reader's words.
        num_players: N.
        answer_format: `matrix`, `labels` or `order`.

    Returns:
        weights, K texts by N players; or what is wrong.
    """
    if answer_format == "order":
        return _read_order(reply, num_players)
    table = _last_object(reply)
    if table is None:
        return "there was no JSON object in the reply"
    rows: list[list[float]] = []
    by_label = {_label(key): value for key, value in table.items()}
    for label in string.ascii_uppercase[:num_players]:
        if label not in by_label:
            return f"the JSON object has no entry for text {label}"
        row = _row(by_label[label], num_players)
        if isinstance(row, str):
            return f"text {label}: {row}"
        rows.append(row)
    return rows


def _read_order(reply: str, count: int) -> list[list[float]] | str:
    found = [
        int(number)
        for number in re.findall(
            r"(?<![\w.])[Pp]?(\d{1,2})(?!\w|\.\d)", reply.replace("Player ", "P")
        )
    ]
    found = found[-count:]  # the answer stands at the end of what was thought aloud
    if len(found) < count:
        return f"there were {len(found)} numbers in the reply where {count} belong"
    if any(not 1 <= number <= count for number in found):
        return f"the numbers must lie between 1 and {count}"
    return [list(named_row(number - 1, count)) for number in found]


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
        value = dict(zip([f"P{number}" for number in range(1, count + 1)], value, strict=True))
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
