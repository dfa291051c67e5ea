"""Lines stay readable and words plain: `python -m tests.density` prints what is not."""

from __future__ import annotations

import ast

import pytest

from tests.density import MEASURES, found, nested_comprehensions, unrelated_assignments


@pytest.mark.parametrize("measure", MEASURES)
def test_no_room_is_dense(measure: str) -> None:
    places = [place for some in found(measure).values() for place in some]
    assert not places, f"{measure}\n  " + "\n  ".join(places)


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
