"""An estimate prints in one way, by the style of the room that prints it."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorenv.mirror.intervals import Estimate, TextStyle, t_interval

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def test_the_plain_style_gives_three_decimals_and_leaves_out_an_unknown_interval() -> None:
    assert Estimate(0.95, 0.93, 0.97, 8, "t").text() == "0.950 [0.930, 0.970]"
    assert str(t_interval([0.5])) == "0.500"
    assert Estimate(0.5, 0.25, math.inf).text() == "0.500"


def test_a_style_says_how_numbers_ends_and_what_is_unknown_are_written() -> None:
    style = TextStyle(
        lambda value: f"{100 * value:.0f} %",
        end=lambda value: f"{100 * value:.0f}",
        interval=" ({low} to {high} %)",
        unknown=" (no interval)",
    )
    assert Estimate(0.95, 0.93, 0.97).text(style) == "95 % (93 to 97 %)"
    assert Estimate(0.95).text(style) == "95 % (no interval)"
    assert Estimate(0.95, 0.93, 0.97).interval_text(style) == " (93 to 97 %)"


@pytest.mark.parametrize(("n", "shown"), [(0, True), (1, False), (2, True)])
def test_a_style_may_leave_out_the_interval_of_a_single_cluster(n: int, shown: bool) -> None:
    text = Estimate(1.0, 0.025, 1.0, n, "Clopper-Pearson").text(TextStyle(least=2))
    assert text == ("1.000 [0.025, 1.000]" if shown else "1.000")


@given(FINITE, FINITE, FINITE)
def test_an_estimate_comes_back_from_json(value: float, one: float, other: float) -> None:
    low, high = sorted((one, other))
    read = Estimate.from_dict(json.loads(json.dumps(Estimate(value, low, high).to_dict())))
    assert read == Estimate(value, low, high)


@pytest.mark.parametrize("recorded", [None, "1", True, math.nan, [], {}, {"value": None}, 10**400])
def test_what_is_no_number_is_no_estimate(recorded: object) -> None:
    assert Estimate.from_dict(recorded) is None


@pytest.mark.parametrize(
    "ends", [{}, {"low": 0.1}, {"low": None, "high": 1.0}, {"low": 0.6, "high": 0.4}]
)
def test_half_an_interval_or_a_turned_one_is_none(ends: dict[str, object]) -> None:
    read = Estimate.from_dict({"value": 0.5, **ends})
    assert read == Estimate(0.5) and read is not None and not read.bounded
