"""A store that several machines share: Qdrant, through its own client.

Its local mode, in this process or in a folder, needs no server and is what the tests use.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from mirrorenv.errors import ConfigError, StoreError, require
from mirrorenv.memory.base import EVERYTHING, EpisodicStore, Memories, Recall, Scope
from mirrorenv.memory.numpy_store import nearest
from mirrorenv.mirror.arrays import Floats32, Ints64

if TYPE_CHECKING:
    from qdrant_client import models

__all__ = ["QdrantStore"]

_SPARE = 8  # more candidates than asked for, so that equal distances are put in order here
_COLLECTION = "mirrorenv"


class QdrantStore(EpisodicStore):
    """Memories in a collection of Qdrant.

    Args:
        place: the address of a server, such as `http://127.0.0.1:6333`; a folder for the local
            mode, of one process at a time; or `:memory:`.
        dimensions: D; a collection of other vectors is refused.
        collection: its name; made if it is not there.

    Raises:
        MissingExtraError: if qdrant-client is not installed.
        StoreError: if no server answers, or the collection holds other vectors.
    """

    def __init__(self, place: str, dimensions: int, collection: str = _COLLECTION) -> None:
        super().__init__(dimensions)
        require("qdrant_client", "qdrant")
        from qdrant_client import QdrantClient

        self.place = place
        self.collection = collection
        self._last = 0
        self._local = not place.startswith(("http://", "https://"))  # exact by itself
        on_disk = self._local and place != ":memory:"
        with self._reported("opened"):
            self._client = QdrantClient(path=place) if on_disk else QdrantClient(location=place)
            self._prepare()

    def add(self, memories: Memories) -> Ints64:
        """See :meth:`EpisodicStore.add`. Ids are times of writing, so that they differ between
        machines."""
        from qdrant_client import models

        self._check_vectors(memories.vectors, "vectors")
        count = len(memories.contents)
        first = max(self._last + 1, time.time_ns())
        self._last = first + count
        ids = np.arange(first, first + count, dtype=np.int64)
        points = [
            models.PointStruct(
                id=str(uuid.uuid4()),
                vector=memories.vectors[row].tolist(),
                payload={
                    "written": int(ids[row]),
                    "agent": int(memories.agents[row]),
                    "episode": int(memories.episodes[row]),
                    "step": int(memories.steps[row]),
                    "content": bytes(memories.contents[row]).hex(),
                },
            )
            for row in range(count)
        ]
        with self._reported("written"):
            self._client.upsert(self.collection, points, wait=True)
        return ids

    def search(self, queries: Floats32, k: int, scope: Scope = EVERYTHING) -> Recall:
        """See :meth:`EpisodicStore.search`: exact, by no index."""
        self._check_vectors(queries, "queries")
        if k < 1:
            raise ConfigError(f"search: k = {k} must be at least 1")
        ids = np.full((len(queries), k), -1, np.int64)
        distances = np.full((len(queries), k), np.inf, np.float32)
        agents = np.full((len(queries), k), -1, np.int64)
        contents = [[b""] * k for _ in queries]
        for query, vector in enumerate(queries):
            for place, (distance, told) in enumerate(self._nearest(vector, k, scope)):
                ids[query, place] = told["written"]
                distances[query, place] = distance
                agents[query, place] = told["agent"]
                contents[query][place] = bytes.fromhex(told["content"])
        return Recall(ids, distances, agents, contents)

    def __len__(self) -> int:
        """How many memories there are, of every machine."""
        with self._reported("read"):
            return int(self._client.count(self.collection, exact=True).count)

    def close(self) -> None:
        """Let the server, or the folder, go."""
        self._client.close()

    def _nearest(
        self, vector: Floats32, k: int, scope: Scope
    ) -> list[tuple[float, dict[str, Any]]]:
        """Distance and payload of the k nearest, in the order of every store."""
        from qdrant_client import models

        with self._reported("read"):
            found = self._client.query_points(
                self.collection,
                query=vector.tolist(),
                limit=k + _SPARE,
                query_filter=_condition(scope),
                search_params=None if self._local else models.SearchParams(exact=True),
                with_payload=True,
            ).points
        told = sorted(
            ((max(0.0, 1.0 - one.score), dict(one.payload or {})) for one in found),
            key=lambda pair: pair[1]["written"],
        )
        if not told:
            return []
        far = np.array([distance for distance, _ in told], np.float64)
        origin = np.array([[one["episode"], one["step"], one["agent"]] for _, one in told])
        return [told[place] for place in nearest(far, origin.astype(np.int64), k)]

    def _prepare(self) -> None:
        from qdrant_client import models

        if not self._client.collection_exists(self.collection):
            self._client.create_collection(
                self.collection,
                vectors_config=models.VectorParams(
                    size=self.dimensions, distance=models.Distance.COSINE
                ),
            )
        about = self._client.get_collection(self.collection).config.params.vectors
        size = getattr(about, "size", None)
        if size != self.dimensions:
            raise StoreError(
                f"{self.collection} at {self.place} holds vectors of {size} numbers, and "
                f"{self.dimensions} are asked for: use another collection"
            )

    @contextlib.contextmanager
    def _reported(self, what: str) -> Iterator[None]:
        from qdrant_client.http.exceptions import ApiException

        try:
            yield
        except (ApiException, OSError, ValueError, RuntimeError) as error:
            raise StoreError(
                f"the memory at {self.place} cannot be {what} ({error}): does a Qdrant server "
                "answer there?"
            ) from error


def _condition(scope: Scope) -> models.Filter | None:
    """The scope in Qdrant's words; None for everything."""
    from qdrant_client import models

    wanted: list[models.Condition] = []
    if scope.agents is not None:
        whose = models.MatchAny(any=sorted(scope.agents))
        wanted.append(models.FieldCondition(key="agent", match=whose))
    if scope.before is not None:
        episode, step = scope.before
        same = models.FieldCondition(key="episode", match=models.MatchValue(value=episode))
        sooner = models.FieldCondition(key="step", range=models.Range(lt=step))
        earlier = models.FieldCondition(key="episode", range=models.Range(lt=episode))
        wanted.append(models.Filter(should=[earlier, models.Filter(must=[same, sooner])]))
    return models.Filter(must=wanted) if wanted else None
