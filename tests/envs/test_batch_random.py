"""Random numbers by counter: known values, independence of rows, and the right laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mirrorenv.envs.random import BatchRandom, fresh_seed
from mirrorenv.errors import ShapeError

MANY = np.arange(20_000)
ALPHA = 1e-4  # seeds are fixed, so a law that holds passes for ever


def test_the_hash_is_splitmix64():
    random = BatchRandom([0])
    random._keys[:] = 1234567  # the published sequence starts from a bare state
    known = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert random.bits((5,))[0].tolist() == known


@settings(max_examples=50, deadline=None)
@given(
    seeds=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=6),
    shapes=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=1, max_size=4),
)
def test_a_row_does_not_know_its_neighbours(seeds, shapes):
    together = BatchRandom(np.array(seeds, np.uint64))
    alone = [BatchRandom(np.array([seed], np.uint64)) for seed in seeds]
    for shape in shapes:
        drawn = together.uniform(shape)
        assert drawn.shape == (len(seeds), *shape)
        for row, single in enumerate(alone):
            np.testing.assert_array_equal(drawn[row : row + 1], single.uniform(shape))


def test_rows_that_do_not_draw_do_not_advance():
    some, all_rows = BatchRandom([1, 2, 3]), BatchRandom([1, 2, 3])
    first = some.integers(1000, (4,), rows=np.array([2, 0]))
    expected = all_rows.integers(1000, (4,))
    np.testing.assert_array_equal(first, expected[[2, 0]])
    np.testing.assert_array_equal(
        some.uniform((2,), rows=np.array([1])), BatchRandom([2]).uniform((2,))
    )


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=8))
def test_no_number_is_drawn_twice(draws):
    """However the draws are cut up, and whoever draws, each row reads its own sequence once, in
    order."""
    random = BatchRandom([8, 9])
    read: list[list[int]] = [[], []]
    for size, both in draws:
        rows = np.array([0, 1]) if both else np.array([0])
        bits = random.bits((size,)) if both else random.bits((size,), rows=rows)
        for row, drawn in zip(rows, bits, strict=True):
            read[row] += drawn.tolist()
    for row, seed in enumerate([8, 9]):
        assert read[row] == BatchRandom([seed]).bits((len(read[row]),))[0].tolist()


def test_streams_of_one_seed_differ():
    assert (BatchRandom(MANY, "world").bits() != BatchRandom(MANY, "policy").bits()).all()


@pytest.mark.parametrize("axis", ["rows", "time"])
def test_uniform_over_rows_and_over_time(axis):
    draws = (
        BatchRandom(MANY).uniform() if axis == "rows" else BatchRandom([5]).uniform((20_000,))[0]
    )
    assert stats.kstest(draws, "uniform").pvalue > ALPHA
    # neighbouring seeds, neighbouring counters
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.03


def test_uniform_keeps_to_its_bounds():
    draws = BatchRandom(MANY).uniform((), -2.0, 3.0)
    assert draws.min() >= -2.0 and draws.max() < 3.0
    assert stats.kstest(draws, stats.uniform(-2, 5).cdf).pvalue > ALPHA


def test_integers_are_uniform():
    counts = np.bincount(BatchRandom(MANY).integers(7), minlength=7)
    assert len(counts) == 7 and stats.chisquare(counts).pvalue > ALPHA


def test_permutations_are_uniform():
    orders = BatchRandom(MANY).permutation(4)
    assert (np.sort(orders, axis=1) == np.arange(4)).all()
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24 and stats.chisquare(counts).pvalue > ALPHA


def test_normals_are_normal():
    assert stats.kstest(BatchRandom(MANY).normal(), "norm").pvalue > ALPHA


@pytest.mark.parametrize("alpha", [0.3, 1.0, 10.0])
def test_gammas_are_gamma(alpha):
    assert (
        stats.kstest(np.exp(BatchRandom(MANY).log_gamma(alpha)), stats.gamma(alpha).cdf).pvalue
        > ALPHA
    )


def test_dirichlet_vectors_of_a_tiny_alpha_are_almost_one_hot():
    logs = BatchRandom(MANY).log_dirichlet(0.01, 5)
    assert np.isfinite(logs).all()
    np.testing.assert_allclose(np.exp(logs).mean(axis=0), 0.2, atol=0.012)  # four standard errors
    np.testing.assert_allclose(np.exp(logs).var(axis=0), 0.2 * 0.8 / (5 * 0.01 + 1), atol=0.01)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 10.0])
def test_dirichlet_margins_are_beta(alpha):
    logs = BatchRandom(MANY).log_dirichlet(alpha, 5)
    assert np.isfinite(logs).all()
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1.0)
    assert stats.kstest(np.exp(logs[:, 3]), stats.beta(alpha, 4 * alpha).cdf).pvalue > ALPHA


def test_categorical_draws_follow_the_probabilities():
    probabilities = np.array([0.1, 0.0, 0.6, 0.3])
    draws = BatchRandom(MANY).categorical(np.tile(probabilities, (len(MANY), 1)))
    counts = np.bincount(draws, minlength=4)
    assert counts[1] == 0
    assert stats.chisquare(counts[[0, 2, 3]], probabilities[[0, 2, 3]] * len(MANY)).pvalue > ALPHA


def test_categorical_draws_row_by_row_from_each_agents_own_row():
    certain = np.eye(3)[np.array([[2, 0], [1, 1]])]  # (rows, agents, choices)
    np.testing.assert_array_equal(BatchRandom([1, 2]).categorical(certain), [[2, 0], [1, 1]])


def test_fresh_seeds_are_fresh_and_fit_into_a_signed_integer():
    seeds = {fresh_seed() for _ in range(20)}
    assert len(seeds) == 20 and all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize("high", [0, -1, 2**31 + 1])
def test_integers_refuse_a_range_they_cannot_serve(high):
    with pytest.raises(ShapeError, match="high"):
        BatchRandom([1]).integers(high)


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan")])
def test_gamma_refuses_a_wrong_alpha(alpha):
    with pytest.raises(ShapeError, match="alpha"):
        BatchRandom([1]).log_gamma(alpha)
