"""Every fault of a run that we know how to inject: the lists of all files `of_*.py`, found by
themselves."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from tests.faults.judging import RunFault

__all__ = ["RUN_FAULTS"]

_FILES = sorted(path.stem for path in Path(__file__).parent.glob("of_*.py"))

RUN_FAULTS: tuple[RunFault, ...] = tuple(
    fault for name in _FILES for fault in import_module(f"tests.faults.{name}").FAULTS
)
