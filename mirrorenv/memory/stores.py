"""Opens a store by the name of its kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mirrorenv.errors import ConfigError, unknown_name
from mirrorenv.memory.base import EpisodicStore
from mirrorenv.memory.numpy_store import NumpyStore
from mirrorenv.memory.qdrant_store import QdrantStore
from mirrorenv.memory.sqlite_store import SqliteStore

__all__ = ["STORES", "open_store", "register_store", "store_at"]

StoreFactory = Callable[[Path | None, int], EpisodicStore]
STORES: dict[str, StoreFactory] = {}


def register_store(name: str) -> Callable[[StoreFactory], StoreFactory]:
    """Decorator: make a store available by name.

    Args:
        name: as users type it.
    """

    def add(factory: StoreFactory) -> StoreFactory:
        STORES[name] = factory
        return factory

    return add


def open_store(kind: str, path: Path | None, dimensions: int) -> EpisodicStore:
    """Open a store, and make it if it is not there.

    Args:
        kind: a registered name: "sqlite" (one file that many processes share) or "numpy" (this
            process only, gone with it), or "qdrant" (a folder of one process; a server is named
            by `store_at`).
        path: where it lives; None for a kind that lives in memory.
        dimensions: D.

    Raises:
        UnknownNameError: if there is no such kind.
        StoreError: if what lies there is no store, or one of other vectors.
        MissingExtraError: if its library is not installed.
    """
    if kind not in STORES:
        raise unknown_name("store", kind, STORES)
    return STORES[kind](path, dimensions)


def store_at(place: str, dimensions: int) -> EpisodicStore:
    """Open the store that a setting names.

    Args:
        place: the path of a file, or the address of a Qdrant server, `http://HOST:PORT` with
            `#COLLECTION` after it where several runs use one.
        dimensions: D.

    Raises:
        StoreError: if what lies there is no store, or one of other vectors.
        MissingExtraError: if its library is not installed.
    """
    if place.startswith(("http://", "https://")):
        address, _, collection = place.partition("#")
        return QdrantStore(address, dimensions, collection or "mirrorenv")
    return open_store("sqlite", Path(place), dimensions)


@register_store("numpy")
def _numpy(path: Path | None, dimensions: int) -> EpisodicStore:
    if path is not None:
        raise ConfigError(f"a numpy store lives in memory: it cannot be kept in {path}")
    return NumpyStore(dimensions)


@register_store("sqlite")
def _sqlite(path: Path | None, dimensions: int) -> EpisodicStore:
    if path is None:
        raise ConfigError("a sqlite store is a file: name its path")
    return SqliteStore(path, dimensions)


@register_store("qdrant")
def _qdrant(path: Path | None, dimensions: int) -> EpisodicStore:
    return QdrantStore(":memory:" if path is None else str(path), dimensions)
