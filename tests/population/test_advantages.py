"""Generalised advantages against a loop over every later step of every agent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorenv.population.advantages import advantages

unit = st.floats(0.0, 1.0)


def case(seed: int, batch: int = 3, time: int = 6, agents: int = 2) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, time + 1, size=(batch, 1, agents))
    return {
        "rewards": rng.normal(size=(batch, time, agents)).astype(np.float32),
        "values": rng.normal(size=(batch, time, agents)).astype(np.float32),
        "mask": np.arange(time)[None, :, None] < lengths,
        "last_value": rng.normal(size=(batch, agents)).astype(np.float32),
    }


def by_definition(
    rewards: np.ndarray, values: np.ndarray, last: float, gamma: float, lam: float
) -> np.ndarray:
    """One agent's advantages over its live steps: sum over l of (gamma lam)^l delta[t + l]."""
    length = len(rewards)
    following = np.append(values[1:], last)
    delta = rewards + gamma * following - values
    return np.array(
        [sum((gamma * lam) ** (s - t) * delta[s] for s in range(t, length)) for t in range(length)]
    )


@given(st.integers(0, 10_000), unit, unit, st.booleans())
@settings(deadline=None, max_examples=60)
def test_they_are_the_weighted_sum_of_all_later_surprises(
    seed: int, gamma: float, lam: float, cut: bool
) -> None:
    given_ = case(seed)
    last = given_.pop("last_value")
    advantage, target = advantages(**given_, last_value=last if cut else None, gamma=gamma, lam=lam)
    for b, n in np.ndindex(last.shape):
        length = int(given_["mask"][b, :, n].sum())
        mine = given_["rewards"][b, :length, n], given_["values"][b, :length, n]
        expected = by_definition(*mine, float(last[b, n]) if cut else 0.0, gamma, lam)
        np.testing.assert_allclose(advantage[b, :length, n], expected, atol=1e-4)
        np.testing.assert_allclose(target[b, :length, n], expected + mine[1], atol=1e-4)
        assert not advantage[b, length:, n].any() and not target[b, length:, n].any()


def test_undiscounted_targets_are_the_returns_to_go() -> None:
    given_ = case(1)
    del given_["last_value"]
    given_["mask"][:] = True
    _, target = advantages(**given_, last_value=None, gamma=1.0, lam=1.0)
    np.testing.assert_allclose(target, given_["rewards"][:, ::-1].cumsum(1)[:, ::-1], atol=1e-5)


def test_what_happens_after_an_agent_has_ended_does_not_matter() -> None:
    given_ = case(2)
    changed = {**given_, "rewards": given_["rewards"].copy(), "values": given_["values"].copy()}
    changed["rewards"][~given_["mask"]] += 100.0
    changed["values"][~given_["mask"]] -= 100.0
    for one, other in zip(
        advantages(**given_, gamma=0.9, lam=0.8),
        advantages(**changed, gamma=0.9, lam=0.8),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_a_perfect_critic_leaves_no_advantage() -> None:
    rewards = np.ones((1, 4, 1), np.float32)
    values = np.array([4.0, 3.0, 2.0, 1.0], np.float32).reshape(1, 4, 1)
    advantage, target = advantages(
        rewards, values, np.ones((1, 4, 1), bool), last_value=None, gamma=1.0, lam=0.95
    )
    assert advantage == pytest.approx(np.zeros((1, 4, 1)))
    assert target == pytest.approx(values)
