"""Opens a store by the name of its kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mirrorenv.errors import ConfigError, unknown_name
from mirrorenv.memory.base import EpisodicStore
from mirrorenv.memory.numpy_store import NumpyStore
from mirrorenv.memory.sqlite_store import SqliteStore

__all__ = ["STORES", "open_store", "register_store"]

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
            process only, gone with it).
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
