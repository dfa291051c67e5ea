"""How a run that is told to stop says so, whoever trains."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mirrorenv.errors import TrainingError

__all__ = ["terminable"]


@contextmanager
def terminable(again: str) -> Iterator[None]:
    """SIGTERM as an error, so that a run's folder can put it down. Does nothing outside the main
    thread.

    Args:
        again: what the message ends with: how the run goes on.

    Raises:
        TrainingError: in the body, when the signal comes.
    """

    def terminate(number: int, frame: Any) -> None:
        raise TrainingError(f"stopped by {signal.Signals(number).name}. {again}")

    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, terminate) if main else None
    try:
        yield
    finally:
        if main:
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
