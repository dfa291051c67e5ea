"""What stands around a world passes on everything it does not answer itself."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mirrorenv
from mirrorenv.envs import ArrayWorld, UniformPolicy, play_episodes
from mirrorenv.envs.checks.validation import ValidatedWorld
from mirrorenv.envs.checks.watch import WatchedWorld
from mirrorenv.envs.wrapper import WorldWrapper
from tests.envs.strangers import Stranger
from tests.envs.world_cases import CASES, Case

WRAPPERS: dict[str, Callable[[ArrayWorld], ArrayWorld]] = {
    "bare": WorldWrapper,
    "validated": lambda world: ValidatedWorld(world, "here/x-v0"),
    "watched": lambda world: WatchedWorld(world, "here/x-v0", 0.0),
    "both": lambda world: WatchedWorld(ValidatedWorld(world, "here/x-v0"), "here/x-v0", 0.0),
}
every_wrapper = pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
# what a wrapper is there to answer itself
OWN = {"reset", "step", "world", "guard"}


def public(world: ArrayWorld) -> set[str]:
    return {name for name in dir(world) if not name.startswith("_")} - OWN


def assert_passed_on(world: ArrayWorld, wrapped: ArrayWorld) -> None:
    for name in public(world):
        inside, outside = getattr(world, name), getattr(wrapped, name)
        if isinstance(inside, np.ndarray):
            np.testing.assert_array_equal(outside, inside, err_msg=name)
        else:
            assert outside is inside or outside == inside, name


@every_wrapper
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_public_attribute_of_a_world_is_kept(case: Case, wrap: Any) -> None:
    world = case.batch(2)
    wrapped = wrap(world)
    assert_passed_on(world, wrapped)
    wrapped.reset([1, 2])
    assert_passed_on(world, wrapped)  # also what changes, and what there is only now
    assert wrapped.unwrapped is world and isinstance(wrapped, ArrayWorld)


@every_wrapper
def test_a_batch_of_somebody_elses_copies_is_passed_on_too(wrap: Any) -> None:
    world = mirrorenv.make_batch(Stranger, 2)
    assert_passed_on(world, wrap(world))


@every_wrapper
def test_columns_keep_the_names_that_the_world_gives_them(wrap: Any) -> None:
    wrapped = wrap(mirrorenv.make_batch("mirrorenv/turn-v0", 1))
    assert wrapped.column_names[0] == "other agent at (-1, -1)"
    assert wrapped.place_columns == () and wrapped.render_modes == ("rgb_array",)


@every_wrapper
@pytest.mark.parametrize("copier", [copy.deepcopy, lambda w: pickle.loads(pickle.dumps(w))])  # noqa: S301  (our own)
def test_a_copy_of_a_wrapped_world_plays_on(wrap: Any, copier: Any) -> None:
    wrapped = wrap(mirrorenv.make_batch("mirrorenv/ants-v0", 2))
    wrapped.reset([1, 2])
    twin = copier(wrapped)
    actions = UniformPolicy(wrapped)(np.zeros(0, np.float32), 0)
    for mine, theirs in zip(wrapped.step(actions), twin.step(actions), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@every_wrapper
def test_a_name_that_nobody_has_is_an_attribute_error(wrap: Any) -> None:
    wrapped = wrap(mirrorenv.make_batch("mirrorenv/ants-v0", 2))
    assert not hasattr(wrapped, "antennae") and not hasattr(wrapped, "_antennae")


@every_wrapper
def test_the_episode_is_the_worlds(wrap: Any) -> None:
    bare = mirrorenv.make_batch("mirrorenv/dispersion-v0", 3)
    wrapped = wrap(mirrorenv.make_batch("mirrorenv/dispersion-v0", 3))
    one, other = (play_episodes(w, UniformPolicy(w), seeds=[3, 4, 5]) for w in (bare, wrapped))
    np.testing.assert_array_equal(one.observations, other.observations)
    np.testing.assert_array_equal(one.rewards, other.rewards)
