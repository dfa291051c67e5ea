"""A watched world: late calls end, whatever they do; everything else stays as it was."""

from __future__ import annotations

import signal
import time
from typing import Any

import numpy as np
import pytest

import mirrorenv
from mirrorenv.envs.base import Step
from mirrorenv.envs.checks.watch import WatchedWorld
from mirrorenv.errors import WorldError

STAY = np.ones((3, 4), np.int64)


def watched(seconds: float = 0.2) -> WatchedWorld:
    world = WatchedWorld(mirrorenv.make_batch("mirrorenv/ants-v0", 3), "mirrorenv/ants-v0", seconds)
    world.reset([5, 6, 7])
    return world


def step_that(world: WatchedWorld, does: Any) -> None:
    real = world.world.step

    def step(actions: Any) -> Step:
        does()
        return real(actions)

    world.world.step = step  # type: ignore[method-assign]


def test_a_watched_world_answers_as_the_world_does() -> None:
    ours, bare = watched(), mirrorenv.make_batch("mirrorenv/ants-v0", 3)
    np.testing.assert_array_equal(ours.reset([1, 2, 3]), bare.reset([1, 2, 3]))
    for left, right in zip(ours.step(STAY), bare.step(STAY), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.skipif(
    not hasattr(signal, "SIGUSR2"), reason="without signals the process ends instead"
)
def test_a_late_step_names_world_seeds_step_and_the_line_and_the_next_one_is_fine() -> None:
    world = watched()
    step_that(world, lambda: time.sleep(60))
    began = time.monotonic()
    with pytest.raises(
        WorldError,
        match=r"mirrorenv/ants-v0, seeds 5 to 7, step 1, .* within 0\.2 s, at .*test_watch",
    ):
        world.step(STAY)
    assert time.monotonic() - began < 30
    again = watched()
    again.step(STAY)


@pytest.mark.skipif(
    not hasattr(signal, "SIGUSR2"), reason="without signals the process ends instead"
)
def test_an_environment_that_forgives_everything_is_interrupted_all_the_same() -> None:
    def forgiving() -> None:
        try:
            time.sleep(60)
        except Exception:
            time.sleep(60)

    world = watched()
    step_that(world, forgiving)
    with pytest.raises(WorldError, match="did not return"):
        world.step(STAY)


def test_many_quick_calls_are_not_one_late_call() -> None:
    world = watched()
    end = time.monotonic() + 0.8
    while time.monotonic() < end:
        world.reset([5, 6, 7])
        world.step(STAY)


def test_zero_seconds_wait_for_ever() -> None:
    world = watched(0)
    step_that(world, lambda: time.sleep(0.5))
    world.step(STAY)


def test_an_exception_becomes_an_error_with_the_next_command() -> None:
    def fail() -> None:
        raise ZeroDivisionError("1/0")

    world = watched()
    step_that(world, fail)
    with pytest.raises(
        WorldError, match=r"step 1, .*ZeroDivisionError: 1/0.*`mirrorenv check mirrorenv/ants-v0`"
    ):
        world.step(STAY)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR2"), reason="no such signal")
def test_somebody_elses_signal_reaches_its_handler() -> None:
    from mirrorenv.envs.checks import watch

    heard: list[int] = []
    watched()  # has the signal by now
    before = watch._WATCH._previous
    watch._WATCH._previous = lambda number, frame: heard.append(number)
    try:
        signal.raise_signal(signal.SIGUSR2)
    finally:
        watch._WATCH._previous = before
    assert heard == [signal.SIGUSR2]
