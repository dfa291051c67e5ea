"""The numbers a local model computes with: rounded ones only where they are clearly faster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mirrorenv.llm import precision
from mirrorenv.llm.options import LocalOptions


@pytest.fixture(autouse=True)
def _measured_again() -> Iterator[None]:
    precision.fastest_dtype.cache_clear()
    yield
    precision.fastest_dtype.cache_clear()


@pytest.mark.parametrize(
    ("float32", "bfloat16", "taken"),
    [(1.0, 5.3, "float32"), (1.0, 0.9, "float32"), (1.0, 0.5, "bfloat16")],
)
def test_rounding_is_taken_only_where_it_is_clearly_faster(
    float32: float, bfloat16: float, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {"float32": float32, "bfloat16": bfloat16}
    monkeypatch.setattr(precision, "_seconds", seconds.__getitem__)
    assert precision.resolved_dtype("auto") == taken
    assert [precision.resolved_dtype(name) for name in seconds] == list(seconds)


def test_a_card_that_says_nothing_means_float32_and_may_ask_for_what_is_faster() -> None:
    assert LocalOptions().dtype == "float32"
    assert LocalOptions(dtype="auto").dtype == "auto"


def test_what_is_measured_is_one_of_the_two() -> None:
    pytest.importorskip("torch")
    assert precision.fastest_dtype() in ("float32", "bfloat16")
