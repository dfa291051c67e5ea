"""What the study of auxiliaries measures, and its differences at matched entropy and return."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.shared.inward_measures import adjusted, measured
from mirrorenv.envs import make_batch
from mirrorenv.population import Population, population_shape
from mirrorenv.population.settings import PopulationSettings


@given(st.floats(-3, 3), st.floats(-2, 2), st.integers(0, 1000))
def test_a_difference_that_entropy_explains_is_gone_once_it_is_matched(
    effect: float, slope: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    entropy = rng.normal(size=10)
    found = adjusted(effect + slope * entropy, [entropy, np.zeros(10)])
    assert found is not None
    assert found["value"] == pytest.approx(effect, abs=1e-6)


def test_matched_differences_agree_with_a_t_test_where_nothing_else_differs() -> None:
    from scipy import stats

    values = np.random.default_rng(0).normal(0.3, 1.0, 12)
    found = adjusted(values, [np.zeros(12)])
    assert found is not None
    assert found["p"] == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue)
    assert found["inside"]


def test_it_is_said_where_no_seed_has_matched_entropy() -> None:
    rng = np.random.default_rng(0)
    found = adjusted(rng.normal(size=8), [1.0 + rng.random(8)])
    assert found is not None
    assert not found["inside"]


def test_too_few_seeds_have_no_matched_difference() -> None:
    assert adjusted([0.1, 0.2, 0.3], [[0.0, 1.0, 2.0], [0.0, 1.0, 4.0]]) is None


@pytest.mark.parametrize("fed", ["none", "predicted"])
def test_untrained_agents_are_measured_with_and_without_a_fed_code(fed: str) -> None:
    world = make_batch("mirrorenv/chain-v0", 1)
    mind: dict[str, Any] = {"name": "mind_state", "codes": 4, "fed": fed}
    settings = PopulationSettings(auxiliaries=(mind,))
    population = Population(population_shape(world), settings, 0)
    found = measured(population, "mirrorenv/chain-v0", {}, seed=0, copies=12)
    assert found["others_of_limit"] is None, "there is next to nothing to know before training"
    assert found["mark_by_itself"] is not None
    assert 0.0 <= found["mark_by_itself"] <= 1.0
    assert found["entropy"] is not None
    assert found["entropy"] > 1.5, "close to uniform over six jobs"


def test_continuous_actions_have_no_mark_test() -> None:
    world = make_batch("mirrorenv/point-v0", 1)
    population = Population(population_shape(world), PopulationSettings(), 0)
    found = measured(population, "mirrorenv/point-v0", {}, seed=0, copies=4)
    assert found["mark_by_itself"] is None
    assert found["outside_excess"] is not None
