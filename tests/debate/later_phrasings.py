"""Further verdicts, written without looking at the grammar after it was done, each with its right
value: None where a person would have to ask."""

from __future__ import annotations

__all__ = ["LATER"]

LATER: list[tuple[str, str, list[int] | None]] = [
    ("labels", "<verdict><A>P2</A><B>P1</B><C>P3</C></verdict>", [2, 1, 3]),
    (
        "labels",
        '<text id="A" author="P2"/>\n<text id="B" author="P1"/>\n<text id="C" author="P3"/>',
        [2, 1, 3],
    ),
    ("labels", "A,P2\nB,P1\nC,P3", [2, 1, 3]),
    ("labels", "text,player\nA,P2\nB,P1\nC,P3", [2, 1, 3]),
    ("labels", "A;P2\nB;P1\nC;P3", [2, 1, 3]),
    ("labels", "A\tP2\nB\tP1\nC\tP3", [2, 1, 3]),
    ("labels", "- A:\n  - P2\n- B:\n  - P1\n- C:\n  - P3", [2, 1, 3]),
    ("labels", "A:\n  author: P2\nB:\n  author: P1\nC:\n  author: P3", [2, 1, 3]),
    ("labels", "[A]\nplayer = P2\n[B]\nplayer = P1\n[C]\nplayer = P3", [2, 1, 3]),
    ("labels", "$A \\to P_2$, $B \\to P_1$, $C \\to P_3$", [2, 1, 3]),
    ("labels", "\\boxed{A: P2, B: P1, C: P3}", [2, 1, 3]),
    ("labels", "\\begin{tabular}{ll} A & P2 \\\\ B & P1 \\\\ C & P3 \\end{tabular}", [2, 1, 3]),
    (
        "labels",
        "<table><tr><td>A</td><td>P2</td></tr><tr><td>B</td><td>P1</t"
        "d></tr><tr><td>C</td><td>P3</td></tr></table>",
        [2, 1, 3],
    ),
    (
        "labels",
        "First I thought A was P1, but on reflection A is P2, B is P1 and C is P3.",
        None,
    ),
    ("labels", "A is P1. No wait: A is P2, B is P1, C is P3.", None),
    ("labels", "A is not P1 and not P3; B is P1; C is P3.", None),
    ("labels", "A is P2 rather than P1. B is P1. C is P3.", [2, 1, 3]),
    ("labels", "If A were P1, C would be P2. But A is P2, B is P1, C is P3.", None),
    ("labels", "A could be P2 or P3, B is P1, C is P3.", None),
    ("labels", "Either A: P2, B: P1, C: P3 or A: P1, B: P2, C: P3.", None),
    ("labels", "A: P2 (70%), P1 (30%)\nB: P1\nC: P3", [2, 1, 3]),
    ("labels", "P2 wrote A and B, P3 wrote C.", [2, 2, 3]),
    ("labels", "All three were written by P2.", None),
    ("labels", "A and B are not by me. I am P3.", None),
    ("labels", "A: P4, B: P1, C: P3", None),
    ("labels", "A: P2, B: P1, D: P3", None),
    ("labels", "A: P2, B: P1", None),
    ("labels", "A: P2, B: P1, C: ?", None),
    ("labels", "A: me, B: P1, C: P3", None),
    ("labels", "\xabA\xbb \u2014 P2, \xabB\xbb \u2014 P1, \xabC\xbb \u2014 P3", [2, 1, 3]),
    ("labels", "Texto A: P2. Texto B: P1. Texto C: P3.", [2, 1, 3]),
    ("labels", "Der Text A stammt von P2, B von P1 und C von P3.", [2, 1, 3]),
    ("labels", "A\u21d2P2 B\u21d2P1 C\u21d2P3", [2, 1, 3]),
    ("labels", "A\uff1aP2\uff0cB\uff1aP1\uff0cC\uff1aP3", [2, 1, 3]),
    ("labels", "\U0001f170\ufe0f P2 \U0001f171\ufe0f P1 \xa9 P3", None),
    ("order", "2 > 1 > 3", [2, 1, 3]),
    ("order", "(2)(1)(3)", [2, 1, 3]),
    ("order", "2-1-3", [2, 1, 3]),
    ("order", "213", [2, 1, 3]),
    ("order", "II, I, III", [2, 1, 3]),
    ("order", "two, one, three", [2, 1, 3]),
    ("order", "second, first, third", None),
    ("order", "My order would be 1, 2, 3 in round one, now it is 2, 1, 3", None),
    ("order", "2, 1, 3 or 2, 3, 1", None),
    ("order", "1) 2\n2) 1\n3) 3", [2, 1, 3]),
    ("order", "#1: P2 #2: P1 #3: P3", [2, 1, 3]),
    ("order", "A=2 B=1 C=3", [2, 1, 3]),
    (
        "matrix",
        "A: P1 10%, P2 80%, P3 10%\nB: P1 80%, P2 10%, P3 10%\nC: P1 10%, P2 10%, P3 80%",
        [2, 1, 3],
    ),
    ("matrix", "A | .1 | .8 | .1\nB | .8 | .1 | .1\nC | .1 | .1 | .8", [2, 1, 3]),
    (
        "matrix",
        "| text | P1 | P2 | P3 |\n|---|---|---|---|\n| A | \u2591 | \u2588 | \u2591 |\n"
        "| B | \u2588 | \u2591 | \u2591 |\n| C | \u2591 | \u2591 | \u2588 |",
        None,
    ),
    (
        "matrix",
        '{"A": {"P1": "low", "P2": "high", "P3": "low"}, "B": {"P1": '
        '"high", "P2": "low", "P3": "low"}, "C": {"P1": "low", "P2": '
        '"low", "P3": "high"}}',
        None,
    ),
    (
        "matrix",
        '{"A": {"P1": 1e-3, "P2": 9.98e-1, "P3": 1e-3}, "B": {"P1": 0'
        '.9, "P2": 0.05, "P3": 0.05}, "C": {"P1": 0, "P2": 0, "P3": 1'
        "}}",
        [2, 1, 3],
    ),
    (
        "matrix",
        '{"A": {"P1": -2.3, "P2": -0.1, "P3": -3.0}, "B": {"P1": -0.1'
        ', "P2": -2.3, "P3": -3.0}, "C": {"P1": -3, "P2": -2.3, "P3":'
        " -0.1}}",
        None,
    ),
    (
        "labels",
        '{"A": "P2", "B": "P1", "C": "P3"} -- sorry, "A" should be "P3" and "C" "P2"',
        None,
    ),
    (
        "labels",
        '```json\n{"A": "P2", "B": "P1", "C": "P3"}\n```\nNote: swap A and C if P3 lied.',
        None,
    ),
    ("labels", '{"A": null, "B": "P1", "C": "P3"}', None),
    ("labels", '{"A": ["P2"], "B": ["P1"], "C": ["P3"]}', [2, 1, 3]),
    ("labels", '{"A": "not P1", "B": "P1", "C": "P3"}', None),
    ("labels", '{"A": "P2 or P3", "B": "P1", "C": "P3"}', None),
    ("labels", '{"A": "P1 -> P2", "B": "P1", "C": "P3"}', None),
    ("labels", '{"A": "P2", "B": "P1", "C": "P3"}\nCorrection: A is P3, C is P2.', None),
    (
        "labels",
        '{"A": "P2", "B": "P1", "C": "P3"} Oops, I swapped text A and text C.',
        None,
    ),
    ("labels", '{"A": "P2", "B": "P1", "C": "P3"}\nActually, I think P3 wrote A.', None),
]
