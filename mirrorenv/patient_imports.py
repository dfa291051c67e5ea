"""Ctrl-C while a library of C++ is being loaded waits until it is.

Such a library, torch before all, calls Python while it loads; an exception that comes out of such a
call ends the process with an abort, and no run could put down that it was interrupted.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

__all__ = ["LIBRARIES", "wait_for_imports"]

LIBRARIES = frozenset({"torch", "ray", "transformers", "pyarrow"})


def wait_for_imports() -> None:
    """From now on in this process, a signal from the keyboard waits until a library is loaded."""
    if not any(isinstance(one, _Finder) for one in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds what Python finds, with a loader that holds signals back."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's own specification; None for what is no library of :data:`LIBRARIES`."""
        if name not in LIBRARIES:
            return None
        found = PathFinder.find_spec(name, path, target)
        if found is not None and found.loader is not None:
            _hold_back(found.loader)
        return found


def _hold_back(loader: Loader) -> None:
    load = loader.exec_module

    def patient(module: ModuleType) -> None:
        with _signals_later():
            load(module)

    loader.exec_module = patient  # type: ignore[method-assign]


@contextmanager
def _signals_later() -> Iterator[None]:
    """Hold a signal from the keyboard back, and let it come afterwards."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = False

    def note(number: int, frame: Any) -> None:
        nonlocal came
        came = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        signal.raise_signal(signal.SIGINT)
