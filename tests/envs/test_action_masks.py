"""Masks, turns, unlike actions and late comers: nobody does what it may not, and what has no effect
is no choice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

import mirrorenv
from mirrorenv.envs import UniformPolicy, play_episodes
from mirrorenv.envs.masks import MASK_NAMES, shown_mask
from mirrorenv.errors import ConfigError, WorldError
from tests.envs.masked import JoinsLate, ListedInfos, MaskedInfos, Nim, Uneven, masked
from tests.envs.strangers import Stranger

KINDS = [MaskedInfos, ListedInfos, masked("action_mask", nested=True), *map(masked, MASK_NAMES)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_mask_is_found_where_environments_put_it(kind: Any) -> None:
    world = mirrorenv.make_batch(kind, 2)
    record = play_episodes(world, UniformPolicy(world), range(6))  # an illegal action would raise
    allowed = record.observations[..., world.mask_from :]
    assert allowed.shape[-1] == 3
    assert (allowed[:, 1::2, :, 0] == 0).all()
    assert (allowed[:, ::2] == 1).all()
    assert set(np.unique(record.actions)) == {0, 1, 2}
    assert world.column_names[-3:] == ("allowed[0]", "allowed[1]", "allowed[2]")


def test_an_action_that_the_mask_forbids_is_refused_by_agent_and_step() -> None:
    world = mirrorenv.make_batch(MaskedInfos, 2)
    world.reset([0, 1])
    world.step(np.zeros((2, 3), int))
    with pytest.raises(WorldError, match=r"row 0, step 1, agent 'one_1'.*not allowed by its mask"):
        world.step(np.array([[1, 0, 1], [2, 2, 2]]))


def test_a_mask_of_another_size_is_named() -> None:
    kind = type("Wide", (MaskedInfos,), {"mask": lambda self: np.ones(4)})
    with pytest.raises(WorldError, match=r"agent 'one_0': infos hold a mask of shape \(4,\).*3 ch"):
        mirrorenv.make_batch(kind, 1)


@pytest.mark.parametrize(
    ("given", "count", "row"),
    [
        ([0, 2], 3, [1, 0, 1]),
        ([1, 0, 1], 3, [1, 0, 1]),
        ([0, 1], 2, [1, 1]),
        ([], 3, [0, 0, 0]),
        ((np.ones(2), np.zeros(1)), 3, [1, 1, 0]),
        (np.array([True, False]), 2, [1, 0]),
    ],
)
def test_masks_and_lists_of_choices_are_told_apart(given: Any, count: int, row: list[int]) -> None:
    assert shown_mask(given, count, may_list=True).tolist() == row


def test_in_a_game_of_turns_only_one_has_a_choice() -> None:
    games: list[Nim] = []

    def make() -> Nim:
        games.append(Nim())
        return games[-1]

    world = mirrorenv.make_batch(make, 1)
    record = play_episodes(world, UniformPolicy(world), [3])
    choices = record.observations[0, :, :, world.mask_from :].sum(-1)  # (T, N)
    live = record.mask[0].any(-1)
    assert (np.sort(choices[live], axis=1) == [1, 3]).all()
    moved = [("first", "second")[int(row.argmax())] for row in choices[live]]
    assert [agent for agent, _ in games[0].taken] == moved
    assert abs(record.rewards[0].sum(0)).tolist() == [1.0, 1.0]


def test_unlike_actions_share_a_space_in_which_each_is_allowed_its_own() -> None:
    with pytest.raises(ConfigError, match="pad=True"):
        mirrorenv.make_batch(Uneven, 2)
    world = mirrorenv.make_batch(Uneven, 2, pad=True)  # its environment holds actions to spaces
    assert world.action_space == spaces.Tuple(
        [spaces.Discrete(3), spaces.Box(-1.0, 1.0, (3,), np.float32)]
    )
    record = play_episodes(world, UniformPolicy(world), range(8))
    mask = record.observations[0, 0, :, world.mask_from :]
    assert mask.tolist() == [[1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0], [1, 0, 0, 1, 1, 1]]
    assert not record.actions[:, :, :2, 1:].any()
    assert len(np.unique(record.actions[:, :, 2, 1:])) > 50


def test_who_joins_late_waits_without_a_choice() -> None:
    world = mirrorenv.make_batch(JoinsLate, 2)
    record = play_episodes(world, UniformPolicy(world), range(2))
    late = record.observations[:, :, 2]
    assert record.mask.all()
    assert not late[:, :3, : world.mask_from].any()
    assert (late[:, :3, world.mask_from :] == [1, 0, 0]).all()
    assert (late[:, 3:, world.mask_from :] == 1).all()
    assert (record.rewards[:, :3, 2] == 0).all()
    assert (record.rewards[:, 3:, 2] > 0).all()


def test_images_stay_bytes_beside_a_mask() -> None:
    picture = spaces.Box(0, 255, (4, 5, 3), np.uint8)

    class Seen(MaskedInfos):
        sight = picture

        def see(self, agent: str) -> Any:
            return self.rng.integers(0, 256, (4, 5, 3), np.uint8)

    world = mirrorenv.make_batch(Seen, 2)
    assert world.reset([0, 1]).dtype == np.uint8
    assert world.image_shape == (4, 5, 3)
    assert world.mask_from == 60


def test_a_bound_that_is_no_float32_number_is_kept() -> None:
    class Strict(Stranger):
        acts = spaces.Box(-0.7, 0.3, (2,), np.float64)

        def pay(self, agent: str, action: Any) -> float:
            assert self.acts.contains(action), action.tolist()
            return 0.0

    world = mirrorenv.make_batch(Strict, 1)
    world.reset([0])
    for edge in (world.action_space.low, world.action_space.high):
        world.step(np.broadcast_to(edge, (1, 3, 2)))
