"""Spaces of others as RLlib's default networks know them: nothing is lost going in, everything is
legal coming out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.spaces.utils import flatten
from hypothesis import given, settings
from hypothesis import strategies as st
from ray.rllib.core.models.catalog import Catalog

from mirrorenv.errors import WorldError
from mirrorenv.rllib.plain_spaces import PlainActs, PlainSight

_boxes = st.lists(st.integers(1, 3), max_size=4).map(
    lambda shape: spaces.Box(-2, 3, tuple(shape), np.float32)
)
_choices = st.builds(
    lambda n, start: spaces.Discrete(n, start=start), st.integers(1, 4), st.integers(-2, 2)
)
_several = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(spaces.MultiDiscrete)
_grids = st.builds(
    lambda rows, start: spaces.MultiDiscrete(
        np.full((rows, 2), 3), start=np.full((rows, 2), start)
    ),
    st.integers(1, 2),
    st.integers(-1, 1),
)
_leaves = st.one_of(_boxes, _choices, _several, _grids, st.integers(1, 3).map(spaces.MultiBinary))
ANY = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3).map(spaces.Dict),
        st.lists(inner, min_size=1, max_size=3).map(spaces.Tuple),
    ),
    max_leaves=4,
)


@given(native=ANY, seed=st.integers(0, 1000))
@settings(max_examples=150, deadline=None)
def test_what_is_drawn_is_legal_and_rllib_has_a_distribution_for_it(native: Any, seed: int) -> None:
    acts = PlainActs(native, "somewhere")
    acts.space.seed(seed)
    assert native.contains(acts.write(acts.space.sample()))
    assert Catalog._get_dist_cls_from_action_space(acts.space, framework="torch") is not None


@given(native=ANY, seed=st.integers(0, 1000))
@settings(max_examples=150, deadline=None)
def test_what_is_seen_is_a_vector_or_an_image_with_the_same_numbers(native: Any, seed: int) -> None:
    sight = PlainSight(native, "somewhere")
    native.seed(seed)
    value = native.sample()
    shown = sight.read(value)
    assert sight.space.contains(shown)
    assert shown.ndim in (1, 3)
    assert (shown.ravel() == flatten(native, value)).all()


def test_every_value_of_a_choice_can_be_drawn() -> None:
    acts = PlainActs(
        spaces.Dict({"turn": spaces.Discrete(3, start=-1), "lamps": spaces.MultiBinary(2)}),
        "somewhere",
    )
    written = [acts.write({"turn": turn, "lamps": np.array([1, 0])}) for turn in range(3)]
    assert [one["turn"] for one in written] == [-1, 0, 1]
    assert written[0]["lamps"].tolist() == [1, 0]


@pytest.mark.parametrize("native", [spaces.Box(0, 5, (2,), np.int64), spaces.Text(4)], ids=str)
def test_what_rllib_cannot_draw_is_refused_with_a_remedy(native: Any) -> None:
    with pytest.raises(WorldError, match=r"somewhere, part: RLlib draws no actions.*What works"):
        PlainActs(spaces.Dict({"part": native}), "somewhere")


def test_an_observation_that_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="does not belong"):
        PlainSight(spaces.Dict({"room": spaces.Discrete(3)}), "somewhere").read({"room": 7})
