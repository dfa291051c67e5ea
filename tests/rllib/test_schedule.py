"""When a run is evaluated, and on how many episodes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorenv.rllib.schedule import FEWEST, SHARE, Schedule, schedule
from mirrorenv.rllib.settings import RunSettings


def plan_of(steps: int, horizon: int = 32, **evaluation: int) -> Schedule:
    settings = {"world": "w", "total_steps": steps, "evaluation": evaluation}
    return schedule(RunSettings.checked(settings), horizon)


@given(
    steps=st.integers(1, 10**8),
    horizon=st.integers(1, 1000),
    checkpoints=st.integers(1, 50),
    episodes=st.integers(8, 1000),
)
def test_evaluations_on_the_way_are_a_small_share_of_what_is_trained_on(
    steps: int, horizon: int, checkpoints: int, episodes: int
) -> None:
    plan = plan_of(steps, horizon, checkpoints=checkpoints, episodes=episodes)
    assert plan.iterations in plan.due and min(plan.due) >= 1
    assert len(plan.due) == min(checkpoints, plan.iterations)
    assert min(FEWEST, episodes) <= plan.before_last <= plan.episodes == episodes
    trained = 256 * plan.iterations
    if plan.before_last > FEWEST:
        assert plan.before_last * len(plan.due) * SHARE <= trained


def test_the_default_run_on_ants_has_thirty_episodes_on_the_way_and_a_long_run_all() -> None:
    assert plan_of(150_000).before_last == 30
    assert plan_of(2_000_000).before_last == 256


@pytest.mark.parametrize(("named", "found"), [(0, 256), (64, 64), (1000, 256)])
def test_what_is_named_is_done(named: int, found: int) -> None:
    assert plan_of(150_000, episodes_before_last=named).before_last == found
