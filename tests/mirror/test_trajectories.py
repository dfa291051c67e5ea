"""Episodes and trajectories: what they accept, what they refuse, and that single agents come out
whole."""

from __future__ import annotations

import numpy as np
import pytest

from mirrorenv.errors import ShapeError
from mirrorenv.mirror import EpisodeBatch, Trajectory, concatenate_episodes

B, T, N = 3, 5, 2


def fields(**changes: object) -> dict[str, object]:
    rng = np.random.default_rng(0)
    mask = np.ones((B, T, N), bool)
    mask[0, 3:, 1] = False
    made: dict[str, object] = {
        "observations": rng.normal(size=(B, T, N, 4)).astype(np.float32),
        "actions": rng.integers(5, size=(B, T, N)),
        "rewards": rng.normal(size=(B, T, N)).astype(np.float32),
        "mask": mask,
    }
    return made | changes


def batch(**changes: object) -> EpisodeBatch:
    return EpisodeBatch(**fields(**changes))  # type: ignore[arg-type]


def test_one_agents_trajectory_is_its_live_steps_in_order() -> None:
    episodes = batch()
    trajectory = episodes.trajectory(0, 1)
    assert len(trajectory) == 3
    np.testing.assert_array_equal(trajectory.actions, episodes.actions[0, :3, 1])
    np.testing.assert_array_equal(trajectory.observations, episodes.observations[0, :3, 1])
    assert [len(one) for one in episodes.trajectories(0)] == [5, 3]


def test_returns_and_lengths_count_live_steps_only() -> None:
    episodes = batch(rewards=np.ones((B, T, N), np.float32))
    np.testing.assert_array_equal(episodes.lengths, [[5, 3], [5, 5], [5, 5]])
    np.testing.assert_array_equal(episodes.returns(), episodes.lengths)


def test_selection_and_concatenation_give_back_the_same_episodes() -> None:
    episodes = batch()
    joined = concatenate_episodes([episodes.select([2, 0]), episodes.select(slice(1, 2))])
    for name in ("observations", "actions", "rewards", "mask"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(episodes, name)[[2, 0, 1]])


def test_further_columns_go_wherever_their_episodes_go() -> None:
    ids = np.array([7, 8, 9])
    episodes = batch().with_columns(episode=ids, value=np.arange(6.0).reshape(B, N))
    joined = concatenate_episodes([episodes.select([2, 0]), episodes.select(slice(1, 2))])
    np.testing.assert_array_equal(joined.column("episode"), [9, 7, 8])
    np.testing.assert_array_equal(joined.column("value"), [[4, 5], [0, 1], [2, 3]])
    np.testing.assert_array_equal(episodes.with_columns(episode=ids + 1).column("episode"), ids + 1)


def test_a_kind_of_record_stays_that_kind() -> None:
    class Special(EpisodeBatch):
        pass

    special = Special(**fields())  # type: ignore[arg-type]
    assert type(special.select([0])) is Special
    assert type(special.with_columns(episode=np.arange(B))) is Special


@pytest.mark.parametrize(
    "columns",
    [
        {"rewards": np.zeros(B)},
        {"short": np.zeros(B - 1)},
        {"single": np.float64(0.0)},
        {"objects": np.array([None] * B)},
    ],
)
def test_a_column_that_is_not_one_of_these_episodes_is_refused(columns: dict[str, object]) -> None:
    with pytest.raises(ShapeError, match=next(iter(columns))):
        batch(columns=columns)


def test_a_column_that_was_not_recorded_is_named_with_those_that_were() -> None:
    with pytest.raises(ShapeError, match=r"'value'.*episode"):
        batch(columns={"episode": np.arange(B)}).column("value")


def test_batches_with_different_columns_are_not_joined() -> None:
    with pytest.raises(ShapeError, match="same columns"):
        concatenate_episodes([batch(), batch().with_columns(episode=np.arange(B))])


def test_continuous_actions_are_accepted() -> None:
    assert batch(actions=np.zeros((B, T, N, 2), np.float32)).trajectory(1, 0).actions.shape == (
        T,
        2,
    )


@pytest.mark.parametrize("rank", [(), (6,), (2, 3)])
def test_whole_actions_of_any_rank_are_accepted(rank: tuple[int, ...]) -> None:
    episodes = batch(actions=np.zeros((B, T, N, *rank), np.int64))
    assert episodes.trajectory(1, 0).actions.shape == (T, *rank)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"mask": np.ones((B, T, N))}, "mask"),
        ({"mask": np.ones((B, T), bool)}, "mask"),
        ({"observations": np.zeros((B, T, N + 1, 4))}, "observations"),
        ({"rewards": np.zeros((B, T, N), int)}, "rewards"),
        ({"actions": np.zeros((B, T, N))}, "actions"),
        ({"actions": np.zeros((B, N, T, 2), int)}, "actions"),
    ],
)
def test_a_wrong_shape_or_dtype_is_refused_by_name(changes: dict[str, object], named: str) -> None:
    with pytest.raises(ShapeError, match=f"EpisodeBatch.{named}"):
        batch(**changes)


def test_an_agent_that_comes_back_is_refused() -> None:
    mask = np.ones((B, T, N), bool)
    mask[1, 2, 0] = False
    with pytest.raises(ShapeError, match="episode 1, agent 0 is absent at step 2"):
        batch(mask=mask)


def test_a_number_that_is_not_finite_is_refused_where_it_counts_and_ignored_where_not() -> None:
    observations = np.zeros((B, T, N, 4), np.float32)
    observations[0, 4, 1, 2] = np.nan  # after the agent's last step
    batch(observations=observations)
    observations[0, 2, 1, 2] = np.nan
    with pytest.raises(
        ShapeError, match="observations is not finite in episode 0, step 2, agent 1"
    ):
        batch(observations=observations)


def test_batches_that_do_not_fit_are_refused() -> None:
    other = batch(observations=np.zeros((B, T, N, 5), np.float32))
    with pytest.raises(ShapeError, match="do not fit together"):
        concatenate_episodes([batch(), other])
    with pytest.raises(ShapeError, match="at least one"):
        concatenate_episodes([])


def test_a_trajectory_holds_texts_but_no_python_objects() -> None:
    assert len(Trajectory(np.array(["hello", "you"]), np.array(["a", "bc"]))) == 2
    with pytest.raises(ShapeError, match="Python objects"):
        Trajectory(np.array(["hello", "you"], dtype=object), np.array([0, 1]))
    with pytest.raises(ShapeError, match="2 observations and 3 actions"):
        Trajectory(np.zeros((2, 3)), np.zeros(3, int))
    with pytest.raises(ShapeError, match="time axis"):
        Trajectory(np.float32(1.0), np.zeros(1))  # type: ignore[arg-type]
