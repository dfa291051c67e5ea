"""Verdicts that are written as JSON, or as what people and models take for JSON."""

from __future__ import annotations

import json
import math
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["HARD", "Rows", "Unclear", "named_row", "object_readings", "player_of", "text_of"]

HARD = 0.9
"""Probability given to a player that was named without one."""

Rows = tuple[tuple[float, ...], ...]
"""Weights, K texts by N players."""

_WORDS = {
    word: number
    for number, word in enumerate(
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), start=1
    )
}
_TEXT_KEYS = ("text", "label", "item", "response", "slot", "id", "letter", "answer")
_PLAYER_KEYS = ("player", "author", "writer", "wrote", "by", "name", "guess", "assignment")
_MOST = 60  # objects looked at in one reply
_DEEPEST = 6


class Unclear(Exception):
    """A reply that can be read in more than one way, or not as a whole; in words for its author."""


def player_of(text: str, count: int) -> int | None:
    """The one player that a text names, from 0; None if it names none or several."""
    bare = re.sub(r"[\s\"'`*_]+", " ", text).strip().lower().rstrip(".,;!")
    bare = re.sub(r"\s*\((?:that is |i am |it's |its )?(?:me|myself|you|self|i)\)$", "", bare)
    match = re.fullmatch(r"(?:the )?(?:p|player|players|author)?[ #-]*(\d{1,2}|[a-z]+)", bare)
    if not match:
        return None
    number = _WORDS.get(match[1]) if not match[1].isdecimal() else int(match[1])
    return number - 1 if number is not None and 1 <= number <= count else None


def text_of(key: str, count: int, numbered: bool = True) -> int | None:
    """The text that a name means, from 0: `A`, `Text B`, `text_c`, `2`; None otherwise.

    Args:
        key: the name.
        count: N.
        numbered: whether a number alone is one.
    """
    bare = re.sub(r"[\s_:.\"'`*()#-]+", " ", key).strip().upper()
    bare = re.sub(r"^(TEXT|ANSWER|RESPONSE|ITEM|LABEL|SLOT)(?=[ A-J\d])\s*", "", bare)
    if len(bare) == 1 and bare in string.ascii_uppercase[:count]:
        return string.ascii_uppercase.index(bare)
    if numbered and bare.isdecimal() and 1 <= int(bare) <= count:
        return int(bare) - 1
    return None


def object_readings(reply: str, count: int) -> list[Rows]:
    """Every verdict that stands in the reply as an object or a list, without repetitions.

    Args:
        reply: the reader's words.
        count: N.

    Raises:
        Unclear: if an object is a verdict but for something that is wrong in it.
    """
    found: list[Rows] = []
    parts: dict[int, tuple[float, ...]] = {}
    problem: Unclear | None = None
    for value in _values(reply):
        try:
            rows = _table(value, count)
        except Unclear as error:
            problem = error
            continue
        if len(rows) == count:
            complete = tuple(rows[slot] for slot in range(count))
            found += [complete] if complete not in found else []
        elif rows and not parts.keys() & rows.keys():
            parts |= rows
        elif any(parts[slot] != row for slot, row in rows.items()):
            problem = Unclear("the verdict names a text twice, differently")
    if len(parts) == count and not found:
        found.append(tuple(parts[slot] for slot in range(count)))
    elif parts and not found and problem is None:
        missing = min(set(range(count)) - parts.keys())
        label = string.ascii_uppercase[missing]
        problem = Unclear(f"the JSON object has no entry for text {label}")
    if problem is not None:
        raise problem
    return found


def _values(reply: str) -> Iterator[Any]:
    """Whatever parses among what stands in braces or brackets, outermost first."""
    place = 0
    for _ in range(_MOST):
        start = min(
            (at for at in (reply.find("{", place), reply.find("[", place)) if at >= 0), default=-1
        )
        if start < 0:
            return
        end = _closing(reply, start)
        value = None if end < 0 else _parsed(reply[start:end])
        if value is None:
            place = start + 1
        else:
            yield value
            place = end


def _closing(reply: str, start: int) -> int:
    """Behind the bracket that closes the one at `start`; -1 if none does, or it is deep."""
    depth = 0
    for place in range(start, min(len(reply), start + 20_000)):
        if reply[place] in "{[":
            depth += 1
            if depth > 2 * _DEEPEST:
                return -1
        elif reply[place] in "}]":
            depth -= 1
            if depth == 0:
                return place + 1
    return -1


def _parsed(text: str) -> Any:
    """A value, if the text is JSON or can be mended without changing what it says."""
    for made in (text, _mended(text)):
        try:
            return json.loads(made, object_pairs_hook=_Pairs)
        except (ValueError, RecursionError):
            continue
    return None


class _Pairs(dict[str, Any]):
    """An object that remembers whether a key stood in it twice with different values."""

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.twice = next((key for key, value in pairs if self[key] != value), None)


def _mended(text: str) -> str:
    text = re.sub(r"//[^\n]*|/\*.*?\*/|(?<=\s)#[^\n]*", "", text, flags=re.DOTALL)
    text = re.sub(r"(?<![A-Za-z])'|'(?![A-Za-z])", '"', text)
    text = re.sub(r"(?<=[\"}\]\d])\s*;", ",", text)
    text = re.sub(r'(?<=")\s*=>?\s*', ": ", text)
    text = re.sub(r"([{,]\s*)([A-Za-z]\w*)\s*(?::|=>?)", r'\1"\2":', text)  # bare names
    text = re.sub(r":\s*(P\d{1,2})(?=\s*[,}])", r': "\1"', text, flags=re.I)  # and bare players
    text = re.sub(r'("(?:P\d{1,2}|Player \d{1,2})")\s+(?=")', r"\1, ", text, flags=re.I)
    return re.sub(r",(?=\s*[}\]])", "", text)


Partial = dict[int, tuple[float, ...]]


def _table(value: Any, count: int, depth: int = 0) -> Partial:
    """The rows that a value gives; empty if it is no verdict at all."""
    if depth > _DEEPEST:
        return {}
    if isinstance(value, list):
        return _from_list(value, count, depth)
    if not isinstance(value, Mapping):
        return {}
    texts = {key: text_of(key, count) for key in value}
    if any(slot is not None for slot in texts.values()):
        return _from_object(value, texts, count)
    players = {key: player_of(key, count) for key in value}
    if value and all(who is not None for who in players.values()):
        return _inverse(value, players, count)
    inner = [_table(item, count, depth + 1) for item in value.values()]
    told = [rows for rows in inner if rows]
    if len(told) > 1 and any(rows != told[0] for rows in told):
        raise Unclear("there are two verdicts in the reply, and they differ; give one")
    return told[0] if told else {}


def _from_object(value: Mapping[str, Any], texts: dict[str, int | None], count: int) -> Partial:
    twice = getattr(value, "twice", None)
    if twice is not None and texts.get(twice) is not None:
        raise Unclear(f"the JSON object names text {twice} twice, differently")
    rows: Partial = {}
    for key, slot in texts.items():
        if slot is None:
            continue
        row = _row(value[key], count, key)
        if rows.get(slot, row) != row:
            raise Unclear(f"the JSON object names text {key} twice, differently")
        rows[slot] = row
    return rows


def _from_list(value: list[Any], count: int, depth: int) -> Partial:
    if value and all(isinstance(item, Mapping) for item in value):
        return _from_records(value, count, depth)
    if len(value) != count or isinstance(value[0], Mapping):
        return {}
    if all(isinstance(item, list) for item in value):
        return {slot: _row(item, count, str(slot + 1)) for slot, item in enumerate(value)}
    players = [player_of(str(item), count) for item in value if not isinstance(item, bool)]
    if len(players) < count or any(who is None for who in players):
        return {}
    if len(set(players)) < count:
        raise Unclear("the list names a player twice; give each text its player by name")
    return {slot: named_row(who, count) for slot, who in enumerate(players) if who is not None}


def _from_records(value: list[Any], count: int, depth: int) -> Partial:
    rows: Partial = {}
    for record in value:
        names = {str(key).lower(): item for key, item in record.items()}
        text = next((names[key] for key in _TEXT_KEYS if key in names), None)
        who = next((names[key] for key in _PLAYER_KEYS if key in names), None)
        slot = text_of(str(text), count) if text is not None else None
        new = (
            _table(record, count, depth + 1)
            if slot is None or who is None
            else {slot: _row(who, count, str(text))}
        )
        if any(rows.get(slot, row) != row for slot, row in new.items()):
            raise Unclear("the verdict names a text twice, differently")
        rows |= new
    return rows


def _inverse(value: Mapping[str, Any], players: dict[str, int | None], count: int) -> Partial:
    """Texts by player."""
    slots = {key: text_of(str(item), count, numbered=False) for key, item in value.items()}
    if any(slot is None for slot in slots.values()):
        return {}
    if len(set(slots.values())) < len(slots):
        raise Unclear("two players are given the same text")
    return {
        slot: named_row(who, count)
        for key, slot in slots.items()
        if slot is not None and (who := players[key]) is not None
    }


def named_row(player: int, count: int) -> tuple[float, ...]:
    """Weights of a text whose player was named without a probability."""
    rest = (1.0 - HARD) / max(1, count - 1)
    return tuple(HARD if other == player else rest for other in range(count))


def _row(value: Any, count: int, key: str) -> tuple[float, ...]:
    """Weights of one text.

    Raises:
        Unclear: if they are none.
    """
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        player = player_of(str(value), count)
        if player is None:
            raise Unclear(f"text {key}: no player is called {str(value)[:20]!r}")
        return named_row(player, count)
    if isinstance(value, list) and len(value) == count:
        value = {f"P{number}": item for number, item in enumerate(value, start=1)}
    if not isinstance(value, Mapping) or not value:
        raise Unclear(f"text {key}: give each player a probability")
    names = {str(name).lower(): item for name, item in value.items()}
    who = next((names[name] for name in _PLAYER_KEYS if name in names), None)
    if isinstance(who, str | int):
        return _row(who, count, key)
    weights = [0.0] * count
    scales = set()
    for name, weight in value.items():
        player = player_of(str(name), count)
        if player is None:
            raise Unclear(f"text {key}: no player is called {str(name)[:20]!r}")
        weights[player], scale = _weight(weight, key, player)
        scales.add(scale)
    if "percent" in scales and "above one" in scales:
        raise Unclear(f"text {key}: some numbers have a % and others do not")
    if not sum(weights) > 0.0:
        raise Unclear(f"text {key}: the probabilities are all zero")
    return tuple(weights)


def _weight(value: Any, key: str, player: int) -> tuple[float, str]:
    """A weight, and the scale it is written in."""
    percent = isinstance(value, str) and value.strip().endswith("%")
    if isinstance(value, str):
        try:
            value = float(value.strip().rstrip("%")) / (100.0 if percent else 1.0)
        except ValueError:
            value = None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0.0 <= value <= 1e6:
        raise Unclear(f"text {key}: the probability of P{player + 1} must be a number from 0 to 1")
    return float(value), "percent" if percent else "above one" if value > 1.0 else "share"
