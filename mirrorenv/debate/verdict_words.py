"""Verdicts that are written in words: lines, lists, tables and sentences."""

from __future__ import annotations

import re
import string

from mirrorenv.debate.verdict_objects import Rows, Unclear, named_row, player_of, text_of

__all__ = ["word_readings"]

_NUMBERS = "one|two|three|four|five|six|seven|eight|nine|ten"
_ORDINALS = {
    "first": 1,
    "second": 2,
    "third": 3,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
}
_PLAYER = rf"(?:p[ #-]?\d{{1,2}}|player[ #-]*(?:\d{{1,2}}|{_NUMBERS})\b)"
_SORT = r"(?:text|answer|response|item|slot|letter)"
_HEDGE = (
    r"(?:most |very |quite |probably|likely|possibly|certainly|clearly|surely|definitely|almost|"
    r"must|be|i think|think|me|myself|also|the|was|is|were|it|a|text|answer)\b"
)
_LINK = (
    rf"(?:\s|[:=\-\u2013\u2014>\u2192~/|.)]|\((?=p)|{_HEDGE}|"
    r"(?:written|made|authored|said|by|from|belongs to|belongs|to|comes|of)\b)+"
)
_FINAL = re.compile(
    r"(?:final(?:ly)?(?: (?:answer|verdict|order|guess))?|(?:my |the )?(?:answer|verdict)"
    r"(?: is)?)\s*[:=\u2013\u2014-]|final (?:answer|verdict|order|guess)\b",
    re.I,
)
_NOT = re.compile(
    rf",?\s*\b(?:and |but )?(?:not|rather than|instead of|unlike)\s+(?:by |from )?{_PLAYER}", re.I
)
_DOUBT = re.compile(
    rf"\beither\b|{_PLAYER}\s*(?:or|/|and maybe)\s*{_PLAYER}|\d\s+or\s+\d|n't\b|\bno idea\b", re.I
)


def word_readings(reply: str, count: int, bare: bool) -> list[Rows]:
    """Every whole verdict in words, without repetitions.

    What stands behind "final answer" or "answer:" is read before what stands before it.

    Args:
        reply: the reader's words, without JSON.
        count: N.
        bare: whether the bare order was asked for, so that numbers without a name are players and
            texts have numbers.

    Raises:
        Unclear: if there are statements, and they do not make one verdict.
    """
    text = _plain(reply)
    marks = list(_FINAL.finditer(text))
    if marks:
        behind = text[marks[-1].end() :]
        found = _readings(behind, count, bare)
        if found:
            return found
    return _readings(text, count, bare)


def _plain(reply: str) -> str:
    text = re.sub(r"\\(?:boxed|text|mathrm)\s*\{|[*`$#]+(?!\d)|(?<!\w)_|_(?!\w)", " ", reply)
    text = re.sub(r"\((?:me|myself|that is me|i)\)", " ", text, flags=re.I)
    return _NOT.sub(" ", text.replace("\u3001", ",").replace("}", " "))


def _readings(text: str, count: int, bare: bool) -> list[Rows]:
    matrix = _matrix(text, count)
    if matrix is not None:
        return [matrix]
    if _DOUBT.search(text):
        raise Unclear("the reply leaves more than one way open; give one player for each text")
    said = _statements(text, count, bare)
    lists = _lists(text, count, bare)
    whole = {slot: players for slot, players in said.items() if players}
    split = [slot for slot, players in whole.items() if len(players) > 1]
    if split:
        label = string.ascii_uppercase[split[0]]
        raise Unclear(f"text {label} is given to two players; give one verdict")
    candidates = list(lists)
    if len(whole) == count:
        order = tuple(next(iter(whole[slot])) for slot in range(count))
        candidates += [order] if order not in candidates else []
    elif any(order[slot] not in players for order in lists for slot, players in whole.items()):
        raise Unclear("what is said of single texts differs from the order")
    for order in candidates:
        if len(set(order)) < count:
            raise Unclear("a player is named twice and another not at all; give each its text")
    if not candidates and whole:
        missing = min(set(range(count)) - whole.keys())
        raise Unclear(f"the reply names no player for text {string.ascii_uppercase[missing]}")
    return [_named_rows(order, count) for order in candidates]


def _named_rows(order: tuple[int, ...], count: int) -> Rows:
    return tuple(named_row(player, count) for player in order)


def _statements(text: str, count: int, bare: bool) -> dict[int, set[int]]:
    """Players by text, from "A: P2", "P2 wrote A", "1. P2" and rows of tables."""
    found: dict[int, set[int]] = {}
    letters = string.ascii_uppercase[:count]
    label = rf"(?:{_SORT}[ _#]*)?\(?\b([{letters}{letters.lower()}])\b"
    number = rf"(?:{_SORT}[ _#]*|(?<![\w.,])[#(]?)(\d{{1,2}})(?:st|nd|rd|th)?"
    ordinal = rf"\b({'|'.join(_ORDINALS)})\b(?: text| answer| one)?"
    player = rf"({_PLAYER}|\d{{1,2}}(?![\d%.]*%)(?!\d))" if bare else rf"({_PLAYER})"
    texts = (
        [label, ordinal, number]
        if bare
        else [label, ordinal, rf"{_SORT}[ #]*(\d{{1,2}})", r"(?:^|\n)\s*(\d{1,2})(?=[.):])"]
    )
    for line in re.split(r"[\n;]", text):
        row = _table_row(line, count)
        if row is not None:
            found.setdefault(row[0], set()).add(row[1])
            continue
        line = _taken_backwards(line, letters, found, count)
        for kind in texts:
            linked = rf"{kind}{_LINK}{player}"
            if bare and kind is number:
                linked = rf"{kind}(?:\s*[:)=.]|\s*[-=]?>|\s*\u2192|\s+(?=p)|{_WRITTEN})\s*{player}"
            for match in re.finditer(linked, line, re.I):
                _add(found, match[1], match[2], count)
    return found


def _taken_backwards(line: str, letters: str, found: dict[int, set[int]], count: int) -> str:
    """Take "P2 wrote A" and "P2: A" out of a line; what is left of it."""
    verb = r"(?:\s*(?::|->|=>|\u2192|=)\s*|\s+wrote\s+)"
    back = re.compile(rf"({_PLAYER}){verb}(?:{_SORT}\s*)?\b([{letters}])\b(?!\s*[:=])", re.I)
    for match in back.finditer(line):
        _add(found, match[2], match[1], count)
    return back.sub(" ", line)


_WRITTEN = r"\s+(?:is|was written|was|written)?\s*(?:by|from)\s+"


def _add(found: dict[int, set[int]], text: str, player: str, count: int) -> None:
    place = _ORDINALS.get(text.lower())
    slot = text_of(text if place is None else str(place), count)
    who = player_of(player, count)
    if slot is not None and who is not None:
        found.setdefault(slot, set()).add(who)


def _table_row(line: str, count: int) -> tuple[int, int] | None:
    """Text and player of a row "| A | P2 |"."""
    if not line.strip().startswith("|"):
        return None
    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
    if len(cells) < 2:
        return None
    slot = text_of(cells[0], count)
    who = player_of(cells[1], count)
    return None if slot is None or who is None else (slot, who)


def _matrix(text: str, count: int) -> Rows | None:
    """A table of probabilities, under a row that names all players."""
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if "|" in line]
    for place, cells in enumerate(rows):
        head = [player_of(cell, count) for cell in cells[1:]]
        if sorted(who for who in head if who is not None) != list(range(count)):
            continue
        found: dict[int, tuple[float, ...]] = {}
        for row in rows[place + 1 :]:
            slot = text_of(row[0], count)
            numbers = [_share(cell) for cell in row[1:]]
            if slot is not None and len(numbers) == count and None not in numbers:
                by = dict(zip(head, numbers, strict=True))
                found[slot] = tuple(float(by[who] or 0.0) for who in range(count))
        if len(found) == count and all(sum(row) > 0.0 for row in found.values()):
            return tuple(found[slot] for slot in range(count))
    return None


def _share(cell: str) -> float | None:
    try:
        value = float(cell.strip().rstrip("%"))
    except ValueError:
        return None
    return value if 0.0 <= value <= 1e6 else None


def _lists(text: str, count: int, bare: bool) -> list[tuple[int, ...]]:
    """Bare orders: exactly N players in a row, nothing like them before or behind."""
    one = rf"(?:{_PLAYER}|\d{{1,2}}|\b(?:{_NUMBERS})\b)" if bare else _PLAYER
    gap = r"(?:\s*(?:,|;|->|=>|>|\u2192|-|/)\s*(?:and\s+)?|\s+(?:and\s+)?)"
    blocks = re.split(r"\n\s*\n", text)
    if len(blocks) > 1:
        every = [order for block in blocks for order in _lists(block, count, bare)]
        return list(dict.fromkeys(every))
    found: list[tuple[int, ...]] = []
    for match in re.finditer(rf"(?<![\w.:#])\(?{one}(?:{gap}{one})+(?![\w%]|\.\d)", text, re.I):
        parts = re.findall(one, match[0], re.I)
        if len(parts) != count or re.search(
            rf"[{string.ascii_uppercase[:count]}]\W*$", text[: match.start()]
        ):
            if bare and len(parts) > count:
                raise Unclear(f"there are {len(parts)} numbers in a row where {count} belong")
            continue
        order = [player_of(part, count) for part in parts]
        if None in order:
            continue
        whole = tuple(who for who in order if who is not None)
        found += [whole] if whole not in found else []
    together = re.fullmatch(r"\W*(\d+)\W*", text)
    if bare and together and len(together[1]) == count < 10:
        players = tuple(int(digit) - 1 for digit in together[1])
        if all(0 <= who < count for who in players):
            found += [players] if players not in found else []
    return found
