"""One path for whole lineups and neighbourhoods gives the numbers that two paths gave."""

from __future__ import annotations

from typing import Any

import pytest

from tests.population.recorded_lineups import CASES, computed, recorded


def assert_alike(found: Any, expected: Any, place: str) -> None:
    """Equal structure, and numbers within what processors differ by."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), place
        for name, value in expected.items():
            assert_alike(found[name], value, f"{place}, {name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), place
        for number, value in enumerate(expected):
            assert_alike(found[number], value, f"{place}[{number}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5), place
    else:
        assert found == expected, place


@pytest.mark.parametrize("name", CASES)
def test_reading_paying_teaching_and_measuring_give_what_they_gave(name: str) -> None:
    assert_alike(computed(CASES[name]), recorded()[name], name)


def test_every_recorded_case_is_computed() -> None:
    assert recorded().keys() == CASES.keys()
