"""How far a result was proved, and the seam for those who can prove more than this room can.

Files, scores and steps are checked here without a network. That the evidence is that of the weights
is computed again in :mod:`mirrorenv.population.proof`, that the weights follow from the seed in
:mod:`mirrorenv.rllib.retrain`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from mirrorenv.results.folders.result_folder import ResultFolder
from mirrorenv.results.folders.schema import Machine
from mirrorenv.results.folders.tables import Table

__all__ = ["Proof", "Proved", "Prover", "difference"]


class Proved(IntEnum):
    """How far; each level holds all below it."""

    FILES = 0
    SCORES = 1
    STEPS = 2
    WEIGHTS = 3
    TRAINING = 4

    @property
    def words(self) -> str:
        """For a table."""
        return _WORDS[self]


_WORDS = {
    Proved.FILES: "files compared only",
    Proved.SCORES: "scores recomputed",
    Proved.STEPS: "steps replayed",
    Proved.WEIGHTS: "evidence recomputed from weights",
    Proved.TRAINING: "proved by retraining",
}


@dataclass(frozen=True)
class Proof:
    """What somebody found who looked further.

    Attributes:
        level: that was reached; None if nothing could be compared.
        checks: what is true, in words.
        unchecked: what could not be compared, and why.
    """

    level: Proved | None = None
    checks: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


Prover = Callable[[ResultFolder, Mapping[str, Table]], Proof]
"""(folder, its tables) -> what was found. Called after files, scores and steps were found true.
Raises ResultError where the result is false."""


def difference(there: Machine | None, here: Machine) -> str | None:
    """Why the last bits need not agree; None between machines of one kind.

    Args:
        there: what a result says.
        here: this machine.
    """
    if there is None:
        return "the result does not say on what it was computed"
    said = [
        f"{name} {theirs}, here {ours}"
        for name, theirs, ours in (
            ("processor", there.processor, here.processor),
            ("architecture", there.architecture, here.architecture),
            ("torch", there.torch, here.torch),
        )
        if theirs != ours
    ]
    return f"it was computed elsewhere: {'; '.join(said)}" if said else None
