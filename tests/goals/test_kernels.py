"""Kernels: one interface, whatever remembers."""

from __future__ import annotations

import numpy as np
import pytest

from mirrorenv.errors import ConfigError, UnknownNameError
from mirrorenv.goals.hindsight import Lessons
from mirrorenv.goals.kernels.base import KernelSize, build_kernel, known_kernels

NODES = 6
SMALL = {"hidden": 32, "steps": 250, "minibatch": 256, "learning_rate": 0.01}
NETWORKS = [name for name in known_kernels() if name != "table"]


def options_of(name, **more):
    return {**SMALL, **more} if name in NETWORKS else {}


def two_answers(rng, count=4000):
    """For every pair a good answer that is rare and a bad one that is common."""
    states, goals = rng.integers(NODES, size=(2, count))
    rare = rng.random(count) < 0.2
    good, bad = (states + goals) % NODES, (states + goals + 1) % NODES
    subgoals = np.where(rare, good, bad)
    steps = np.where(rare, 1, 4)
    lessons = Lessons(states, goals, subgoals, steps, np.ones(count, int), subgoals)
    return lessons, np.where(rare, 0.9, 0.3)


def share_good(kernel):
    states, goals = np.divmod(np.arange(NODES**2), NODES)
    answers = kernel.infer(states, goals)
    return (answers.subgoals == (states + goals) % NODES).mean()


@pytest.mark.parametrize("name", known_kernels())
def test_the_best_answer_is_given_though_a_worse_one_is_four_times_as_common(name):
    kernel = build_kernel(name, KernelSize(NODES, NODES), options_of(name))
    kernel.learn(*two_answers(np.random.default_rng(0)))
    kernel.settle()
    assert share_good(kernel) > 0.9


@pytest.mark.parametrize("access", ["value", "score"])
@pytest.mark.parametrize("name", NETWORKS)
def test_several_hypotheses_are_held_whichever_way_they_are_taught(name, access):
    chosen = options_of(name, access=access, slots=2, asymmetric=False, push=0.0, steps=400)
    kernel = build_kernel(name, KernelSize(NODES, NODES), chosen)
    kernel.learn(*two_answers(np.random.default_rng(0)))
    kernel.settle()
    # without asymmetry one slot would only know the common answer
    assert share_good(kernel) > 0.8


@pytest.mark.parametrize("name", known_kernels())
def test_who_was_taught_nothing_says_so(name):
    kernel = build_kernel(name, KernelSize(NODES, NODES), options_of(name))
    kernel.settle()
    answers = kernel.infer(np.array([0, 3]), np.array([1, 2]))
    assert answers.subgoals.tolist() == [-1, -1] and np.isneginf(answers.scores).all()


@pytest.mark.parametrize("name", known_kernels())
def test_a_kernel_goes_on_from_its_state_bit_for_bit(name):
    rng = np.random.default_rng(1)
    rounds = [two_answers(rng, 200) for _ in range(2)]
    few = options_of(name, steps=5)
    whole, broken, resumed = (build_kernel(name, KernelSize(NODES, NODES), few) for _ in range(3))

    def teach(kernel, number):
        kernel.learn(*rounds[number])
        kernel.settle()

    teach(whole, 0)
    teach(whole, 1)
    teach(broken, 0)
    resumed.restore(broken.state())
    teach(resumed, 1)
    found = resumed.state()
    for key, value in whole.state().items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_state_of_another_size_is_refused(name):
    small = build_kernel(name, KernelSize(NODES, NODES), options_of(name))
    large = build_kernel(name, KernelSize(NODES + 1, NODES), options_of(name))
    with pytest.raises(ConfigError, match="build it with the settings it had"):
        large.restore(small.state())


def test_unknown_kernels_and_options_are_named():
    with pytest.raises(UnknownNameError, match=r"tabel.*table"):
        build_kernel("tabel", KernelSize(NODES, NODES))
    with pytest.raises(ConfigError, match="asymetric"):
        build_kernel("table", KernelSize(NODES, NODES), {"asymetric": True})


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_compiled_networks_have_the_same_losses(name):
    losses = []
    for compiled in (False, True):
        chosen = options_of(name, steps=3, compiled=compiled)
        kernel = build_kernel(name, KernelSize(NODES, NODES), chosen)
        kernel.learn(*two_answers(np.random.default_rng(0)))
        kernel.settle()
        losses.append(kernel.losses)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
