"""Lines stay readable and words plain: counts that may fall and never rise.

`python -m tests.density` prints today's counts; where one has fallen, its number here follows.
"""

from __future__ import annotations

import ast

import pytest

from tests.density import MEASURES, found, nested_comprehensions, unrelated_assignments

ALLOWED: dict[str, dict[str, int]] = {
    "unrelated assignments": {},
    "nested comprehensions": {"debate": 12, "preference": 4},
    "private words": {"debate": 4, "results": 3},
    "unexplained parameters": {
        "debate": 10,
        "envs": 5,
        "llm": 2,
        "memory": 2,
        "mirror": 8,
        "population": 18,
        "preference": 11,
        "results": 6,
        "rllib": 4,
        "sb3": 2,
    },
}


@pytest.mark.parametrize("measure", MEASURES)
def test_no_room_becomes_denser(measure: str) -> None:
    too_many = []
    for room, places in found(measure).items():
        allowed = ALLOWED[measure].get(room, 0)
        if len(places) > allowed:
            listed = "\n  ".join(places)
            too_many.append(f"{room}: {len(places)}, allowed are {allowed}\n  {listed}")
    assert not too_many, f"{measure}\n" + "\n".join(too_many)


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("a, b = 1, 2", 1),
        ("self.a, self.b = c, d()", 1),
        ("a, b = b, a", 0),  # a swap
        ("a, b = b, a + b", 0),  # reads what it replaces
        ("a[0], a[1] = a[1], a[0]", 0),
        ("a, b = pair", 0),
        ("a, b = *pair, c", 0),
    ],
)
def test_what_counts_as_an_unrelated_assignment(line: str, count: int) -> None:
    assert len(list(unrelated_assignments(ast.parse(line)))) == count


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("[a for a in b]", 0),
        ("[[a for a in b] for b in c]", 1),
        ("sum(a for b in c for a in b)", 0),
        ("{a: max(b for b in c) for a, c in d}", 1),
    ],
)
def test_what_counts_as_a_nested_comprehension(line: str, count: int) -> None:
    assert len(list(nested_comprehensions(ast.parse(line)))) == count
