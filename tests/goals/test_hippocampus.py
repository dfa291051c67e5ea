"""Memories that the cortex reads: key and door are solved with them, and not without."""

from __future__ import annotations

import numpy as np
import pytest

from mirrorenv.envs import play_episodes
from mirrorenv.envs.worlds.rooms import KeyDoor
from mirrorenv.errors import ConfigError
from mirrorenv.goals.hippocampus import Hippocampus, PlaceBook
from mirrorenv.goals.keydoor import Seekers, wander_for_keys
from mirrorenv.memory.stores import open_store

PLACES = np.array([[0, 0], [0, 1], [1, 1], [4, 2]])


def memory(**options):
    book = PlaceBook(PLACES)
    return Hippocampus(book, open_store("numpy", None, Hippocampus.width(book)), **options)


def test_every_place_is_read_back_from_its_code():
    book = PlaceBook(PLACES)
    assert [book.decode(code) for code in book.encode(PLACES)] == [0, 1, 2, 3]


def test_what_was_tagged_is_found_in_its_episode_only():
    kept = memory()
    for episode in range(40):
        kept.begin(episode)
        assert kept.recall("key") is None
        kept.tag("key", PLACES[episode % 4])
        kept.tag("lamp", PLACES[(episode + 1) % 4])
        assert kept.book.decode(kept.recall("key")) == episode % 4
        assert kept.book.decode(kept.recall("lamp")) == (episode + 1) % 4


def test_a_new_goal_is_a_new_context_where_that_is_wanted():
    for forget in (False, True):
        kept = memory(forget=forget)
        kept.begin(0)
        kept.pursue(1)
        kept.visit(PLACES[2])
        code = kept.book.encode(PLACES[2])
        assert kept.been_at(code)
        kept.pursue(1)
        assert kept.been_at(code)
        kept.pursue(3)
        assert kept.been_at(code) is not forget


def test_a_store_of_other_dimensions_is_refused():
    with pytest.raises(ConfigError, match="needs a store of 20 dimensions"):
        Hippocampus(PlaceBook(PLACES), open_store("numpy", None, 3))


@pytest.fixture(scope="module")
def lesson():
    return wander_for_keys(KeyDoor(num_envs=250, side=5), 2000, seed=0)


def opened(lesson, **memories):
    world = KeyDoor(num_envs=40, side=5)
    record = play_episodes(world, Seekers(world, lesson, **memories), np.arange(40))
    return record, world


def test_that_the_key_comes_first_is_learned_from_wandering(lesson):
    without, having = lesson.opened
    assert without == 0.0 and having > 0.9 and lesson.first_there


def test_with_both_memories_every_door_opens_by_a_shortest_way(lesson):
    record, world = opened(lesson)
    assert (record.rewards.sum(1) == 1.0).mean() > 0.99
    assert record.mask.sum(1).mean() < 1.1 * world.shortest().mean()


@pytest.mark.parametrize("lesion", [{"ring": False}, {"store": False}])
def test_without_one_of_the_memories_few_doors_open(lesson, lesion):
    record, _ = opened(lesson, **lesion)
    assert (record.rewards.sum(1) == 1.0).mean() < 0.5
