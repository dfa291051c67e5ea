"""The ring forgets the oldest, and codes of position say what they claim."""

from __future__ import annotations

import numpy as np
import pytest

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.memory.ring import RingBuffer, place_code, rotary, sinusoids


def test_the_oldest_is_forgotten_first() -> None:
    ring = RingBuffer(3, 1)
    for value in range(5):
        ring.append([value])
    assert ring.read().tolist() == [[2.0], [3.0], [4.0]]
    ring.clear()
    assert len(ring) == 0
    assert ring.read().shape == (0, 1)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match="2 numbers"):
        RingBuffer(3, 2).append([1.0])
    with pytest.raises(ConfigError):
        RingBuffer(0, 2)


def test_inner_products_after_turning_depend_on_the_difference_of_positions() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 8))
    near = rotary(first, 5) @ rotary(second, 2)
    assert rotary(first, 105) @ rotary(second, 102) == pytest.approx(near, abs=1e-4)
    assert rotary(first, 105) @ rotary(second, 5) != pytest.approx(near, abs=1e-2)
    assert np.linalg.norm(rotary(first, 9)) == pytest.approx(np.linalg.norm(first), rel=1e-5)


def test_sinusoids_tell_positions_apart() -> None:
    codes = sinusoids(np.arange(200), 16)
    gaps = np.linalg.norm(codes[:, None] - codes[None], axis=-1) + np.eye(200)
    assert gaps.min() > 0.05
    with pytest.raises(ConfigError, match="even"):
        sinusoids([1], 3)


def test_place_codes_are_largest_at_their_centre() -> None:
    centres = np.array([[0.0, 0.0], [1.0, 0.0]])
    code = place_code([[0.0, 0.0], [0.5, 0.0]], centres, 0.5)
    assert code[0].tolist() == [1.0, pytest.approx(np.exp(-2.0))]
    assert code[1, 0] == code[1, 1]
