"""Every store answers as brute force does, and the one in a file survives what files meet."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorenv.errors import ConfigError, ShapeError, StoreError, UnknownNameError
from mirrorenv.memory.base import EpisodicStore, Memories, Scope
from mirrorenv.memory.numpy_store import NumpyStore
from mirrorenv.memory.stores import open_store

pytest.importorskip("apsw")
pytest.importorskip("sqlite_vec")

D = 16
Maker = Callable[[], EpisodicStore]


@pytest.fixture(params=["numpy", "sqlite", "qdrant"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Maker:
    if request.param == "qdrant":
        pytest.importorskip("qdrant_client")
    path = tmp_path / "memories.db" if request.param == "sqlite" else None
    return lambda: open_store(request.param, path, D)


def memories(count: int, seed: int, agents: int = 4) -> Memories:
    rng = np.random.default_rng(seed)
    return Memories(
        vectors=rng.normal(size=(count, D)).astype(np.float32),
        contents=[bytes([seed, i % 256]) for i in range(count)],
        agents=rng.integers(0, agents, count),
        episodes=rng.integers(0, 3, count),
        steps=rng.integers(0, 10, count),
    )


def queries(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, D)).astype(np.float32)


@pytest.mark.parametrize(
    "scope",
    [
        Scope(),
        Scope(agents=frozenset({1})),
        Scope(agents=frozenset({0, 3}), before=(1, 4)),
        Scope(before=(2, 0)),
    ],
)
def test_the_nearest_are_those_of_brute_force(make: Maker, scope: Scope) -> None:
    given, asked = memories(300, 0), queries(20, 1)
    unit = given.vectors / np.linalg.norm(given.vectors, axis=1, keepdims=True)
    allowed = np.ones(300, bool)
    if scope.agents is not None:
        allowed &= np.isin(given.agents, list(scope.agents))
    if scope.before is not None:
        allowed &= [(e, s) < scope.before for e, s in zip(given.episodes, given.steps, strict=True)]
    with make() as store:
        ids = store.add(given)
        assert (np.diff(ids) > 0).all()
        found = store.search(asked, 7, scope)
    for row, query in enumerate(asked / np.linalg.norm(asked, axis=1, keepdims=True)):
        far = np.where(allowed, 1 - unit @ query, np.inf)
        best = np.argsort(far)[:7]
        np.testing.assert_array_equal(found.ids[row], ids[best])
        np.testing.assert_allclose(found.distances[row], far[best], atol=1e-5)
        np.testing.assert_array_equal(found.agents[row], given.agents[best])
        assert list(found.contents[row]) == [given.contents[i] for i in best]


def test_equal_memories_come_in_the_order_of_their_origin(make: Maker) -> None:
    same = np.ones((4, D), np.float32) * np.array([[1.0], [2.0], [0.5], [3.0]], np.float32)
    given = Memories(
        same,
        [b"d", b"b", b"c", b"a"],
        agents=np.array([1, 0, 0, 2]),
        episodes=np.array([1, 0, 0, 0]),
        steps=np.array([0, 2, 3, 1]),
    )
    with make() as store:
        store.add(given)
        found = store.search(np.ones((1, D), np.float32), 4)
    assert b"".join(found.contents[0]) == b"abcd"


def test_fewer_memories_than_asked_for_leave_empty_places(make: Maker) -> None:
    with make() as store:
        assert store.search(queries(1, 0), 2).ids.tolist() == [[-1, -1]]
        (only,) = store.add(memories(1, 0))
        found = store.search(queries(1, 0), 3)
        assert len(store) == 1
    assert found.ids.tolist() == [[only, -1, -1]]
    assert found.contents[0][1:] == [b"", b""]
    assert np.isinf(found.distances[0, 1:]).all()


@given(st.lists(st.integers(-2, 2), min_size=D, max_size=D))
@settings(max_examples=30, deadline=None)
def test_directions_that_are_none_are_refused(numbers: list[int]) -> None:
    store, vector = NumpyStore(D), np.array([numbers], np.float32)
    if vector.any():
        assert store.search(vector, 1).ids.shape == (1, 1)
    else:
        with pytest.raises(ShapeError, match="all zeros"):
            store.search(vector, 1)


def test_wrong_shapes_are_named(make: Maker) -> None:
    with make() as store:
        with pytest.raises(ShapeError, match="16 dimensions"):
            store.search(np.ones((1, D + 1), np.float32), 1)
        with pytest.raises(ConfigError, match="k = 0"):
            store.search(queries(1, 0), 0)
        with pytest.raises(ShapeError, match="agents"):
            store.add(
                Memories(queries(2, 0), [b"", b""], np.zeros(3, int), np.zeros(2), np.zeros(2))
            )


def test_a_file_keeps_its_memories(tmp_path: Path) -> None:
    path, given = tmp_path / "m.db", memories(50, 3)
    with open_store("sqlite", path, D) as store:
        store.add(given)
        before = store.search(queries(5, 4), 3)
    with open_store("sqlite", path, D) as store:
        after = store.search(queries(5, 4), 3)
    np.testing.assert_array_equal(before.ids, after.ids)


def test_a_file_of_other_vectors_and_a_file_that_is_no_store_are_refused(tmp_path: Path) -> None:
    open_store("sqlite", tmp_path / "m.db", D).close()
    with pytest.raises(StoreError, match="holds vectors of 16"):
        open_store("sqlite", tmp_path / "m.db", D + 1)
    (tmp_path / "letter.db").write_text("dear all " * 1000)
    with pytest.raises(StoreError, match=r"letter\.db cannot be opened"):
        open_store("sqlite", tmp_path / "letter.db", D)
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store("sqlite", tmp_path / "no" / "such" / "folder.db", D)


def test_a_name_that_is_none_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="sqlite"):
        open_store("sqllite", tmp_path / "m.db", D)


WRITER = """
import sys
from pathlib import Path
import numpy as np
from mirrorenv.memory.base import Memories
from mirrorenv.memory.stores import open_store
path, agent, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(agent)
with open_store("sqlite", path, 16) as store:
    for step in range(count):
        vector = rng.normal(size=(1, 16)).astype(np.float32)
        origin = [np.array([value]) for value in (agent, 0, step)]
        store.add(Memories(vector, [b"%d:%d" % (agent, step)], *origin))
        print(step, flush=True)
"""


def writer(path: Path, agent: int, count: int) -> subprocess.Popen[str]:
    code = textwrap.dedent(WRITER)
    command = [sys.executable, "-c", code, str(path), str(agent), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def contents(path: Path) -> set[bytes]:
    with open_store("sqlite", path, D) as store:
        found = store.search(queries(1, 0), len(store))
    return set(found.contents[0])


def test_two_processes_write_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    both = [writer(path, agent, 150) for agent in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert contents(path) == {b"%d:%d" % (a, s) for a in range(2) for s in range(150)}


@pytest.mark.parametrize("after", [1, 40])
def test_a_killed_writer_loses_nothing_that_it_was_told_is_kept(tmp_path: Path, after: int) -> None:
    path = tmp_path / "m.db"
    process = writer(path, 0, 100_000)
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(after)]
    os.kill(process.pid, signal.SIGKILL)
    told += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    process.wait(60)
    kept = contents(path)
    assert {b"0:%d" % step for step in told} <= kept
    assert len(kept) <= len(told) + 1  # one may have been written and not yet reported


def test_a_full_disk_is_said_and_nothing_of_the_change_is_kept(tmp_path: Path) -> None:
    with open_store("sqlite", tmp_path / "m.db", D) as store:
        store.add(memories(10, 0))
        pages = next(iter(store._connection.execute("pragma page_count")))[0]
        store._connection.execute(f"pragma max_page_count = {pages + 2}")
        many = memories(2000, 1)
        large = Memories(many.vectors, [bytes(5000)] * 2000, many.agents, many.episodes, many.steps)
        with pytest.raises(StoreError, match="disk is full"):
            store.add(large)
        assert len(store) == 10
