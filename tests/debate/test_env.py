"""The game as a PettingZoo environment: spaces that hold, rewards that are proper, an end."""

from __future__ import annotations

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test

import mirrorenv
from mirrorenv.debate.env import within_charset
from mirrorenv.errors import ConfigError, WorldError

SMALL = {"num_players": 3, "rounds": 2, "history_characters": 600, "characters": 60}


def make(**more):
    return mirrorenv.make("mirrorenv/debate-v0", **{**SMALL, **more})


def answers(env, text="words", evidence=None):
    count = len(env.possible_agents)
    given = np.zeros((count, count), np.float32)
    return {
        a: {"text": text, "evidence": given if evidence is None else evidence[a]}
        for a in env.agents
    }


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_it_passes_the_tests_of_pettingzoo():
    parallel_api_test(make(), 20)
    parallel_seed_test(lambda: make(rounds=1), 10)


def test_it_passes_our_own_checker():
    from mirrorenv.envs.checks import check_environment

    report = check_environment("mirrorenv/debate-v0", **{**SMALL, "rounds": 1})
    assert report.passed, report


def test_it_turns_into_an_aec_environment_and_back_to_its_end():
    env = make(rounds=1).aec()
    env.reset(seed=1)
    steps = 0
    for agent in env.agent_iter(60):
        _, _, terminated, truncated, _ = env.last()
        env.step(None if terminated or truncated else env.action_space(agent).sample())
        steps += not (terminated or truncated)
    assert steps == 9  # three agents, three phases


def play(env, evidence, text="hello"):
    """Total rewards of a game in which everybody answers by `evidence(agent, permutation)`."""
    from mirrorenv.debate.rules import Debate

    total = dict.fromkeys(env.possible_agents, 0.0)
    env.reset(seed=5)
    while env.agents:
        given = None
        if env._debate.phase == "recognise":
            assert isinstance(env._debate, Debate)
            reveals = env._debate.rounds[-1].reveals
            given = {a: evidence(i, reveals[i].permutation) for i, a in enumerate(env.agents)}
        _, rewards, *_ = env.step(answers(env, text, given))
        for agent, reward in rewards.items():
            total[agent] += reward
    return np.array(list(total.values()))


def knowing(i, permutation):
    return (20 * np.eye(3)[permutation] - 10).astype(np.float32)


def blank(i, permutation):
    return np.zeros((3, 3), np.float32)


def only_itself(i, permutation):
    table = np.zeros((3, 3), np.float32)
    table[int(np.flatnonzero(permutation == i)[0])] = 10 * np.eye(3)[i]
    return table


def test_knowing_pays_log_n_a_round_and_knowing_nothing_pays_nothing():
    np.testing.assert_allclose(play(make(), knowing), 2 * np.log(3), atol=1e-6)
    np.testing.assert_allclose(play(make(), blank), 0.0, atol=1e-12)


def test_the_own_item_is_paid_apart():
    np.testing.assert_allclose(play(make(), only_itself), 0.0, atol=1e-12)
    np.testing.assert_allclose(play(make(self_weight=1.0), only_itself), 2 * np.log(3), atol=2e-3)
    np.testing.assert_allclose(
        play(make(weight=0.0, legibility=1.0), knowing), 2 * np.log(3), atol=1e-6
    )


def test_any_text_of_the_world_fits_the_space():
    env = make()
    env.reset(seed=0)
    for text in ("\u4f60\u597d \N{GRINNING FACE} caf\u00e9", "\x1b[2J\u202ex", "", "x" * 5000):
        observations, *_ = env.step(answers(env, text)) if env.agents else env.reset()
        assert all(env.observation_space(a).contains(seen) for a, seen in observations.items())
    assert within_charset("caf\u00e9 \u2014 \u201cyes\u201d \u4f60", 99) == 'caf\u00e9 - "yes" ?'


def test_the_lineup_is_shown_in_one_phase_only_and_history_names_authors():
    env = make()
    env.reset(seed=0)
    seen, *_ = env.step(
        {a: {**answers(env)[a], "text": f"I am text {i}"} for i, a in enumerate(env.agents)}
    )
    assert seen["P1"]["phase"] == 1 and sorted(seen["P2"]["lineup"]) == [
        "I am text 0",
        "I am text 1",
        "I am text 2",
    ]
    seen, _, _, _, infos = env.step(answers(env))
    assert (
        seen["P1"]["phase"] == 2
        and seen["P1"]["lineup"] == ("", "", "")
        and "seed" not in infos["P1"]
    )
    assert "P3: I am text 2" in seen["P1"]["history"] and "permutation" in infos["P1"]["mirror"]
    seen, *_ = env.step(answers(env, "my note"))
    assert "Your notes: my note" in seen["P1"]["history"] and seen["P1"]["phase"] == 0


def test_it_renders_as_text_and_says_what_is_wrong():
    env = make(render_mode="ansi")
    env.reset(seed=0)
    env.step(answers(env, "spoken"))
    env.step(answers(env))
    assert "P2: spoken" in env.render()
    with pytest.raises(WorldError, match=r"round 0, agent 'P1'.*'text'"):
        env.step({agent: {"evidence": 0} for agent in env.agents})
    with pytest.raises(WorldError, match="missing"):
        env.step({})
    with pytest.raises(WorldError, match="no batch of arrays"):
        mirrorenv.make_batch("mirrorenv/debate-v0", 2)
    for wrong, said in (
        ({"weight": -1}, "weight"),
        ({"nonsense": 1}, "nonsense"),
        ({"floor": 0.9}, "floor"),
        ({"show": "paraphrased"}, "writer"),
        ({"characters": 2}, "characters"),
        ({"render_mode": "human"}, "render_mode"),
    ):
        with pytest.raises(ConfigError, match=said):
            make(**wrong)


def test_a_dozen_seeds_shuffle_differently():
    orders = set()
    for seed in range(12):
        env = make()
        env.reset(seed=seed)
        env.step(answers(env))
        orders.add(tuple(env._debate.rounds[0].reveals[0].permutation))
    assert len(orders) > 2


@pytest.mark.parametrize("count", range(2, 11))
def test_two_to_ten_players_go_through_all_phases_and_end_after_the_last_round(count):
    env = make(num_players=count, rounds=2, characters=20)
    seen, _ = env.reset(seed=count)
    phases = []
    while env.agents:
        phases.append({int(one["phase"]) for one in seen.values()})
        assert all(env.observation_space(agent).contains(one) for agent, one in seen.items())
        seen, rewards, terminated, truncated, _ = env.step(
            {a: env.action_space(a).sample() for a in env.agents}
        )
        assert len(rewards) == count and not any(truncated.values())
    assert phases == [{0}, {1}, {2}] * 2 and all(terminated.values()) and len(terminated) == count


@pytest.mark.parametrize(("phase", "ignored"), [(0, "evidence"), (1, "text"), (2, "evidence")])
def test_the_part_that_a_phase_does_not_read_changes_nothing(phase, ignored):
    other = {"text": "something else", "evidence": np.eye(3, dtype=np.float32)[[1, 2, 0]]}
    results = []
    for changed in (False, True):
        env = make(rounds=1)
        env.reset(seed=4)
        for step in range(3):
            given = answers(env, f"text {step}")
            if changed and step == phase:
                given = {agent: {**one, ignored: other[ignored]} for agent, one in given.items()}
            results.append(repr(env.step(given)))
    assert results[:3] == results[3:]


@pytest.mark.parametrize(
    ("name", "players", "steps"),
    [("default", 4, 8 * 3), ("original", 4, 11 * 3), ("local", 3, 4 * 3)],
)
def test_presets_are_worlds_too(name, players, steps):
    env = mirrorenv.make("mirrorenv/debate-v0", preset=name)
    env.reset(seed=0)
    done = 0
    while env.agents:
        env.step(answers(env))
        done += 1
    assert len(env.possible_agents) == players and done == steps
