"""How a file of faults names them: one list for each file, filled by a decorator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.faults.judging import Happening, Outcome, RunFault

__all__ = ["FaultList"]

Happen = Callable[[Path], Happening]


class FaultList(list[RunFault]):
    """The faults of one file, in the order in which they stand there."""

    def add(
        self, name: str, where: str, wanted: Outcome, *says: str, slow: bool = False
    ) -> Callable[[Happen], Happen]:
        """Add a function that injects a fault; the arguments are those of `RunFault`."""

        def added(happen: Happen) -> Happen:
            self.append(RunFault(name, where, wanted, says, happen, slow))
            return happen

        return added
