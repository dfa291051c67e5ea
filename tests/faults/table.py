"""Every fault of a run that we know how to inject. A new file of faults is named here."""

from __future__ import annotations

from tests.faults import of_files, of_processes, of_worlds
from tests.faults.judging import RunFault

__all__ = ["RUN_FAULTS"]

RUN_FAULTS: tuple[RunFault, ...] = (*of_files.FAULTS, *of_processes.FAULTS, *of_worlds.FAULTS)
