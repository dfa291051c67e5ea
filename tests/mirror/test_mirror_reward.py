"""The mirror reward: anchored at chance, exactly conserved over time, and never worth ending an
episode for."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror import mirror_reward, random_windows
from mirrorenv.mirror.belief import log_softmax
from tests.mirror.simulated_agents import every_trajectory, log_probabilities

CREDITS = ("author", "team", "observer", "self", "adversarial")
FloatArray = npt.NDArray[np.float64]


def beliefs(
    seed: int, batch: int = 3, time: int = 9, agents: int = 4
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Random log beliefs (B, T, J, N) and a mask in which agents stop at different times."""
    rng = np.random.default_rng(seed)
    logs = np.log(rng.dirichlet(np.ones(agents), size=(batch, time, agents))[..., :agents])
    lengths = rng.integers(1, time + 1, size=(batch, agents))
    return logs, np.arange(time)[None, :, None] < lengths[:, None]


def options(credit: str, agents: int = 4) -> dict[str, Any]:
    teams = {"teams": np.arange(agents) % 2} if credit == "adversarial" else {}
    return {"credit": credit, **teams}


def by_hand(
    logs: FloatArray, mask: npt.NDArray[np.bool_], credit: str, floor: float = 1e-4
) -> FloatArray:
    """(B, N) what each agent is owed in the end, written out in loops."""
    batch, _, observers, agents = logs.shape
    owed = np.zeros((batch, agents))
    for b in range(batch):
        value = np.zeros((observers, agents))
        for j, n in itertools.product(range(observers), range(agents)):
            last = mask[b, :, n].sum() - 1
            value[j, n] = np.log(agents) + max(logs[b, last, j, n], np.log(floor))
        for i in range(agents):
            if credit == "author":
                owed[b, i] = np.mean([value[j, i] for j in range(observers)])
            elif credit == "team":
                owed[b, i] = value.mean()
            elif credit == "observer":
                owed[b, i] = np.mean([value[i, k] for k in range(agents)])
            elif credit == "self":
                owed[b, i] = value[i, i]
            else:
                mates = [value[j, i] for j in range(agents) if j % 2 == i % 2]
                others = [value[j, i] for j in range(agents) if j % 2 != i % 2]
                owed[b, i] = np.mean(mates) - np.mean(others)
    return owed


@pytest.mark.parametrize("credit", CREDITS)
def test_every_credit_pays_what_its_formula_says(credit: str) -> None:
    logs, mask = beliefs(1)
    paid = mirror_reward(logs, mask, timing="terminal", **options(credit)).sum(axis=1)
    np.testing.assert_allclose(paid, by_hand(logs, mask, credit), atol=1e-5)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    credit=st.sampled_from(CREDITS),
    time=st.integers(1, 40),
    agents=st.integers(2, 5),
)
def test_increments_sum_to_the_terminal_payment_undiscounted(
    seed: int, credit: str, time: int, agents: int
) -> None:
    logs, mask = beliefs(seed, time=time, agents=agents)
    dense = mirror_reward(logs, mask, timing="dense", **options(credit, agents))
    terminal = mirror_reward(logs, mask, timing="terminal", **options(credit, agents))
    np.testing.assert_allclose(
        dense.sum(axis=1, dtype=np.float64), terminal.sum(axis=1), atol=1e-6 * time
    )
    last = mask & ~np.concatenate([mask[:, 1:], np.zeros_like(mask[:, :1])], axis=1)
    assert (terminal[~last] == 0).all() and (dense[~mask] == 0).all()


@pytest.mark.parametrize("timing", ["dense", "terminal"])
@pytest.mark.parametrize("credit", CREDITS)
def test_chance_pays_nothing(credit: str, timing: Any) -> None:
    logs, mask = beliefs(2)
    reward = mirror_reward(
        np.full_like(logs, np.log(1 / 4)), mask, timing=timing, **options(credit)
    )
    np.testing.assert_allclose(reward, 0.0, atol=1e-6)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    credit=st.sampled_from(CREDITS[:4]),
    floor=st.sampled_from([1e-6, 1e-4, 0.1, 0.25]),
)
def test_the_total_lies_between_the_floor_and_log_n(seed: int, credit: str, floor: float) -> None:
    logs, mask = beliefs(seed)
    logs[0, -3:] = -np.inf  # an observer that is certain and wrong
    total = mirror_reward(logs, mask, floor=floor, **options(credit)).sum(axis=1)
    assert (total <= np.log(4) + 1e-5).all()
    assert (total >= np.log(4 * floor) - 1e-5).all()


def test_perfect_recognition_pays_log_n() -> None:
    logs, mask = beliefs(3)
    for credit in CREDITS[:4]:
        total = mirror_reward(np.zeros_like(logs), mask, **options(credit)).sum(axis=1)
        np.testing.assert_allclose(total, np.log(4), rtol=1e-6)


def test_the_team_shares_one_payment() -> None:
    logs, mask = beliefs(4)
    total = mirror_reward(logs, mask, credit="team").sum(axis=1)
    np.testing.assert_allclose(total, total[:, :1] * np.ones(4), rtol=1e-4, atol=1e-5)


def test_adversarial_credit_wants_team_mates_to_know_and_opponents_not_to() -> None:
    logs = np.full((1, 1, 4, 4), np.log(0.25))
    mask = np.ones((1, 1, 4), bool)
    teams = [7, 7, 3, 3]
    logs[0, 0, 1, 0] = np.log(0.9)  # its mate recognises agent 0
    liked = mirror_reward(logs, mask, credit="adversarial", teams=teams)[0, 0]
    logs[0, 0, 2, 0] = np.log(0.9)  # now an opponent does as well
    even = mirror_reward(logs, mask, credit="adversarial", teams=teams)[0, 0]
    assert liked[0] == pytest.approx(np.log(0.9 * 4) / 2) and even[0] == pytest.approx(
        0.0, abs=1e-6
    )
    assert (liked[1:] == 0).all()


def test_an_agent_that_stops_early_still_receives_what_it_shares_in() -> None:
    """Agent 0 stops after one step; what others learn about agent 1 later reaches it at that
    step."""
    logs = np.log(np.array([0.5, 0.6, 0.9])).reshape(1, 3, 1, 1) * np.ones((1, 3, 2, 2))
    mask = np.array([[[True, True], [False, True], [False, True]]])
    reward = mirror_reward(logs, mask, credit="team")
    total = (np.log(2 * 0.5) + np.log(2 * 0.9)) / 2
    np.testing.assert_allclose(reward[0, :, 0], [total, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(reward[0, :, 1].sum(), total, rtol=1e-5)


def test_a_window_pays_only_what_was_learned_inside_it() -> None:
    logs, _ = beliefs(5)
    mask = np.ones((3, 9, 4), bool)
    window = np.array([[0, 9], [2, 5], [8, 9]])
    dense = mirror_reward(logs, mask)
    paid = mirror_reward(logs, mask, timing="window", window=window)
    np.testing.assert_allclose(paid[0], dense[0], atol=1e-6)
    np.testing.assert_allclose(paid[1, 2:5], dense[1, 2:5], atol=1e-6)
    assert (paid[1, :2] == 0).all() and np.allclose(paid[1, 5:], 0, atol=1e-6)
    np.testing.assert_allclose(paid[2, 8], dense[2, 8], atol=1e-6)


@given(
    seed=st.integers(0, 10**6),
    size=st.integers(1, 12),
    lengths=st.lists(st.integers(1, 10), min_size=1, max_size=6),
)
def test_windows_fit_into_their_episodes(seed: int, size: int, lengths: list[int]) -> None:
    windows = random_windows(np.random.default_rng(seed), lengths, size)
    width = windows[:, 1] - windows[:, 0]
    assert (windows[:, 0] >= 0).all() and (windows[:, 1] <= lengths).all()
    np.testing.assert_array_equal(width, np.minimum(size, lengths))


def test_windows_reach_every_place_equally() -> None:
    starts = random_windows(np.random.default_rng(0), np.full(6000, 10), 5)[:, 0]
    counts = np.bincount(starts)
    assert len(counts) == 6 and np.abs(counts - 1000).max() < 150


def drift(policies: FloatArray, steps: int, floor: float, exponent: float = 1.0) -> float:
    """Least expected gain, over every author and every prefix, from playing on to the end.

    Exact: all trajectories are enumerated. The observer's evidence is the true log-likelihood times
    an exponent: 1 is calibrated, more is overconfident.
    """
    agents, actions = policies.shape
    trajectories = every_trajectory(actions, steps)  # (M, T)
    # (M, T, N) as if made by each agent in turn
    every = np.repeat(trajectories[:, :, None], agents, axis=2)
    evidence = exponent * log_probabilities(policies, every).cumsum(axis=1)  # (M, T, N, N)
    belief = log_softmax(evidence).diagonal(axis1=2, axis2=3)[:, :, None]  # (M, T, J = 1, N)
    paid = mirror_reward(belief, np.ones(every.shape, bool), floor=floor).astype(np.float64)
    # (M, T + 1, N)
    value = np.concatenate([np.zeros((len(every), 1, agents)), paid.cumsum(axis=1)], axis=1)
    # (M, N)
    chance = np.exp(log_probabilities(policies, every).diagonal(axis1=2, axis2=3).sum(axis=1))
    worst = np.inf
    for known in range(steps):
        # trajectories that share the first `known` actions are neighbours
        blocks = actions ** (steps - known)
        weight = chance.reshape(-1, blocks, agents)
        gain = (value[:, -1] - value[:, known]).reshape(-1, blocks, agents)
        worst = min(worst, float(((weight * gain).sum(axis=1) / weight.sum(axis=1)).min()))
    return worst


@pytest.mark.parametrize("floor", [1e-4, 0.05, 0.2])
@pytest.mark.parametrize("seed", range(4))
def test_a_calibrated_observer_never_makes_an_early_end_pay(seed: int, floor: float) -> None:
    policies = np.random.default_rng(seed).dirichlet(
        np.full(3, (0.3, 1.0, 3.0, 10.0)[seed]), size=3
    )
    assert drift(policies, steps=6, floor=floor) > -1e-5


def test_an_overconfident_observer_does_make_an_early_end_pay() -> None:
    policies = np.random.default_rng(2).dirichlet(np.full(3, 3.0), size=3)
    assert drift(policies, steps=6, floor=1e-4, exponent=4.0) < -0.1


def test_flooring_increments_instead_would_make_the_sum_differ() -> None:
    """The reason why the belief is floored: its increments still add up, floored increments would
    not."""
    logs = np.log(np.array([0.5, 1e-9, 0.9])).reshape(1, 3, 1, 1) * np.ones((1, 3, 2, 2))
    mask = np.ones((1, 3, 2), bool)
    dense = mirror_reward(logs, mask, floor=0.01)
    np.testing.assert_allclose(dense[0, 1], np.log(0.01 / 0.5), rtol=1e-5)
    np.testing.assert_allclose(dense.sum(axis=1), np.log(2 * 0.9), rtol=1e-5)


def test_an_agent_that_never_acted_is_paid_nothing_and_leaves_others_alone() -> None:
    logs, _ = beliefs(6)
    mask = np.ones((3, 9, 4), bool)
    mask[0, :, 2] = False
    logs[0, :, :, 2] = np.nan
    reward = mirror_reward(logs, mask)
    assert (
        np.isfinite(reward).all() and (reward[0, :, 2] == 0).all() and (reward[0, :, 1] != 0).any()
    )


def test_what_happens_after_the_end_is_not_read() -> None:
    logs, mask = beliefs(7)
    spoiled = np.where(mask[:, :, None], logs, np.nan)
    for credit in CREDITS:
        np.testing.assert_array_equal(
            mirror_reward(spoiled, mask, **options(credit)),
            mirror_reward(logs, mask, **options(credit)),
        )


def test_rewards_are_float32_of_the_masks_shape() -> None:
    logs, mask = beliefs(8)
    reward = mirror_reward(logs.astype(np.float32), mask)
    assert reward.dtype == np.float32 and reward.shape == mask.shape


def test_judges_from_outside_can_pay_authors_and_teams_only() -> None:
    logs, mask = beliefs(9)
    for credit in ("author", "team"):
        assert np.isfinite(mirror_reward(logs[:, :, :1], mask, credit=credit)).all()  # type: ignore[arg-type]
    for credit in ("observer", "self", "adversarial"):
        with pytest.raises(ShapeError, match="1 observers and 4 agents"):
            mirror_reward(logs[:, :, :1], mask, **options(credit))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"credit": "fame"}, "credit must be one of"),
        ({"timing": "later"}, "timing one of"),
        ({"floor": 0.0}, "floor"),
        ({"floor": 0.3}, "floor"),
        ({"credit": "adversarial"}, "teams belong"),
        ({"teams": [0, 0, 1, 1]}, "teams belong"),
        ({"credit": "adversarial", "teams": [0, 0, 0, 0]}, "at least two teams"),
        ({"credit": "adversarial", "teams": [0, 1]}, "teams must be 4 ints"),
        ({"timing": "window"}, "window to timing"),
        ({"window": [[0, 1]] * 3}, "window to timing"),
        ({"timing": "window", "window": [[0, 1]]}, r"window must be ints \(3, 2\)"),
        ({"timing": "window", "window": [[0, 10]] * 3}, "start < stop"),
        ({"timing": "window", "window": [[4, 4]] * 3}, "start < stop"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    logs, mask = beliefs(10)
    with pytest.raises(ConfigError, match=message):
        mirror_reward(logs, mask, **changes)


def test_beliefs_that_are_none_are_refused() -> None:
    logs, mask = beliefs(11)
    for bad in (np.nan, 0.5):
        wrong = logs.copy()
        wrong[1, 0, 2, 3] = bad
        with pytest.raises(ShapeError, match="episode 1, step 0, observer 2, agent 3"):
            mirror_reward(wrong, mask)
    with pytest.raises(ShapeError, match="hole in time"):
        mirror_reward(
            logs, np.roll(np.arange(9)[None, :, None] < 4, 2, axis=1) & np.ones((3, 9, 4), bool)
        )
    with pytest.raises(ShapeError, match="mask must be bool"):
        mirror_reward(logs, mask[:, :3])
    with pytest.raises(ConfigError, match="at least 1"):
        random_windows(np.random.default_rng(0), [3, 0], 2)
