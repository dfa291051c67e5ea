"""Playing whole episodes: the record holds what happened, in author order, for each seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mirrorenv
from mirrorenv.envs import play_episodes
from mirrorenv.envs.policies import UniformPolicy
from mirrorenv.envs.worlds.dispersion import Dispersion, GoalSeekers
from mirrorenv.errors import ShapeError, WorldError
from tests.envs.world_cases import CASES


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_record_replays(case):
    """Feeding the recorded actions back gives the recorded observations and rewards, and the mask
    ends the episode."""
    world = case.batch(4)
    record = play_episodes(world, UniformPolicy(world), [5, 6, 7, 8])
    assert (
        record.num_episodes == 4
        and record.horizon == world.horizon
        and record.num_agents == world.num_agents
    )
    seen = world.reset([5, 6, 7, 8])
    live = np.ones((4, world.num_agents), bool)
    for t in range(world.horizon):
        np.testing.assert_array_equal(record.mask[:, t], live)
        np.testing.assert_array_equal(record.observations[:, t][live], seen[live])
        step = world.step(record.actions[:, t])
        np.testing.assert_array_equal(record.rewards[:, t][live], step.rewards[live])
        seen, live = step.observations, live & ~(step.terminated | step.truncated)
    assert not live.any()


@pytest.mark.parametrize("num_envs", [1, 3, 7, 10])
def test_an_episode_depends_on_its_seed_and_not_on_the_turn_it_is_played_in(num_envs):
    seeds = np.arange(20, 27)
    world = Dispersion(num_envs=num_envs)
    record = play_episodes(world, GoalSeekers(world, split=False), seeds)
    whole = Dispersion(num_envs=7)
    expected = play_episodes(whole, GoalSeekers(whole, split=False), seeds)
    for name in ("observations", "actions", "rewards", "mask"):
        np.testing.assert_array_equal(getattr(record, name), getattr(expected, name))


def test_nothing_is_recorded_of_the_finished():
    world = Dispersion(num_envs=6)
    record = play_episodes(world, GoalSeekers(world, split=True), np.arange(6))
    assert record.lengths.max() < world.horizon
    assert not record.observations[~record.mask].any()
    assert not record.actions[~record.mask].any() and not record.rewards[~record.mask].any()


def test_the_policy_is_told_the_step_and_starts_anew_in_each_turn():
    steps: list[int] = []

    def policy(observations, t):
        steps.append(t)
        return np.ones((2, 4), int)

    play_episodes(mirrorenv.make_batch("mirrorenv/ants-v0", 2, horizon=3), policy, [1, 2, 3])
    assert steps == [0, 1, 2, 0, 1, 2]


def test_what_cannot_be_played_is_refused():
    world = mirrorenv.make_batch("mirrorenv/ants-v0", 2)
    with pytest.raises(ShapeError, match="at least one seed"):
        play_episodes(world, lambda seen, t: np.ones((2, 4), int), np.array([], int))
    with pytest.raises(WorldError, match="Ants, step 0, row 0, agent 0"):
        play_episodes(world, lambda seen, t: np.full((2, 4), 3), [1])
    with pytest.raises(ShapeError, match="actions of shape"):
        play_episodes(world, lambda seen, t: np.ones((2, 3), int), [1])


class Counting:
    """A pure policy: every agent goes left until it has been seen twice, then right."""

    def initial_state(self, batch: int) -> np.ndarray:
        return np.zeros(batch, int)

    def step(self, observations: np.ndarray, state: np.ndarray, t: int) -> tuple[np.ndarray, Any]:
        actions = np.where(state[:, None] < 2, 0, 2)
        return np.broadcast_to(actions, observations.shape[:2]), state + 1


def test_what_a_pure_policy_remembers_starts_new_with_every_turn() -> None:
    world = mirrorenv.make_batch("mirrorenv/ants-v0", 2, horizon=4)
    record = play_episodes(world, Counting(), [1, 2, 3])
    expected = np.broadcast_to(np.array([0, 0, 2, 2])[None, :, None], record.actions.shape)
    np.testing.assert_array_equal(record.actions, expected)
    as_function = play_episodes(
        world, lambda seen, t: np.full(seen.shape[:2], 0 if t < 2 else 2), [1, 2, 3]
    )
    np.testing.assert_array_equal(record.observations, as_function.observations)
