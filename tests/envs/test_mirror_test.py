"""MirrorTest: any PettingZoo environment, with recognition as its last step, for trainers that know
nothing of it."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test

import mirrorenv
from mirrorenv.envs.adapters.mirror_test import ACTING, RECOGNISING, WAITING, MirrorTest
from mirrorenv.envs.adapters.mirror_test_record import MAX_SHOWN
from mirrorenv.errors import ConfigError, WorldError
from mirrorenv.mirror import lineup_permutations
from tests.envs.masked import Nim
from tests.envs.strangers import Broken, Dying, Many, Pictures, Roles, Stranger
from tests.envs.world_cases import CASES

Played = list[tuple[dict[Any, Any], dict[Any, Any], Any]]

CASES_HERE = [
    pytest.param(lambda case=case: mirrorenv.make(case.id, **case.kwargs), id=str(case))
    for case in CASES
    if case.batch(1).num_agents > 1
]
CASES_HERE += [pytest.param(kind, id=kind.__name__) for kind in (Stranger, Dying, Many, Pictures)]


def sampled(env: Any) -> dict[Any, Any]:
    return {agent: env.action_space(agent).sample() for agent in env.agents}


def seeded(env: Any, seed: int) -> Any:
    for i, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(seed + i)
    return env


def play(env: Any, seed: int | None, answer: Any = sampled) -> Played:
    """Whole episode: (observations before, actions, what step returned) of every step."""
    observations, _ = env.reset(seed=seed)
    record = []
    while env.agents:
        actions = answer(env)
        result = env.step(actions)
        record.append((observations, actions, result))
        observations = result[0]
    return record


@pytest.mark.parametrize("make", CASES_HERE)
def test_pettingzoos_own_tests_pass_without_a_warning(make: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(MirrorTest(make()), num_cycles=60)
        parallel_seed_test(lambda: MirrorTest(make()), num_cycles=20)


# PettingZoo would rather have a Box
@pytest.mark.filterwarnings("ignore:Observation", "ignore:Action space")
def test_turn_by_turn_is_a_conversion_away_in_both_directions() -> None:
    from mpe2 import simple_spread_v3
    from pettingzoo.utils.conversions import aec_to_parallel

    env = MirrorTest(simple_spread_v3.env(max_cycles=4))  # an AEC environment
    api_test(env.aec(), num_cycles=30)
    assert aec_to_parallel(env.aec()) is env
    assert len(play(env, 1)) == 5
    with pytest.raises(WorldError, match="is_parallelizable"):
        MirrorTest(Nim())


@pytest.mark.parametrize("make", CASES_HERE)
def test_every_observation_is_in_its_space_and_all_agents_end_together(make: Any) -> None:
    env = seeded(MirrorTest(make()), 5)
    before = {
        agent: (env.observation_space(agent), env.action_space(agent))
        for agent in env.possible_agents
    }
    record = play(env, 3)
    for observations, _, (after, rewards, over, late, infos) in record:
        for answers in (observations, after, rewards, over, late, infos):
            # nobody leaves early, and nobody comes back
            assert list(answers) == env.possible_agents
        for agent, (sight, acts) in before.items():
            assert observations[agent] in sight and after[agent] in sight
            assert env.observation_space(agent) is sight and env.action_space(agent) is acts
            assert type(rewards[agent]) is float and not late[agent]
    assert [any(step[2][2].values()) for step in record] == [False] * (len(record) - 1) + [True]
    assert all(record[-1][2][2].values())


@pytest.mark.parametrize("make", CASES_HERE)
def test_a_seed_fixes_whole_episodes_and_those_after_it(make: Any) -> None:
    def two_episodes() -> list[Any]:
        env = seeded(MirrorTest(make()), 1)
        return [play(env, 11), play(env, None)]

    first, second = two_episodes(), two_episodes()
    same(first, second)
    assert first[0][-1][2][4] != first[1][-1][2][4]  # the seed that the reveal names is a new one


def same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            same(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            same(a, b)
    else:
        np.testing.assert_array_equal(one, other)


def pickled(env: Any) -> Any:
    return pickle.loads(pickle.dumps(env))  # noqa: S301  (our own)


@pytest.mark.parametrize("copier", [pickled, copy.deepcopy])
def test_a_copy_made_in_mid_episode_goes_on_alike(copier: Any) -> None:
    env = seeded(MirrorTest(mirrorenv.make("mirrorenv/ants-v0", food=True)), 2)
    env.reset(seed=4)
    for _ in range(20):
        env.step(sampled(env))
    twin = copier(env)
    while env.agents:
        same(env.step(sampled(env)), twin.step(sampled(twin)))
    assert not twin.agents


@pytest.mark.parametrize("make", CASES_HERE)
def test_before_the_end_it_is_the_environment_of_the_same_seed(make: Any) -> None:
    env, bare = seeded(MirrorTest(make()), 7), make()
    record = play(env, 9)
    seen, _ = bare.reset(seed=9)
    for observations, actions, (_, rewards, *_) in record[:-1]:
        alive = list(bare.agents)
        for agent in env.possible_agents:
            assert observations[agent]["phase"] == (ACTING if agent in alive else WAITING)
            assert not any(
                part.any()
                for name, part in observations[agent].items()
                if name.startswith("lineup")
            )
            if isinstance(bare.observation_space(agent), spaces.Box):
                expected = (
                    seen[agent]
                    if agent in alive
                    else np.zeros_like(seen.get(agent, observations[agent]["observation"]))
                )
                np.testing.assert_array_equal(observations[agent]["observation"], expected)
        seen, paid, *_ = bare.step({agent: actions[agent]["act"] for agent in alive})
        assert rewards == {agent: float(paid.get(agent, 0.0)) for agent in env.possible_agents}
    assert not bare.agents
    assert all(o["phase"] == RECOGNISING for o in record[-1][0].values())


def test_lineups_show_what_everybody_saw_and_did_each_in_its_own_order() -> None:
    env = seeded(MirrorTest(Dying(4, 30)), 3)
    record = play(env, 21)
    names = env.possible_agents
    lengths = [sum(step[0][agent]["phase"] == ACTING for step in record) for agent in names]
    assert len(set(lengths)) > 1
    reveal = record[-1][2][4]
    orders = set()
    for j, observer in enumerate(names):
        shown = record[-1][0][observer]
        order = reveal[observer]["mirror"]["permutation"]
        np.testing.assert_array_equal(order, lineup_permutations("mirror-test", [21], j, 4)[0])
        orders.add(tuple(order))
        for slot, n in enumerate(order):
            lived = lengths[n]
            np.testing.assert_array_equal(shown["lineup_mask"][slot], np.arange(30) < lived)
            for t in range(lived):
                author = names[n]
                np.testing.assert_array_equal(
                    shown["lineup_observations"][slot, t],
                    record[t][0][author]["observation"].astype(np.float32),
                )
                np.testing.assert_array_equal(
                    shown["lineup_actions"][slot, t], np.eye(3)[record[t][1][author]["act"]]
                )
            assert not shown["lineup_observations"][slot, lived:].any()
    assert len(orders) > 1


@pytest.mark.parametrize("make", CASES_HERE)
def test_before_the_reveal_names_reach_nobody(make: Any) -> None:
    """Before the last answer the trajectories are shown in slot order: undo that order, and no
    trace of it is left."""
    shown, orders = [], []
    for run in ("one", "another"):
        env = seeded(MirrorTest(make(), run=run), 1)
        record = play(env, 12)
        reveal = record[-1][2][4]
        order = {agent: reveal[agent]["mirror"]["permutation"] for agent in env.possible_agents}
        undone = {
            agent: {
                name: part[np.argsort(order[agent])] if name.startswith("lineup") else part
                for name, part in record[-1][0][agent].items()
            }
            for agent in env.possible_agents
        }
        # with infos
        before = [(observations, answer[4]) for observations, _, answer in record[:-1]]
        assert not any(
            secret in info
            for _, infos in before
            for info in infos.values()
            for secret in ("seed", "mirror")
        )
        shown.append([*before, undone])
        orders.append([tuple(order[agent]) for agent in env.possible_agents])
    assert len(env.possible_agents) == 2 or orders[0] != orders[1]
    same(*[[step if isinstance(step, dict) else step[1] for step in one] for one in shown])
    same(*[[step[0] for step in one[:-1]] for one in shown])


def test_no_action_can_change_what_a_lineup_will_show_in_which_slot() -> None:
    orders = set()
    for answers in range(4):
        env = seeded(MirrorTest(Stranger()), answers)
        reveal = play(env, 5)[-1][2][4]
        orders.add(
            tuple(tuple(reveal[agent]["mirror"]["permutation"]) for agent in env.possible_agents)
        )
    assert len(orders) == 1


def test_an_episode_that_does_not_end_is_cut_at_the_horizon() -> None:
    env = seeded(MirrorTest(Stranger(3, 50), horizon=4), 0)
    record = play(env, 1)
    assert len(record) == 5 and record[-1][0]["one_0"]["lineup_mask"].shape == (3, 4)
    assert {info["ended"] for info in record[-1][2][4].values()} == {"truncated"}


def test_what_cannot_be_a_mirror_test_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match="pad=True"):
        MirrorTest(Roles())
    assert play(seeded(MirrorTest(Roles(), pad=True), 1), 1)
    assert play(seeded(MirrorTest(Roles(), show="actions"), 1), 1)
    with pytest.raises(ConfigError, match="one agent"):
        MirrorTest(Stranger(1))
    with pytest.raises(ConfigError, match=rf"{MAX_SHOWN:,}.*show='actions'"):
        MirrorTest(Pictures(40, 2000))
    with pytest.raises(WorldError, match="no PettingZoo"):
        MirrorTest(object())
    for arguments in (
        {"weight": -1.0},
        {"legibility": np.nan},
        {"floor": 0.5},
        {"score": "crps"},
        {"show": "all"},
        {"decode": "guess"},
        {"horizon": 0},
    ):
        with pytest.raises(ConfigError):
            MirrorTest(Stranger(), **arguments)


@pytest.mark.parametrize(
    "fault", ["no reward", "no flag", "no observation", "comes back", "joins late", "wrong shape"]
)
def test_a_broken_environment_is_named(fault: str) -> None:
    with pytest.raises(WorldError, match="one_1"):
        play(seeded(MirrorTest(Broken(fault)), 1), 1)


def test_steps_that_nobody_may_take_are_refused() -> None:
    env = seeded(MirrorTest(Stranger()), 1)
    with pytest.raises(WorldError, match="reset"):
        env.step({})
    env.reset(seed=1)
    with pytest.raises(WorldError, match="missing"):
        env.step({"one_0": {"act": 0}})
    with pytest.raises(WorldError, match="'act' and 'evidence'"):
        env.step(dict.fromkeys(env.agents, 1))


def test_our_own_batch_takes_the_wrapper_off_and_says_so() -> None:
    with pytest.warns(UserWarning, match="taken off"):
        world = mirrorenv.make_batch(lambda: mirrorenv.MirrorTest(Stranger()), 2)
    bare = mirrorenv.make_batch(Stranger, 2)
    np.testing.assert_array_equal(world.reset([1, 2]), bare.reset([1, 2]))
    assert world.horizon == bare.horizon == 6
