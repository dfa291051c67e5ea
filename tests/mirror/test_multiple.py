"""Holm's correction: by hand, against his own procedure step by step, and between what bounds
it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorenv.errors import ShapeError
from mirrorenv.mirror import holm

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=8)


@given(p_values)
def test_holm_lies_between_the_raw_p_values_and_bonferroni(raw: list[float]) -> None:
    corrected = holm(raw)
    assert (corrected >= np.array(raw) - 1e-15).all()
    assert (corrected <= np.minimum(1, len(raw) * np.array(raw)) + 1e-15).all()
    assert (np.diff(corrected[np.argsort(raw, kind="stable")]) >= 0).all()


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])


@given(p_values, st.sampled_from([0.01, 0.05, 0.2]))
def test_what_is_rejected_is_what_holms_steps_reject(raw: list[float], level: float) -> None:
    rejected = [False] * len(raw)
    for rank, i in enumerate(sorted(range(len(raw)), key=lambda i: raw[i])):
        if raw[i] * (len(raw) - rank) > level:
            break
        rejected[i] = True
    assert (holm(raw) <= level).tolist() == rejected


def test_no_tests_and_no_probabilities() -> None:
    assert holm([]).shape == (0,)
    for wrong in ([1.5], [-0.1], [float("nan")], [[0.1]]):
        with pytest.raises(ShapeError):
            holm(wrong)
