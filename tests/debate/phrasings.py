"""Verdicts as people and models write them, each with its right value: the player of each text, or
None where a person would have to ask. Three players, texts A, B, C.

They were collected before the grammar was written, and split by hash: the grammar was made looking
at the first half only (`SEEN`); the second (`HELD_OUT`) says how it does on what it was not
made for.
"""

from __future__ import annotations

from hashlib import blake2b

RIGHT = [2, 1, 3]
Phrasing = tuple[str, str, list[int] | None]

_OBJECTS = [
    '{"A": "P2", "B": "P1", "C": "P3"}',
    '{"A": "P2", "B": "P1", "C": "P3",}',
    "{'A': 'P2', 'B': 'P1', 'C': 'P3'}",
    '{A: "P2", B: "P1", C: "P3"}',
    "{A: P2, B: P1, C: P3}",
    '{"A": 2, "B": 1, "C": 3}',
    '{"A": "2", "B": "1", "C": "3"}',
    '{"A": "Player 2", "B": "Player 1", "C": "Player 3"}',
    '{"a": "p2", "b": "p1", "c": "p3"}',
    '{"Text A": "P2", "Text B": "P1", "Text C": "P3"}',
    '{"text_a": "P2", "text_b": "P1", "text_c": "P3"}',
    '{"C": "P3", "A": "P2", "B": "P1"}',
    '{"A": "P2 (me)", "B": "P1", "C": "P3"}',
    '{"A": "P2", // sure\n "B": "P1", "C": "P3"}',
    '{"A": "P2", /* sure */ "B": "P1", "C": "P3"}',
    '{\n  "A": "P2",\n  "B": "P1",\n  "C": "P3"\n}',
    "{\u201cA\u201d: \u201cP2\u201d, \u201cB\u201d: \u201cP1\u201d, \u201cC\u201d: \u201cP3\u201d}",
    '{"\uff21": "P2", "B": "P1", "C": "P3"}',
    '{"verdict": {"A": "P2", "B": "P1", "C": "P3"}}',
    '{"answer": {"A": "P2", "B": "P1", "C": "P3"}, "confidence": 0.8}',
    '{"reasoning": "B is terse", "verdict": {"A": "P2", "B": "P1", "C": "P3"}}',
    '{"result": {"authors": {"A": "P2", "B": "P1", "C": "P3"}}}',
    '[{"text": "A", "player": "P2"}, {"text": "B", "player": "P1"}, {"text": "C", "player": "P3"}]',
    '{"assignments": [{"label": "A", "author": "P2"}, {"label": "B", "author": "P1"}, '
    '{"label": "C", "author": "P3"}]}',
    '{"A": "P2"}\n{"B": "P1"}\n{"C": "P3"}',
    '[{"A": "P2"}, {"B": "P1"}, {"C": "P3"}]',
    '{"P2": "A", "P1": "B", "P3": "C"}',
    '{"A": {"player": "P2"}, "B": {"player": "P1"}, "C": {"player": "P3"}}',
    '{"A": {"player": "P2", "confidence": 0.7}, "B": {"player": "P1", "confidence": 0.9}, '
    '"C": {"player": "P3", "confidence": 0.6}}',
    '{"A": {"P1": 0.1, "P2": 0.8, "P3": 0.1}, "B": {"P1": 0.8, "P2": 0.1, "P3": 0.1}, '
    '"C": {"P1": 0.1, "P2": 0.1, "P3": 0.8}}',
    '{"A": {"P1": "5%", "P2": "90%", "P3": "5%"}, "B": {"P1": "0.8", "P2": "0.1", "P3": "0.1"}, '
    '"C": "P3"}',
    '{"A": {"P1": 10, "P2": 80, "P3": 10}, "B": {"P1": 80, "P2": 10, "P3": 10}, '
    '"C": {"P1": 10, "P2": 10, "P3": 80}}',
    '{"A": {"P1": 0.05, "P2": "90%", "P3": 0.05}, "B": "P1", "C": "P3"}',
    '{"A": [0.1, 0.8, 0.1], "B": [0.8, 0.1, 0.1], "C": [0.1, 0.1, 0.8]}',
    "[[0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]",
    '{"A": {"P2": 0.9}, "B": {"P1": 0.9}, "C": {"P3": 0.9}}',
    '["P2", "P1", "P3"]',
    "[2, 1, 3]",
    '{"1": 2, "2": 1, "3": 3}',
    '{"A"="P2", "B"="P1", "C"="P3"}',
    '{"A": "P2"; "B": "P1"; "C": "P3"}',
    '{"A": "P2" "B": "P1" "C": "P3"}',
]
_FRAMES = ["{}", "```json\n{}\n```", "Here is my verdict:\n\n{}\n\nI am fairly sure.", "**{}**"]

_LINES = [
    "A: P2\nB: P1\nC: P3",
    "A: P2, B: P1, C: P3",
    "A - P2\nB - P1\nC - P3",
    "A -> P2, B -> P1, C -> P3",
    "A \u2192 P2; B \u2192 P1; C \u2192 P3",
    "A => P2\nB => P1\nC => P3",
    "A = P2, B = P1, C = P3",
    "A \u2014 P2\nB \u2014 P1\nC \u2014 P3",
    "- A: P2\n- B: P1\n- C: P3",
    "* **A**: P2\n* **B**: P1\n* **C**: P3",
    "**A:** P2\n**B:** P1\n**C:** P3",
    "A) P2\nB) P1\nC) P3",
    "A. P2\nB. P1\nC. P3",
    "(A) P2 (B) P1 (C) P3",
    "Text A: Player 2\nText B: Player 1\nText C: Player 3",
    "Text A was written by P2. Text B was written by P1. Text C was written by P3.",
    "Text A is by P2, text B is by P1, and text C is by P3.",
    "A is P2, B is P1 and C is P3.",
    "I think A is by P2, B is by P1, C is by P3.",
    "A was me (P2), B: P1, C: P3",
    "P2 wrote A, P1 wrote B, P3 wrote C.",
    "P2 wrote text A. P1 wrote text B. P3 wrote text C.",
    "P1: B\nP2: A\nP3: C",
    "Player 1 -> B, Player 2 -> A, Player 3 -> C",
    "P1 is the author of B, P2 of A and P3 of C; that is A: P2, B: P1, C: P3",
    "| Text | Player |\n|---|---|\n| A | P2 |\n| B | P1 |\n| C | P3 |",
    "| Text | Author |\n|:--|--:|\n| Text A | Player 2 |\n| Text B | Player 1 |\n"
    "| Text C | Player 3 |",
    "| Text | P1 | P2 | P3 |\n|---|---|---|---|\n| A | 0.1 | 0.8 | 0.1 |\n"
    "| B | 0.8 | 0.1 | 0.1 |\n| C | 0.1 | 0.1 | 0.8 |",
    "First I thought A: P1, B: P2, C: P3.\nFinal answer: A: P2, B: P1, C: P3",
    "Let me think. A sounds warm. B is short.\n\nAnswer:\nA: P2\nB: P1\nC: P3",
    "A: P2 (warm), B: P1 (terse), C: P3 (rambling)",
    "A: P2, because it is warm, not P1.\nB: P1.\nC: P3.",
    "A belongs to P2; B belongs to P1; C belongs to P3",
    "A is most likely from P2. B is probably from P1. C must be from P3.",
    "Answer A was written by player two, B by player one, C by player three.",
    "A = Player 2 | B = Player 1 | C = Player 3",
    "A:P2 B:P1 C:P3",
    "A/P2, B/P1, C/P3",
    "a: p2, b: p1, c: p3",
    "Response A: P2\nResponse B: P1\nResponse C: P3",
    "A: P2 90%\nB: P1 80%\nC: P3 70%",
    "### Verdict\n\nA \u2013 P2\n\nB \u2013 P1\n\nC \u2013 P3",
    "P2, P1, P3",
    "P2 P1 P3",
    "The order is P2, P1, P3.",
    "P2; P1; P3",
    "1. P2\n2. P1\n3. P3",
]
_ORDERS = [
    "2, 1, 3",
    "2,1,3",
    "2 1 3",
    "2; 1; 3",
    "2-1-3",
    "2 > 1 > 3",
    "2 -> 1 -> 3",
    "2\n1\n3",
    "213",
    "[2, 1, 3]",
    "(2, 1, 3)",
    "2, 1, 3.",
    "2, 1, and 3",
    "**2, 1, 3**",
    "`2, 1, 3`",
    "$\\boxed{2, 1, 3}$",
    "\\boxed{2,1,3}",
    "Answer: 2, 1, 3",
    "The order is 2, 1, 3.",
    "My verdict: P2, P1, P3",
    "Player 2, Player 1, Player 3",
    "p2, p1, p3",
    "P2, P1, P3",
    "1. P2\n2. P1\n3. P3",
    "1) 2\n2) 1\n3) 3",
    "1: 2\n2: 1\n3: 3",
    "1 -> 2, 2 -> 1, 3 -> 3",
    "1. Player 2\n2. Player 1\n3. Player 3",
    "(1) P2 (2) P1 (3) P3",
    "Text 1: P2\nText 2: P1\nText 3: P3",
    "Text 1 -> P2; Text 2 -> P1; Text 3 -> P3",
    "Text 1 was written by player 2, text 2 by player 1, text 3 by player 3.",
    "First: 2. Second: 1. Third: 3.",
    "The first is by P2, the second by P1 and the third by P3.",
    "1st: P2, 2nd: P1, 3rd: P3",
    "A: P2, B: P1, C: P3",
    "A: 2, B: 1, C: 3",
    "| Text | Player |\n|---|---|\n| 1 | 2 |\n| 2 | 1 |\n| 3 | 3 |",
    '{"1": 2, "2": 1, "3": 3}',
    '{"order": [2, 1, 3]}',
    "2, 1, 3 (I am 90% sure)",
    "2, 1, 3\n\n2, 1, 3",
    "My answer for round 4: 2, 1, 3. I wrote text 1 myself as P2.",
    "I would say 1, 2, 3 at first sight. Final answer: 2, 1, 3",
    "There are 3 texts. 2, 1, 3",
    "#1 P2, #2 P1, #3 P3",
    "- Text 1: 2\n- Text 2: 1\n- Text 3: 3",
    "two, one, three",
    "2,1,3\n",
    "  2 , 1 , 3  ",
    "\uff12\u30011\u30013",
]
_UNCLEAR = [
    ("labels", ""),
    ("labels", "I cannot tell."),
    ("labels", '{"A": "P2", "B": "P1"}'),
    ("labels", '{"A": "P2", "B": "P1", "C": "P'),
    ("labels", '{"A": "P2", "B": "P1", "C": "P3", "A": "P1"}'),
    (
        "labels",
        'Answer: {"A": "P2", "B": "P1", "C": "P3"}. (My earlier idea {"A": "P1", "B": "P2", '
        '"C": "P3"} was wrong.)',
    ),
    ("labels", '{"A": "P2", "B": "P1", "C": "P3"}\n{"A": "P1", "B": "P2", "C": "P3"}'),
    ("labels", '{"A": "P2 or P1", "B": "P1", "C": "P3"}'),
    ("labels", '{"A": "P2", "B": "P1", "C": "P4"}'),
    ("labels", '{"A": "P2", "B": "P1", "C": "nobody"}'),
    ("labels", '{"A": null, "B": "P1", "C": "P3"}'),
    ("labels", '{"A": "P?", "B": "P?", "C": "P?"}'),
    ("labels", "A: P2, B: P1"),
    ("labels", "A: P2, B: P1, C: P3, A: P1"),
    ("labels", "A: P2, B: P2, C: P3"),
    ("labels", "A is P1 or P2, B is P1, C is P3"),
    ("labels", "A is not P1, B is P1, C is P3"),
    ("labels", "A isn't by P2, B is by P1, C is by P3"),
    ("labels", "Either A: P2, B: P1, C: P3 or A: P1, B: P2, C: P3"),
    ("labels", "It could be P1, P2, P3 or P2, P1, P3."),
    ("labels", '{"P1": "A", "P2": "A", "P3": "C"}'),
    ("labels", "I am P2."),
    ("labels", "P1, P2 and P3 are hard to tell apart; I have no idea who wrote what"),
    ("matrix", '{"A": {"P1": NaN, "P2": 1, "P3": 0}, "B": "P1", "C": "P3"}'),
    ("matrix", '{"A": {"P1": 0, "P2": 0, "P3": 0}, "B": "P1", "C": "P3"}'),
    ("matrix", '{"A": {"P1": -1, "P2": 1, "P3": 0}, "B": "P1", "C": "P3"}'),
    ("matrix", '{"A": {"P1": 5, "P2": "90%", "P3": 5}, "B": "P1", "C": "P3"}'),
    ("matrix", '{"A": [0.2, 0.8], "B": [0.8, 0.2], "C": [0.5, 0.5]}'),
    ("matrix", '{"a":' * 3000 + "1" + "}" * 3000),
    ("order", "2, 1"),
    ("order", "2, 2, 3"),
    ("order", "1, 3, 3"),
    ("order", "2, 1, 4"),
    ("order", "0, 1, 2"),
    ("order", "2, 1, 3 or 1, 2, 3"),
    ("order", "2, 1, 3\n1, 2, 3"),
    ("order", "2, 1, 3, 2"),
    ("order", "1. P2\n2. P1"),
    ("order", "1. P2\n2. P1\n3. P1"),
    ("order", "Round 3 of 8"),
    ("order", "12, 1, 3"),
    ("order", "I think 2 of 3 are easy."),
    ("order", "P2 is first, the rest I do not know"),
    ("order", "{}"),
    ("order", "2.1.3 version"),
]


def _all() -> list[Phrasing]:
    found: list[Phrasing] = []
    for number, text in enumerate(_OBJECTS):
        form = "matrix" if ("0." in text or "80" in text) else "labels"
        found.append((form, text, RIGHT))
        frame = _FRAMES[1 + number % 3]
        found.append((form, frame.replace("{}", text), RIGHT))
    found += [("labels", text, RIGHT) for text in _LINES]
    found += [("order", text, RIGHT) for text in _ORDERS]
    found += [(form, text, None) for form, text in _UNCLEAR]
    return found


def _held_out(one: Phrasing) -> bool:
    return blake2b(repr(one[:2]).encode(), digest_size=1).digest()[0] % 2 == 1


PHRASINGS = _all()
SEEN = [one for one in PHRASINGS if not _held_out(one)]
HELD_OUT = [one for one in PHRASINGS if _held_out(one)]
