"""Worlds as a VecEnv: what Stable-Baselines3 is given is what the world plays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

import mirrorenv
from mirrorenv.errors import ConfigError, UnknownNameError, WorldError
from mirrorenv.population.experience import world_seeds
from tests.envs.strangers import Dying, Pictures, Stranger
from tests.envs.world_cases import CASES

pytest.importorskip("stable_baselines3", reason="needs the extra 'sb3': pip install '.[sb3]'")

from mirrorenv.sb3 import SharedPolicyVecEnv, vec_env

ROWS = 3


def random_actions(env: SharedPolicyVecEnv) -> Any:
    return np.stack([env.action_space.sample() for _ in range(env.num_envs)])


def seen_by(observations: Any, env: SharedPolicyVecEnv) -> Any:
    """(R, N, *obs) of the world, without ids."""
    observations = (
        observations["observation"]
        if isinstance(observations, dict)
        else observations[:, : -env.num_agents]
    )
    return observations.reshape(len(env.rows), env.num_agents, *observations.shape[1:])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_plays_the_worlds_episodes_one_after_the_other(case: Any) -> None:
    env = vec_env(case.id, ROWS, seed=5, **case.kwargs)
    env.action_space.seed(0)
    observations, started = env.reset(), ROWS
    worlds = [case.batch(1) for _ in range(ROWS)]
    now = [world.reset(world_seeds(5, np.array([row]))) for row, world in enumerate(worlds)]
    for _ in range(2 * worlds[0].horizon + 3):
        np.testing.assert_array_equal(seen_by(observations, env), np.concatenate(now))
        actions = random_actions(env)
        observations, rewards, dones, infos = env.step(actions)
        for row, world in enumerate(worlds):
            step = world.step(actions.reshape(ROWS, env.num_agents, *actions.shape[1:])[row][None])
            mine = slice(row * env.num_agents, (row + 1) * env.num_agents)
            np.testing.assert_array_equal(rewards[mine], step.rewards[0])
            over = (step.terminated | step.truncated).all()
            assert (dones[mine] == over).all()
            now[row] = step.observations
            if over:
                last = np.stack([info["terminal_observation"] for info in infos[mine]])
                np.testing.assert_array_equal(last[:, : -env.num_agents], step.observations[0])
                told = [info["TimeLimit.truncated"] for info in infos[mine]]
                assert told == (step.truncated & ~step.terminated)[0].tolist()
                now[row] = world.reset(world_seeds(5, np.array([started])))
                started += 1
    assert started > ROWS


def test_the_shared_policy_is_told_who_acts_unless_it_is_not_to_know() -> None:
    env = vec_env("mirrorenv/ants-v0", 2)
    assert env.num_envs == 8 and env.observation_space.shape == (2 + 4,)
    np.testing.assert_array_equal(env.reset()[:, -4:], np.tile(np.eye(4), (2, 1)))
    assert vec_env("mirrorenv/ants-v0", 2, agent_id=False).reset().shape == (8, 2)
    pictures = vec_env(Pictures, 2)
    assert isinstance(pictures.observation_space, spaces.Dict)
    shown = pictures.reset()
    assert shown["observation"].shape == (6, 4, 5, 3) and shown["agent"].shape == (6, 3)
    for index in range(6):
        assert {name: part[index] for name, part in shown.items()} in pictures.observation_space


def test_stable_baselines_own_check_of_spaces_and_seeds() -> None:
    def episode(env: SharedPolicyVecEnv) -> Any:
        env.action_space.seed(1)
        return [env.reset(), *(env.step(random_actions(env))[:3] for _ in range(9))]

    one, two, other = (vec_env("mirrorenv/pacmen-v0", 2, seed=seed) for seed in (1, 2, 3))
    two.seed(1)
    other.seed(4)
    for a, b, c in zip(episode(one)[1:], episode(two)[1:], episode(other)[1:], strict=True):
        np.testing.assert_array_equal(a[0], b[0])
        assert a[0].shape == c[0].shape
    assert one.get_attr("num_agents") == [4] * 8
    assert one.env_is_wrapped(object) == [False] * 8
    one.render_mode = "rgb_array"
    assert len([picture for picture in one.get_images() if picture is not None]) == 2


def test_agents_of_a_row_end_together_and_the_dead_earn_nothing() -> None:
    env = vec_env(lambda: Dying(3, 20), 4, mirror={})
    env.reset()
    assert env.log is not None
    waited = 0
    for _ in range(60):
        _, rewards, dones, infos = env.step(np.full(12, 2))
        assert (dones.reshape(4, 3).all(1) == dones.reshape(4, 3).any(1)).all()
        waited += int((rewards == 0).sum())  # the living earn 2 and more
        for info in np.array(infos)[dones]:
            assert not info["TimeLimit.truncated"]
            assert info["episode"]["r"] >= 2 * info["episode"]["l"]
    assert waited
    for segment in env.log.rollout():
        assert (
            segment.mask.sum() < 3 * segment.length
            or segment.length == 1
            or segment.mask[: segment.length].all()
        )
        assert (segment.rewards[segment.mask] >= 2).all() and not segment.rewards[
            ~segment.mask
        ].any()


def test_the_clock_is_bootstrapped_from_only_without_a_lineup() -> None:
    for options, told in (
        ({}, True),
        ({"mirror": {}}, False),
        ({"mirror": {}, "bootstrap": True}, True),
    ):
        env = vec_env("mirrorenv/ants-v0", 1, horizon=2, **options)
        env.reset()
        env.step(np.ones(4, int))
        infos = env.step(np.ones(4, int))[3]
        assert [info["TimeLimit.truncated"] for info in infos] == [told] * 4


def test_the_log_holds_every_episode_of_the_rollout_from_its_start() -> None:
    env = vec_env("mirrorenv/ants-v0", 2, horizon=5, mirror={})
    observations, log = env.reset(), env.log
    assert log is not None
    history = []
    for rollout in range(4):
        log.start_rollout()
        for _ in range(7):
            actions = random_actions(env)
            history.append((observations, actions))
            observations = env.step(actions)[0]
        counted = np.zeros((7, 2), int)
        for segment in log.rollout():
            # global step at which the episode began
            start = rollout * 7 + segment.first - segment.before
            for t in range(segment.length):
                seen, done = history[start + t]
                np.testing.assert_array_equal(
                    segment.observations[t], seen_by(seen, env)[segment.row]
                )
                np.testing.assert_array_equal(segment.actions[t], done.reshape(2, 4)[segment.row])
            assert segment.whole == (segment.length == 5) and start % 5 == 0
            counted[
                segment.first : segment.first + segment.length - segment.before, segment.row
            ] += 1
        assert (counted == 1).all()


def test_what_cannot_be_is_refused() -> None:
    for count in (0, 1.5, True):
        with pytest.raises(ConfigError, match="num_envs"):
            vec_env("mirrorenv/ants-v0", count)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="ants-v0"):
        vec_env("mirrorenv/ant-v0", 1)
    with pytest.raises(ConfigError, match="pays for recognition itself"):
        vec_env(lambda: mirrorenv.MirrorTest(Stranger()), 1, mirror={})
    with pytest.raises(WorldError, match="could not be made"):
        vec_env(lambda: 1 / 0, 1)


def test_a_mirror_test_is_played_with_its_recognition_phase() -> None:
    env = vec_env(lambda: mirrorenv.MirrorTest(Dying(3, 4)), 2)
    assert env.action_space.shape == (3 + 9,) and env.num_envs == 6
    observations = env.reset()
    phases = []
    for _ in range(40):
        for index in range(6):
            assert {
                name: part[index] for name, part in observations.items()
            } in env.observation_space
        phases.append(observations["phase"].reshape(2, 3))
        observations, rewards, dones, infos = env.step(random_actions(env))
        recognising = phases[-1] == 2
        assert (dones.reshape(2, 3) == recognising).all()
        for index in np.flatnonzero(dones):
            assert rewards[index] == pytest.approx(infos[index]["mirror"]["recognition"], abs=1e-6)
    assert {0, 1, 2} <= set(np.array(phases).ravel().tolist())


def test_runs_with_other_seeds_play_other_games() -> None:
    games = []
    for run in (0, 1, 2**31 - 1):
        env = vec_env(lambda: mirrorenv.MirrorTest(Stranger()), 4, seed=run)
        env.reset()
        games += [row.env._seed for row in env.rows]  # type: ignore[attr-defined]
    assert len(set(games)) == 12 and max(games) < 2**31
    assert games[:4] == [0, 1, 2, 3]  # of run 0, as ever


def test_the_largest_number_is_the_choice_and_the_rest_is_the_evidence() -> None:
    env = vec_env(lambda: mirrorenv.MirrorTest(Stranger(2, 1)), 1, agent_id=False)
    env.reset()
    vector = np.arange(7, dtype=np.float32)
    env.step(np.stack([vector, vector[::-1] - 6]))
    assert env.rows[0].env.env.received == [{"one_0": 2, "one_1": 0}]  # type: ignore[attr-defined]
    infos = env.step(np.stack([vector, vector]))[3]
    expected = np.exp([[3.0, 4], [5, 6]])
    np.testing.assert_allclose(
        infos[0]["mirror"]["belief"], expected / expected.sum(1, keepdims=True)
    )
