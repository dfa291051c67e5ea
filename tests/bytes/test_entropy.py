"""Entropies against SciPy, hand-made cases and what their names promise."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mirrorenv.bytes.entropy import (
    byte_counts,
    byte_entropy,
    count_entropy,
    decayed_counts,
    evenness,
    hilbert_path,
    register_entropy,
    set_point_edit,
    spatial_entropy,
)
from mirrorenv.errors import ConfigError

utterances = st.lists(st.integers(0, 255), min_size=4, max_size=80).map(np.array)


@given(utterances)
@settings(max_examples=60, deadline=None)
def test_byte_entropy_is_scipys_over_its_largest(bytes_: np.ndarray) -> None:
    counts = np.bincount(bytes_, minlength=256)
    np.testing.assert_array_equal(byte_counts(bytes_), counts)
    expected = stats.entropy(counts) / np.log(min(len(bytes_), 256))
    assert byte_entropy(bytes_) == pytest.approx(expected, abs=1e-12)


@given(utterances)
@settings(max_examples=60, deadline=None)
def test_every_entropy_lies_between_0_and_1(bytes_: np.ndarray) -> None:
    for value in (byte_entropy(bytes_), spatial_entropy(bytes_), evenness(bytes_[:4], 4)):
        assert -1e-12 <= value <= 1 + 1e-12


def test_a_constant_has_no_entropy_and_all_bytes_once_have_all() -> None:
    assert byte_entropy(np.full(64, 7)) == 0.0
    assert byte_entropy(np.arange(256)) == pytest.approx(1.0)
    assert byte_entropy(np.arange(64)) == pytest.approx(1.0)


def test_order_separates_spatial_entropy_from_plain_entropy() -> None:
    ordered = np.arange(256)
    shuffled = np.random.default_rng(0).permutation(256)
    assert byte_entropy(ordered) == pytest.approx(byte_entropy(shuffled))
    assert spatial_entropy(ordered) < 0.6 < 0.85 < spatial_entropy(shuffled)


@pytest.mark.parametrize("order", range(5))
def test_the_curve_visits_every_cell_once_and_never_jumps(order: int) -> None:
    path = hilbert_path(order)
    assert len({tuple(cell) for cell in path.tolist()}) == 4**order
    assert path.min() == 0
    assert path.max() == 2**order - 1
    assert (np.abs(np.diff(path, axis=0)).sum(1) == 1).all()


def test_evenness_gives_nothing_for_one_kind_and_all_for_each_kind_alike() -> None:
    assert evenness([9, 0, 0, 0], 4) == 0.0
    assert evenness([3, 3, 3, 3], 4) == pytest.approx(1.0)
    assert evenness([1, 1, 0, 0], 4, floor=4) == pytest.approx(0.25)
    assert evenness([0, 0, 0, 0], 4) == 0.0


def test_running_counts_decay() -> None:
    counts = np.zeros(256)
    for byte in (1, 1, 2):
        counts = decayed_counts(counts, byte_counts(np.array([byte])), 0.5)
    assert counts[1:3].tolist() == [0.75, 1.0]


def test_register_entropy_reads_bytes() -> None:
    assert register_entropy([0] * 16) == 0.0
    words = np.arange(128, dtype=np.uint8).view(np.uint64)
    assert register_entropy(words) == pytest.approx(1.0)


@pytest.mark.parametrize("target", [0.0, 0.4, 0.9])
def test_edits_lead_to_the_set_point(target: float) -> None:
    rng = np.random.default_rng(1)
    utterance = rng.integers(0, 256, 64)
    gaps = []
    for _ in range(1500):
        utterance = set_point_edit(utterance, target, None, rng)
        gaps.append(abs(float(byte_entropy(utterance)) - target))
    assert all(after <= before + 1e-12 for before, after in itertools.pairwise(gaps))
    assert gaps[-1] < 0.03


def test_what_is_out_of_range_is_refused() -> None:
    with pytest.raises(ConfigError, match="kinds"):
        count_entropy([1.0], 1)
    with pytest.raises(ConfigError, match="decay"):
        decayed_counts([1.0], [1.0], 1.5)
    with pytest.raises(ConfigError, match="one byte"):
        byte_entropy(np.array([3]))
