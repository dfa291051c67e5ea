"""Goals that are values: what places are worth, and curricula that go on after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from mirrorenv.errors import ConfigError
from mirrorenv.goals.poles import Balancer, Course, PoleSettings, train_poles
from mirrorenv.goals.values import Cells, Outcomes

QUIET = {"say": lambda line: None}


def test_cells_tell_apart_what_lies_on_two_sides_of_a_border():
    cells = Cells([[0.0], [-1.0, 1.0]])
    states = np.array([[-1, -2], [-1, 0], [-1, 2], [1, -2], [1, 0], [1, 2]])
    assert cells.nodes == 6 and cells.index(states).tolist() == list(range(6))
    with pytest.raises(ConfigError, match="ascend"):
        Cells([[1.0, 0.0]])


def test_a_place_is_worth_the_discounted_steps_that_are_left():
    outcomes = Outcomes(3, 1, gamma=0.9)
    steps = np.array([[0, 0, 1, 0], [1, 0, 2, 0], [2, 0, 2, 1]]).T
    outcomes.learn(steps[0], steps[1], steps[2], steps[3].astype(bool))
    np.testing.assert_allclose(outcomes.worth, [1 + 0.9 * 1.9, 1.9, 1.0], atol=0.02)


def test_a_value_is_an_average_and_not_the_best_so_far():
    outcomes = Outcomes(3, 2, gamma=0.5, curiosity=0.0)
    # action 0 of node 0 leads to the good node 1 once in ten times, action 1 every other time
    led = [1] + [2] * 9 + [1] * 5 + [2] * 5
    here, actions = np.zeros(20, np.int64), np.repeat([0, 1], 10)
    outcomes.learn(here, actions, np.array(led), np.zeros(20, bool))
    outcomes.learn(np.array([1]), np.array([0]), np.array([1]), np.array([False]))
    outcomes.learn(np.array([2]), np.array([0]), np.array([2]), np.array([True]))
    worth = outcomes.by_action()[0]
    assert worth[1] > worth[0] + 0.1
    assert outcomes.subgoals()[0] == 1
    assert outcomes.sub_actions(np.array([0]), np.array([1])).tolist() == [1]
    assert outcomes.sub_actions(np.array([1]), np.array([2])).tolist() == [-1]


def test_the_best_share_of_a_course_are_its_longest_episodes():
    course = Course(*(np.array([0, 0, 0, 1, 2, 2]) for _ in range(5)))
    assert set(course.best(0.4).episodes.tolist()) == {0}
    assert set(course.best(0.7).episodes.tolist()) == {0, 2}


def test_a_little_learning_balances_longer_than_none():
    settings = PoleSettings(steps=20_000, seed=1)
    assert train_poles(settings, **QUIET).lasts(20).mean() > 100
    assert Balancer(settings).lasts(20).mean() < 40


def test_no_step_more_is_learned_from_than_was_asked_for():
    agent = train_poles(PoleSettings(steps=1234, course_steps=500), **QUIET)
    assert agent.steps == 1234 and agent.outcomes.counts.sum() == 1234


def test_a_killed_curriculum_goes_on_with_the_same_command_bit_for_bit(tmp_path):
    settings = PoleSettings(steps=4000, course_steps=200, seed=3)
    train_poles(settings, tmp_path / "whole", **QUIET)
    words = ["poles", str(tmp_path / "killed"), "--steps", "4000", "--course-steps", "200"]
    command = [sys.executable, "-m", "mirrorenv.goals", *words, "--seed", "3"]
    state = tmp_path / "killed/curriculum.npz"
    kills = 0
    for _ in range(3):
        before = state.read_bytes() if state.exists() else b""
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while child.poll() is None and (not state.exists() or state.read_bytes() == before):
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
        kills += child.wait() == -signal.SIGKILL
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert kills == 3 and "goes on after course" in done.stderr and "steps upright" in done.stdout
    assert state.read_bytes() == (tmp_path / "whole/curriculum.npz").read_bytes()


def test_other_settings_and_damage_are_named(tmp_path):
    train_poles(PoleSettings(steps=400, course_steps=200), tmp_path, **QUIET)
    with pytest.raises(ConfigError, match=r"other settings \(share, seed\)"):
        train_poles(PoleSettings(steps=400, course_steps=200, share=0.5, seed=1), tmp_path)
    (tmp_path / "curriculum.npz").write_bytes(b"PK no archive")
    with pytest.raises(ConfigError, match="no curriculum that can go on"):
        train_poles(PoleSettings(steps=400, course_steps=200), tmp_path)
