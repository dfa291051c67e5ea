"""A lineup must not lead to its permutation: these tests are the observer that tries."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import types
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from mirrorenv.errors import ShapeError
from mirrorenv.mirror import (
    EpisodeBatch,
    Lineup,
    Reveal,
    Trajectory,
    lineup_permutations,
    shuffle_lineup,
)

N, T = 4, 7


def trajectories(lengths: tuple[int, ...] = (T,) * N, seed: int = 0) -> tuple[Trajectory, ...]:
    rng = np.random.default_rng(seed)
    mask = np.arange(max(lengths))[None, :, None] < np.array(lengths)
    shape = mask.shape
    batch = EpisodeBatch(
        rng.normal(size=(*shape, 3)).astype(np.float32),
        rng.integers(100, 200, size=shape),  # no action looks like an agent
        rng.normal(size=shape),
        mask,
    )
    return batch.trajectories(0)


def lineups(count: int, **kwargs: Any) -> Iterator[tuple[Lineup, Reveal]]:
    made = trajectories(**kwargs)
    for episode in range(count):
        yield shuffle_lineup(made, run="secret", episode=episode, observer=0)


def reachable(start: object) -> Iterator[object]:
    """Everything an observer can walk to: referents, attributes, array bases, what functions have
    closed over; not the modules of the package itself."""
    seen: set[int] = set()
    keep: list[object] = []  # temporaries stay alive, so that no id is used twice
    stack: list[object] = [start]
    while stack:
        thing = stack.pop()
        if id(thing) in seen or isinstance(
            thing, type | types.ModuleType | types.BuiltinFunctionType
        ):
            continue
        seen.add(id(thing))
        keep.append(thing)
        yield thing
        if isinstance(thing, types.FunctionType):  # its globals are a module
            stack += [thing.__closure__, thing.__defaults__, thing.__kwdefaults__, thing.__dict__]
            continue
        stack += gc.get_referents(thing)
        if isinstance(thing, np.ndarray):
            stack += [thing.base, thing.dtype.metadata]
        elif isinstance(thing, memoryview):
            stack.append(thing.obj)
        stack += (
            [getattr(thing, name, None) for name in vars(thing)]
            if hasattr(thing, "__dict__")
            else []
        )
        stack += [getattr(thing, name, None) for name in getattr(type(thing), "__slots__", ())]


def gives_away(thing: object, reveal: Reveal) -> bool:
    """Is this the permutation, its inverse, or an object that holds it?"""
    if isinstance(thing, Reveal):
        return True
    orders = (reveal.permutation.tolist(), np.argsort(reveal.permutation).tolist())
    if isinstance(thing, np.ndarray):
        return thing.size == N and thing.reshape(-1).tolist() in orders
    return isinstance(thing, tuple | list) and list(thing) in orders


def test_the_walk_would_find_a_permutation_that_was_left_in_reach() -> None:
    lineup, reveal = next(lineups(1))
    assert any(gives_away(thing, reveal) for thing in reachable([lineup, {"notes": (reveal,)}]))
    hidden = reveal.permutation.copy()
    # through the view's base
    assert any(gives_away(thing, reveal) for thing in reachable([lineup, hidden[1:]]))
    assert any(gives_away(thing, reveal) for thing in reachable(np.argsort(hidden).tolist()))
    # closed over
    assert any(gives_away(thing, reveal) for thing in reachable([lineup, lambda: hidden]))
    assert any(
        gives_away(thing, reveal) for thing in reachable(lambda slot, order=hidden: order[slot])
    )


def test_nothing_reachable_from_a_lineup_is_its_permutation() -> None:
    for lineup, reveal in lineups(30):
        found = [thing for thing in reachable(lineup) if gives_away(thing, reveal)]
        assert not found
        # the walk does reach arrays
        assert sum(isinstance(thing, np.ndarray) for thing in reachable(lineup)) >= 2 * N


def twins() -> Iterator[tuple[Lineup, Lineup, Reveal, Reveal]]:
    """Two lineups that show the same in every slot, made by different authors in another
    episode."""
    for episode in range(1, 8):
        one, first = shuffle_lineup(trajectories(), run="secret", episode=0, observer=0)
        second = lineup_permutations("secret", [episode], 0, N)[0]
        record = [one[int(np.flatnonzero(second == agent)[0])] for agent in range(N)]
        other, reveal = shuffle_lineup(record, run="secret", episode=episode, observer=0)
        yield one, other, first, reveal


def everything_said(lineup: Lineup) -> list[object]:
    """All that can be read off a lineup without looking at memory: every byte of its pickles, its
    text, its parts."""
    said: list[object] = [
        pickle.dumps(lineup, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ]
    for one in lineup.trajectories:
        for array in (one.observations, one.actions):
            file = io.BytesIO()
            np.save(file, array)
            said += [file.getvalue(), array.tobytes(), array.dtype, array.strides, str(array.flags)]
    return [*said, repr(lineup), str(lineup), sorted(vars(lineup)), dir(lineup), len(lineup)]


def test_lineups_that_show_the_same_are_the_same_in_every_byte_whoever_the_authors_are() -> None:
    differing = 0
    for one, other, first, second in twins():
        assert everything_said(one) == everything_said(other)
        differing += int((first.permutation != second.permutation).any())
    assert differing >= 5  # or nothing was tested


def pickled(one: Any) -> Any:
    return pickle.loads(pickle.dumps(one))  # noqa: S301


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_of_a_lineup_leads_nowhere_either(copied: Any) -> None:
    for lineup, reveal in lineups(10):
        assert not [thing for thing in reachable(copied(lineup)) if gives_away(thing, reveal)]


def test_nothing_keeps_the_reveal_once_the_experimenter_has_let_it_go() -> None:
    """No cache, no closure, no back reference: while the lineup lives on, its answer is gone."""
    lineup, reveal = next(lineups(1))
    held = weakref.ref(reveal)
    del reveal
    gc.collect()
    assert held() is None and len(lineup) == N


def test_no_array_in_a_lineup_is_a_view_of_the_record() -> None:
    record = trajectories()
    lineup, _ = shuffle_lineup(record, run=1, episode=2, observer=3)
    inside = [thing for thing in reachable(lineup) if isinstance(thing, np.ndarray)]
    outside = [thing for thing in reachable(record) if isinstance(thing, np.ndarray)]
    assert not any(np.shares_memory(a, b) for a in inside for b in outside)


@pytest.mark.parametrize("lengths", [(T,) * N, (7, 5, 6, 3)])
def test_memory_addresses_follow_the_slots_whoever_the_authors_are(
    lengths: tuple[int, ...],
) -> None:
    by_object = 0
    for lineup, reveal in lineups(240, lengths=lengths):
        for name in ("observations", "actions"):
            addresses = [
                getattr(one, name).__array_interface__["data"][0] for one in lineup.trajectories
            ]
            assert addresses == sorted(addresses)
        ids = np.argsort([id(one) for one in lineup.trajectories])
        by_object += int((ids == reveal.permutation).all())
    assert by_object < 40  # chance is 240 / 24 = 10


def test_all_slots_have_one_layout() -> None:
    record = list(trajectories())
    record[2] = Trajectory(
        np.asfortranarray(record[2].observations.astype(np.float64)),
        record[2].actions.astype(np.int32),
    )
    lineup, _ = shuffle_lineup(record, run=1, episode=2, observer=3)
    for name in ("observations", "actions"):
        arrays = [getattr(one, name) for one in lineup.trajectories]
        assert len({(array.dtype, array.strides, str(array.flags)) for array in arrays}) == 1


def test_a_lineup_is_a_read_only_copy() -> None:
    record = trajectories()
    lineup, reveal = shuffle_lineup(record, run=1, episode=2, observer=3)
    before = lineup[0].actions.copy()
    record[reveal.author(0)].actions[:] = -1
    np.testing.assert_array_equal(lineup[0].actions, before)
    with pytest.raises(ValueError, match="read-only"):
        lineup[0].actions[0] = 5
    with pytest.raises(ValueError, match="WRITEABLE"):
        lineup[0].actions.setflags(write=True)


def test_the_reveal_names_each_slots_author() -> None:
    record = trajectories(lengths=(7, 5, 6, 3))
    lineup, reveal = shuffle_lineup(record, run="r", episode=9, observer="third")
    for slot in range(len(lineup)):
        np.testing.assert_array_equal(
            lineup[slot].observations, record[reveal.author(slot)].observations
        )
        assert reveal.slot(reveal.author(slot)) == slot


def test_texts_travel_through_a_lineup() -> None:
    record = [
        Trajectory(np.array(["q", "why"]), np.array(text))
        for text in (["a", "b"], ["longer text", "c"])
    ]
    lineup, reveal = shuffle_lineup(record, run=0, episode=0, observer=0)
    for slot in range(2):
        assert lineup[slot].actions.tolist() == record[reveal.author(slot)].actions.tolist()


def test_the_order_of_a_run_never_changes() -> None:
    # Pinned: recorded runs can be scored again only while these stay as they are.
    found = lineup_permutations("run", [0, 1, 2], 0, 4).tolist()
    assert found == [[0, 3, 2, 1], [1, 2, 0, 3], [1, 2, 0, 3]]
    found = lineup_permutations(7, [10**12, -1], "judge", 10).tolist()
    assert found == [[1, 2, 8, 9, 3, 6, 4, 0, 5, 7], [0, 4, 7, 2, 9, 6, 5, 1, 3, 8]]


def test_permutations_are_uniform() -> None:
    found = lineup_permutations("uniform", np.arange(6000), 1, 4)
    _, counts = np.unique(found, axis=0, return_counts=True)
    assert len(counts) == 24
    assert chisquare(counts).pvalue > 0.001


def test_run_episode_and_observer_each_change_the_order() -> None:
    base = lineup_permutations("run", np.arange(50), 0, 8)
    others = [
        lineup_permutations("ruN", np.arange(50), 0, 8),
        lineup_permutations("run", np.arange(50, 100), 0, 8),
        lineup_permutations("run", np.arange(50), 1, 8),
        lineup_permutations("run", np.arange(50), "0", 8),  # a name is not a number
    ]
    for other in others:
        assert (other != base).any(axis=1).mean() > 0.9


@given(
    run=st.integers() | st.text(max_size=20),
    episodes=st.lists(st.integers(-(2**62), 2**62), max_size=5),
    observer=st.integers(0, 100) | st.text(max_size=5),
    agents=st.integers(1, 40),
)
def test_every_row_is_a_permutation_and_stands_alone(
    run: int | str, episodes: list[int], observer: int | str, agents: int
) -> None:
    found = lineup_permutations(run, np.array(episodes, np.int64), observer, agents)
    assert found.dtype == np.int64 and found.shape == (len(episodes), agents)
    np.testing.assert_array_equal(
        np.sort(found, axis=1), np.broadcast_to(np.arange(agents), found.shape)
    )
    for row, episode in zip(found, episodes, strict=True):
        np.testing.assert_array_equal(lineup_permutations(run, [episode], observer, agents)[0], row)


def test_global_random_state_is_untouched() -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]  # noqa: NPY002
    shuffle_lineup(trajectories(), run=0, episode=0, observer=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # type: ignore[index]  # noqa: NPY002


def test_what_cannot_be_shuffled_is_refused() -> None:
    with pytest.raises(ShapeError, match="at least one"):
        shuffle_lineup([], run=0, episode=0, observer=0)
    odd = [
        Trajectory(np.zeros((2, 3)), np.zeros(2, int)),
        Trajectory(np.zeros((2, 4)), np.zeros(2, int)),
    ]
    with pytest.raises(ShapeError, match="observations differ"):
        shuffle_lineup(odd, run=0, episode=0, observer=0)
    with pytest.raises(ShapeError, match="1-D integers"):
        lineup_permutations(0, [[1]], 0, 4)
    with pytest.raises(ShapeError, match="at least 1"):
        lineup_permutations(0, [1], 0, 0)
