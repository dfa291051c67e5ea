"""The array contract, for every registered world and its variants."""

from __future__ import annotations

import inspect
import pickle
import random

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

import mirrorenv
from mirrorenv.errors import MirrorError, ShapeError, WorldError
from tests.envs.world_cases import (
    CASES,
    Case,
    assert_same,
    has_chance,
    permute_agents,
    play,
    uniform_actions,
)

all_worlds = pytest.mark.parametrize("case", CASES, ids=str)
SEEDS = np.array([3, 14, 15, 92, 65])
PAST_END = 3  # steps taken after the clock has run out


def record_of(case: Case, seeds=SEEDS, action_seed=0):
    world = case.batch(len(seeds))
    return play(world, seeds, uniform_actions(world, world.horizon + PAST_END, action_seed))


@all_worlds
def test_shapes_dtypes_and_spaces_hold_for_a_whole_episode(case):
    world = case.batch(len(SEEDS))
    record = play(world, SEEDS, uniform_actions(world, world.horizon + PAST_END))
    joint = (len(SEEDS), world.num_agents)
    assert record.observations.shape[1:] == (*joint, *world.observation_space.shape)
    assert record.observations.dtype == np.float32 and record.rewards.dtype == np.float32
    assert (
        record.rewards.shape[1:]
        == record.terminated.shape[1:]
        == record.truncated.shape[1:]
        == joint
    )
    assert record.terminated.dtype == record.truncated.dtype == bool
    assert np.isfinite(record.rewards).all()
    low, high = world.observation_space.low, world.observation_space.high
    assert (record.observations >= low).all() and (record.observations <= high).all()
    assert world.observation_space.contains(record.observations[0, 0, 0])


@all_worlds
def test_same_seed_gives_the_same_episode_again(case):
    world = case.batch(len(SEEDS))
    actions = uniform_actions(world, world.horizon + PAST_END)
    first = play(world, SEEDS, actions)
    assert_same(first, play(world, SEEDS, actions))  # a second reset of the same object
    assert_same(first, play(case.batch(len(SEEDS)), SEEDS, actions))


@all_worlds
def test_seed_matters_where_the_world_has_chance_and_only_there(case):
    one, other = record_of(case), record_of(case, seeds=SEEDS + 1000)
    assert (one.observations != other.observations).any() == has_chance(case)


@all_worlds
def test_a_row_of_a_batch_is_the_single_world_with_its_seed(case):
    together = record_of(case, action_seed=7)
    for row, seed in enumerate(SEEDS):
        world = case.batch(1)
        alone = play(world, np.array([seed]), together.actions[:, row : row + 1])
        np.testing.assert_array_equal(alone.observations[:, 0], together.observations[:, row])
        np.testing.assert_array_equal(alone.rewards[:, 0], together.rewards[:, row])
        np.testing.assert_array_equal(alone.terminated[:, 0], together.terminated[:, row])
        np.testing.assert_array_equal(alone.truncated[:, 0], together.truncated[:, row])


@all_worlds
def test_finished_rows_are_frozen_and_all_finish_by_the_horizon(case):
    record = record_of(case)
    over = record.terminated | record.truncated  # (T, B, N)
    assert over[-PAST_END - 1 :].all()
    assert not (record.terminated & record.truncated).any()
    for now, after in ((t, t + 1) for t in range(len(over) - 1)):
        done = over[now]  # (B, N): agents may end one by one
        np.testing.assert_array_equal(
            record.observations[after + 1][done], record.observations[after][done]
        )
        assert (record.rewards[after][done] == 0).all()
        np.testing.assert_array_equal(record.terminated[after][done], record.terminated[now][done])
        np.testing.assert_array_equal(record.truncated[after][done], record.truncated[now][done])


def test_rows_that_end_early_end_at_different_times():
    """The frozen-row test above must meet unequal ends, or it would prove little."""
    case = next(case for case in CASES if case.kwargs.get("goal_radius") == 0.49)
    over = record_of(case, seeds=np.arange(20)).terminated[..., 0]  # (T, B)
    assert len(set(over.argmax(axis=0))) > 5


@all_worlds
def test_answers_belong_to_the_caller(case):
    world, actions = case.batch(2), uniform_actions(case.batch(2), 3)
    world.reset([1, 2])[:] = 7
    answer = world.step(actions[0])
    for array in answer:
        array[:] = 1
    clean = play(case.batch(2), np.array([1, 2]), actions)
    np.testing.assert_array_equal(world.step(actions[1]).observations, clean.observations[2])


@all_worlds
def test_actions_stay_as_they_were_given(case):
    world = case.batch(2)
    actions = uniform_actions(world, 1)[0]
    before = actions.copy()
    world.reset([1, 2])
    world.step(actions)
    np.testing.assert_array_equal(actions, before)


@all_worlds
def test_global_random_state_is_untouched(case):
    ours, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002  # the very thing nobody may touch
    record_of(case)
    env = mirrorenv.make(case.id, **case.kwargs)
    env.reset()
    assert random.getstate() == ours
    after = np.random.get_state()  # noqa: NPY002
    assert after[0] == numpys[0] and after[2:] == numpys[2:]
    np.testing.assert_array_equal(after[1], numpys[1])


@all_worlds
def test_a_pickled_world_goes_on_where_it_was(case):
    world = case.batch(len(SEEDS))
    actions = uniform_actions(world, world.horizon + 1)
    world.reset(SEEDS)
    world.step(actions[0])
    copy = pickle.loads(pickle.dumps(world))  # noqa: S301  # our own bytes
    for joint in actions[1:]:
        for mine, theirs in zip(world.step(joint), copy.step(joint), strict=True):
            np.testing.assert_array_equal(mine, theirs)


@all_worlds
def test_the_state_has_one_row_per_copy_and_follows_seed_and_actions(case):
    world, alone = case.batch(len(SEEDS)), case.batch(1)
    world.reset(SEEDS)
    alone.reset(SEEDS[2:3])
    width = world.state().shape[1]
    assert width >= 1
    for actions in uniform_actions(world, world.horizon):
        state = world.state()
        assert state.shape == (len(SEEDS), width) and state.dtype == np.float32
        assert np.isfinite(state).all()
        np.testing.assert_array_equal(alone.state()[0], state[2])
        world.step(actions)
        alone.step(actions[2:3])
        if not world.finished[2]:
            assert (world.state()[2] != state[2]).any()  # time passes, if nothing else


@all_worlds
def test_a_state_belongs_to_the_caller(case):
    world = case.batch(2)
    first = world.reset([1, 2]).copy()
    before = world.state().copy()
    world.state()[:] = 7
    np.testing.assert_array_equal(world.state(), before)
    np.testing.assert_array_equal(world.reset([1, 2]), first)


@all_worlds
def test_relabelling_the_agents_relabels_everything(case):
    world = case.batch(len(SEEDS))
    if not mirrorenv.spec(case.id).slot_exchangeable or world.agent_state is None:
        pytest.skip("not exchangeable draw by draw; the audit tests it in distribution")
    order = np.random.default_rng(5).permutation(world.num_agents)
    actions = uniform_actions(world, world.horizon)
    plain = play(world, SEEDS, actions)
    world.reset(SEEDS)
    permute_agents(world, order)
    for t, joint in enumerate(actions):
        step = world.step(joint[:, order])
        np.testing.assert_array_equal(step.observations, plain.observations[t + 1][:, order])
        np.testing.assert_array_equal(step.rewards, plain.rewards[t][:, order])


@all_worlds
def test_one_identical_action_for_all_from_one_place_keeps_all_alike(case):
    """No observation tells agents apart whose places are the same: nothing in a world may depend on
    the index."""
    world = case.batch(1)
    if world.agent_state is None:
        pytest.skip("chance differs between agents")
    world.reset([1])
    permute_agents(world, np.zeros(world.num_agents, np.int64))  # all where the first one is
    for actions in uniform_actions(world, world.horizon)[:, :, :1]:
        step = world.step(np.repeat(actions, world.num_agents, axis=1))
        assert (step.observations == step.observations[:, :1]).all()
        assert (step.rewards == step.rewards[:, :1]).all()


@all_worlds
def test_step_before_reset_is_refused(case):
    world = case.batch(2)
    with pytest.raises(WorldError, match="reset"):
        world.step(uniform_actions(world, 1)[0])


@all_worlds
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_actions_outside_the_space_get_a_typed_error(case, data):
    world = case.batch(2)
    world.reset([0, 1])
    good = uniform_actions(world, 1)[0]
    bad = good.astype(np.float64 if isinstance(world.action_space, spaces.Box) else np.int64)
    kind = data.draw(st.sampled_from(["value", "shape", "dtype"]))
    if kind == "value":
        place = tuple(data.draw(st.integers(0, size - 1)) for size in bad.shape)
        if isinstance(world.action_space, spaces.Box):
            bad[place] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf, 1.01, -7.0]))
        else:
            n = int(getattr(world.action_space, "n", 256))  # or bytes
            bad[place] = data.draw(st.integers(-(2**62), -1) | st.integers(n, 2**62))
        with pytest.raises(WorldError, match=rf"row {place[0]}, agent {place[1]}"):
            world.step(bad)
    elif kind == "shape":
        wrong = data.draw(
            st.sampled_from(
                [bad[:1], bad[:, :0], bad[0], bad[..., None], np.concatenate([bad, bad])]
            )
        )
        if wrong.shape != good.shape:
            with pytest.raises(ShapeError, match="shape"):
                world.step(wrong)
    else:
        wrong_dtype = data.draw(
            st.sampled_from([bool, "U3", object] + ([float] if good.dtype == np.int64 else []))
        )
        with pytest.raises(ShapeError, match="dtype"):
            world.step(np.zeros(good.shape, wrong_dtype))
    for mine, clean in zip(
        world.step(good), play(case.batch(2), np.array([0, 1]), good[None])[0:1], strict=False
    ):
        np.testing.assert_array_equal(mine, clean[1])  # a refused action has moved nothing


@all_worlds
@settings(max_examples=10, deadline=None)
@given(seeds=st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=2))
def test_any_unsigned_seed_is_good(case, seeds):
    world = case.batch(2)
    observations = world.reset(np.array(seeds, np.uint64))
    assert np.isfinite(observations).all()


@pytest.mark.parametrize("seeds", [[1], [1, 2, 3], [-1, 2], [0.5, 1.5], [[1, 2]], 5], ids=str)
@all_worlds
def test_wrong_seeds_are_refused(case, seeds):
    with pytest.raises(ShapeError, match="seeds"):
        case.batch(2).reset(seeds)


@all_worlds
@pytest.mark.parametrize("num_envs", [0, -1, True, 2.0, "2"], ids=str)
def test_wrong_batch_sizes_are_refused(case, num_envs):
    with pytest.raises(MirrorError, match="num_envs"):
        case.batch(num_envs)


@all_worlds
def test_the_docstring_is_the_page_of_the_world(case):
    world = case.batch(1)
    page = inspect.getdoc(type(world))
    parts = ["Description", "Agents", "Observation", "Action", "Reward", "Episode end", "Arguments"]
    parts += ["What carries identity, what leaks", "Version history"]
    places = [page.find(f"\n## {part}\n") for part in parts]
    assert -1 not in places and places == sorted(places)
    arguments = page[places[6] : places[7]]
    for name in inspect.signature(type(world)).parameters:
        assert name == "num_envs" or f"`{name}`" in arguments
