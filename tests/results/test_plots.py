"""What a picture says fits into the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorenv.results.report import plots, themes
from mirrorenv.results.runs.record import Series

LABELS = st.lists(st.text("mWil_ :abc", min_size=1, max_size=80), min_size=1, max_size=9)


def _figure(labels: list[str]) -> Any:
    one = np.arange(3, dtype=np.float64)
    series = Series(one, one, one, one)
    tracks = [plots.Track(label, series) for label in labels]
    return plots.line_chart(themes.LIGHT, tracks, x_label="x", y_label="y")


def _assert_legend_inside(figure: Any) -> None:
    figure.set_dpi(50)
    figure.canvas.draw()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1, "the legend is cut off"


@pytest.mark.parametrize(
    "labels",
    [
        ["self model: policy share", "self model: gradient cosine"],
        ["mind states: policy share", "mind states: gradient cosine", "no common direction"],
        ["an auxiliary with a very long name indeed: gradient cosine of everything it has"] * 3,
        ["M" * 50] * 4,
    ],
)
def test_the_legend_of_long_names_is_not_cut_off(labels: list[str]) -> None:
    _assert_legend_inside(_figure(labels))


@given(LABELS)
@settings(max_examples=15, deadline=None)
def test_no_legend_is_cut_off(labels: list[str]) -> None:
    visible = [label for label in labels if label.strip() and not label.startswith("_")]
    if visible:
        _assert_legend_inside(_figure(visible))
