"""How many requests an endpoint gets at once, and when the next: shared by all clients of one
address."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

__all__ = ["Gate"]

_SHRINK = 0.7
# seconds in which several refusals count as one: those in flight were sent before the first came
# back
_COOLDOWN = 1.0
_SILENT = 3  # requests without any answer, one after the other, that end an address


class Gate:
    """Additive increase, multiplicative decrease (Chiu and Jain 1989), a common pause, and a common
    end.

    Attributes:
        cap: requests in flight at most.
        limit: requests in flight allowed now, between 1 and the cap.
        in_flight: requests in flight now.
        highest: most requests that were in flight at once.
        silent: requests that got no answer at all since the last one that did.
        closed: what is not asked any more, by name, and why: the address, a key or a model there.

    Args:
        cap: requests in flight at most; where the limit starts.
    """

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self.limit = float(cap)
        self.in_flight = 0
        self.highest = 0
        self.closed: dict[str, str] = {}
        self.silent = 0
        self._open_at = 0.0
        self._shrunk_at = -_COOLDOWN
        self._change = asyncio.Condition()

    def cap_at(self, cap: int) -> None:
        """Lower the cap; of several caps for one address the smallest holds."""
        self.cap = min(self.cap, cap)
        self.limit = min(self.limit, float(self.cap))

    @asynccontextmanager
    async def slot(self, names: Iterable[str] = ()) -> AsyncIterator[None]:
        """Wait for a place and for the end of a pause, and hold it.

        Args:
            names: what is asked, as it would be closed; what is closed waits for no pause.
        """
        asked = tuple(names)
        async with self._change:
            await self._change.wait_for(lambda: self.in_flight < max(1, int(self.limit)))
            self.in_flight += 1
            self.highest = max(self.highest, self.in_flight)
        try:
            while (wait := self._open_at - time.monotonic()) > 0 and not self.closed_for(asked):
                await asyncio.sleep(min(wait, 1.0))
            yield
        finally:
            async with self._change:
                self.in_flight -= 1
                # as many as there are places: waking all for one place costs more than a request
                self._change.notify(max(1, int(self.limit) - self.in_flight))

    def on_success(self) -> None:
        """A request was answered: one more in flight for every round of answers."""
        self.silent = 0
        self.limit = min(float(self.cap), self.limit + 1.0 / self.limit)

    def back_off(self, pause: float) -> None:
        """The server refused because there were too many requests.

        Args:
            pause: seconds in which no request is sent.
        """
        now = time.monotonic()
        if now - self._shrunk_at >= _COOLDOWN:
            self.limit = max(1.0, self.limit * _SHRINK)
            self._shrunk_at = now
        self._open_at = max(self._open_at, now + pause)

    def on_silence(self) -> bool:
        """A request got no answer at all, however often it was sent.

        Returns:
            whether so many of them in a row say that nothing answers here, and not that one of them
            is hard.
        """
        self.silent += 1
        return self.silent >= _SILENT

    def close(self, reason: str, what: str = "address") -> None:
        """Ask something no further in this run; the first reason is kept.

        Args:
            reason: in words, for whoever would have asked.
            what: the address, a key or a model there, by name.
        """
        self.closed.setdefault(what, reason)

    def closed_for(self, names: Iterable[str]) -> str | None:
        """Why one of these is not asked any more; None while all are.

        Args:
            names: as they are closed by.
        """
        return next((self.closed[name] for name in names if name in self.closed), None)
