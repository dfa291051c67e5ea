"""What a run reports while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["SILENT", "EvaluationRow", "RunCallbacks", "StageCallback", "no_progress"]

StageCallback = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much."""

EvaluationRow = dict[str, Any]
"""A row of `evaluations.jsonl`: nested figures, ready for JSON."""


def no_progress(what: str, done: int, total: int) -> None:
    """See `StageCallback`: this one reports nothing."""


@dataclass(frozen=True)
class RunCallbacks:
    """Functions that a run calls.

    Attributes:
        stage: progress of the current stage.
        evaluation: each new row of `evaluations.jsonl`.
        note: something that a person should know, such as a rollback.
    """

    stage: StageCallback = no_progress
    evaluation: Callable[[EvaluationRow], None] = lambda row: None
    note: Callable[[str], None] = lambda text: None


SILENT = RunCallbacks()
"""Reports nothing."""
