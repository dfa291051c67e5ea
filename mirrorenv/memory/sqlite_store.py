"""A store in one file that many processes read and write at once: SQLite with sqlite-vec.

The file is in write-ahead mode: what `add` has returned for survives a kill of the process, and one
writer waits for the other instead of failing. Python's own sqlite3 is often built without
extensions, so this goes through APSW.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mirrorenv.errors import ConfigError, StoreError, require
from mirrorenv.memory.base import (
    EVERYTHING,
    EpisodicStore,
    Memories,
    Recall,
    Scope,
)
from mirrorenv.memory.numpy_store import nearest
from mirrorenv.mirror.arrays import Floats32, Ints64

if TYPE_CHECKING:
    import apsw

__all__ = ["SqliteStore"]

_FORMAT = 1
_WAIT_MS = 60_000  # how long a writer waits for another
_SPARE = 8  # more candidates than asked for, so that equal distances are put in order here
_MOST = 4096  # the largest k of sqlite-vec


class SqliteStore(EpisodicStore):
    """Memories in one file.

    Args:
        path: the file; made if it is not there.
        dimensions: D; a file of other vectors is refused.

    Raises:
        MissingExtraError: if apsw or sqlite-vec is not installed.
        StoreError: if the file is no store, is damaged, or cannot be written.
    """

    def __init__(self, path: Path, dimensions: int) -> None:
        super().__init__(dimensions)
        self.path = path
        require("apsw", "bytes")
        require("sqlite_vec", "bytes")
        with self._reported("opened"):
            self._connection = _connect(path)
            self._prepare()

    def add(self, memories: Memories) -> Ints64:
        """See :meth:`EpisodicStore.add`."""
        self._check_vectors(memories.vectors, "vectors")
        vectors = np.ascontiguousarray(memories.vectors, np.float32)
        ids = np.zeros(len(vectors), np.int64)
        with self._reported("written"), self._whole():
            for row, vector in enumerate(vectors):
                self._connection.execute(
                    "insert into memories(embedding, agent, episode, step, content) "
                    "values (?, ?, ?, ?, ?)",
                    (
                        vector.tobytes(),
                        int(memories.agents[row]),
                        int(memories.episodes[row]),
                        int(memories.steps[row]),
                        bytes(memories.contents[row]),
                    ),
                )
                ids[row] = self._connection.last_insert_rowid() - 1
        return ids

    def search(self, queries: Floats32, k: int, scope: Scope = EVERYTHING) -> Recall:
        """See :meth:`EpisodicStore.search`."""
        self._check_vectors(queries, "queries")
        if not 1 <= k <= _MOST - _SPARE:
            raise ConfigError(f"search: k = {k} must be between 1 and {_MOST - _SPARE}")
        ids = np.full((len(queries), k), -1, np.int64)
        distances = np.full((len(queries), k), np.inf, np.float32)
        agents = np.full((len(queries), k), -1, np.int64)
        contents = [[b""] * k for _ in queries]
        for query, vector in enumerate(np.ascontiguousarray(queries, np.float32)):
            found = self._nearest(vector, k, scope)
            for place, (row, distance, agent, content) in enumerate(found):
                ids[query, place] = row - 1
                distances[query, place] = distance
                agents[query, place] = agent
                contents[query][place] = content
        return Recall(ids, distances, agents, contents)

    def __len__(self) -> int:
        """How many memories there are, of every process."""
        with self._reported("read"):
            ((count,),) = self._connection.execute("select count(*) from memories")
        return int(count)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _nearest(
        self, vector: Floats32, k: int, scope: Scope
    ) -> list[tuple[int, float, int, bytes]]:
        """Row, distance, agent and content of the k nearest, in the order of every store."""
        rows: list[tuple[int, float, int, int, int, bytes]] = []
        for where, values in _conditions(scope):
            statement = (
                "select rowid, distance, episode, step, agent, content from memories "
                f"where embedding match ? and k = ?{where}"
            )
            with self._reported("read"):
                rows += list(
                    self._connection.execute(statement, (vector.tobytes(), k + _SPARE, *values))
                )
        if not rows:
            return []
        rows.sort(key=lambda row: row[0])
        far = np.array([row[1] for row in rows], np.float64)
        origin = np.array([row[2:5] for row in rows], np.int64)
        return [
            (rows[i][0], max(0.0, rows[i][1]), rows[i][4], rows[i][5])
            for i in nearest(far, origin, k)
        ]

    def _prepare(self) -> None:
        with self._whole():
            self._connection.execute("create table if not exists about (name primary key, value)")
            about = dict(self._connection.execute("select name, value from about"))
            if not about:
                self._connection.execute(
                    "insert into about values ('format', ?), ('dimensions', ?)",
                    (_FORMAT, self.dimensions),
                )
                self._connection.execute(
                    "create virtual table memories using vec0("
                    f"embedding float[{self.dimensions}] distance_metric=cosine, "
                    "agent integer, episode integer, step integer, +content blob)"
                )
        if about and about.get("format") != _FORMAT:
            raise StoreError(f"{self.path} is not a store of memories of this version of mirrorenv")
        if about and about.get("dimensions") != self.dimensions:
            raise StoreError(
                f"{self.path} holds vectors of {about.get('dimensions')} numbers, and "
                f"{self.dimensions} are asked for: use another file"
            )

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        """All of a change or nothing; the right to write comes first, so writers never deadlock."""
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:  # a full disk has rolled it back already
                self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    @contextlib.contextmanager
    def _reported(self, what: str) -> Iterator[None]:
        import apsw

        try:
            yield
        except apsw.Error as error:
            if self._is_full(error):
                raise StoreError(
                    f"{self.path}: the disk is full; nothing of this was kept"
                ) from error
            raise StoreError(f"the memory {self.path} cannot be {what}: {error}") from error

    def _is_full(self, error: apsw.Error) -> bool:
        """Whether there was no room. sqlite-vec calls that a logic error, so the file is asked."""
        import apsw

        if isinstance(error, apsw.FullError):
            return True
        if not hasattr(self, "_connection"):
            return False
        if self._connection.system_errno == errno.ENOSPC:
            return True
        ((pages,),) = self._connection.execute("pragma page_count")
        ((most,),) = self._connection.execute("pragma max_page_count")
        return int(pages) + 4 >= int(most)


def _connect(path: Path) -> apsw.Connection:
    import apsw
    import sqlite_vec

    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(_WAIT_MS)
    connection.enable_load_extension(True)
    connection.load_extension(sqlite_vec.loadable_path())
    connection.enable_load_extension(False)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")  # a kill loses nothing; a power cut may
    return connection


def _conditions(scope: Scope) -> list[tuple[str, tuple[int, ...]]]:
    """The scope as conditions, each of which is searched on its own: sqlite-vec knows no `or`."""
    agents: list[tuple[str, tuple[int, ...]]] = [("", ())]
    if scope.agents is not None:
        agents = [(" and agent = ?", (agent,)) for agent in sorted(scope.agents)]
    if scope.before is None:
        return agents
    episode, step = scope.before
    times: list[tuple[str, tuple[int, ...]]] = [
        (" and episode < ?", (episode,)),
        (" and episode = ? and step < ?", (episode, step)),
    ]
    return [(who + when, (*w, *t)) for who, w in agents for when, t in times]
