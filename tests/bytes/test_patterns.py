"""Loops, copies and phases of going haywire are found where they were put, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorenv.bytes.patterns import Phase, astray, loop_of, phases, unit_of


@pytest.mark.parametrize(
    ("trace", "round_made"),
    [([0, 0, 0], (0,)), ([0, 2, 5, 2, 5, 2, 5], (2, 5)), ([0, 1, 2, 3], ()), ([], ()), ([7], ())],
)
def test_the_round_at_the_end_of_a_trace_is_found(
    trace: list[int], round_made: tuple[int, ...]
) -> None:
    assert loop_of(trace) == round_made


@given(st.binary(min_size=1, max_size=6), st.integers(2, 9), st.integers(0, 5))
def test_a_piece_that_is_repeated_is_found(piece: bytes, times: int, more: int) -> None:
    said = piece * times + piece[: more % len(piece)]
    unit = unit_of(said)
    assert len(unit) <= len(piece)
    assert (unit * len(said))[: len(said)] == said


def test_random_bytes_repeat_nothing() -> None:
    rng = np.random.default_rng(0)
    assert all(unit_of(said) == said for said in (rng.bytes(64) for _ in range(200)))


def test_two_strange_utterances_in_a_row_are_a_phase_and_one_is_not() -> None:
    rng = np.random.default_rng(0)
    said = rng.choice(np.arange(64, 96), (30, 8, 32)).astype(np.uint8)
    assert not astray(said).any()
    said[4, 2:5] = 250
    said[9, 1] = 250
    said[20, 6:] = 64
    assert phases(astray(said)) == [Phase(4, 2, 4), Phase(20, 6, 7)]
