"""How many requests an endpoint gets at once, and when the next: shared by all players that ask the
same address."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Gate"]

_SHRINK = 0.7
# seconds in which several refusals count as one: those in flight were sent before the first came
# back
_COOLDOWN = 1.0


class Gate:
    """Additive increase, multiplicative decrease (Chiu and Jain 1989), a common pause, and a common
    end.

    Args:
        cap: requests in flight at most; where it starts.
    """

    def __init__(self, cap: int) -> None:
        self.cap, self.limit = cap, float(cap)
        self.in_flight, self.highest = 0, 0
        self.closed: str | None = None
        self._open_at, self._shrunk_at = 0.0, -_COOLDOWN
        self._change = asyncio.Condition()

    def no_more_than(self, cap: int) -> None:
        """Of several caps for one address the smallest holds."""
        self.cap = min(self.cap, cap)
        self.limit = min(self.limit, float(self.cap))

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a place, and hold it."""
        async with self._change:
            await self._change.wait_for(lambda: self.in_flight < max(1, int(self.limit)))
            self.in_flight += 1
            self.highest = max(self.highest, self.in_flight)
        try:
            while (wait := self._open_at - time.monotonic()) > 0 and self.closed is None:
                await asyncio.sleep(min(wait, 1.0))
            yield
        finally:
            async with self._change:
                self.in_flight -= 1
                self._change.notify_all()

    def went_well(self) -> None:
        """A request was answered: one more in flight for every round of answers."""
        self.limit = min(float(self.cap), self.limit + 1.0 / self.limit)

    def too_many(self, pause: float) -> None:
        """The server refused: fewer at once, and nobody asks for ``pause`` seconds."""
        now = time.monotonic()
        if now - self._shrunk_at >= _COOLDOWN:
            self.limit, self._shrunk_at = max(1.0, self.limit * _SHRINK), now
        self._open_at = max(self._open_at, now + pause)

    def close(self, why: str) -> None:
        """Nobody will be answered here again in this run."""
        self.closed = self.closed or why
