"""A judge's word as a reward, and how far it can be believed.

Shape legend: B rows, N agents, L bytes.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mirrorenv.bytes.judges import Judge
from mirrorenv.mirror.arrays import Floats64

__all__ = ["Judged", "Reliability", "kappa", "reliability", "value_of"]

logger = logging.getLogger(__name__)

INVALID = -1.0
_VALUES = {"good": 1.0, "1": 1.0, "bad": 0.0, "0": 0.0}
_TESTED = 24
_KEPT = 100_000


class Reliability(NamedTuple):
    """Whether a judge says the same twice."""

    kappa: float
    """Of two turns over the same utterances."""
    utterances: int
    invalid: float
    """Share of replies that are neither good nor bad."""


def value_of(reply: str) -> float:
    """1 for good, 0 for bad, -1 for anything else: an invalid reply costs."""
    return _VALUES.get(reply.strip().strip(".!\"'*").lower(), INVALID)


def kappa(first: Sequence[float], second: Sequence[float]) -> float:
    """Cohen's kappa of two turns (Cohen 1960): agreement beyond what their shares give by chance.

    0 where everything gets the same value in both turns: such a judge tells nothing apart.
    """
    one = np.asarray(first)
    other = np.asarray(second)
    kinds = np.unique(np.concatenate([one, other]))
    chance = sum((one == kind).mean() * (other == kind).mean() for kind in kinds)
    if chance >= 1.0:
        return 0.0
    return float(((one == other).mean() - chance) / (1.0 - chance))


def reliability(judge: Judge, utterances: Sequence[bytes]) -> Reliability:
    """Ask about every utterance in two turns."""
    first, second = (list(map(value_of, judge.replies(utterances, turn))) for turn in (0, 1))
    invalid = np.mean([value == INVALID for value in (*first, *second)])
    return Reliability(kappa(first, second), len(utterances), float(invalid))


class Judged:
    """Values of utterances, each asked about once; the judge is tested before it is used.

    Args:
        judge: who is asked.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._known: OrderedDict[bytes, float] = OrderedDict()
        self.reliability: Reliability | None = None
        """Of the first utterances; None before there were any."""

    def values(self, said: npt.NDArray[np.uint8]) -> Floats64:
        """(B, N, L) utterances -> (B, N) values: 1, 0 or -1."""
        texts = [one.tobytes() for one in said.reshape(-1, said.shape[-1])]
        fresh = [text for text in dict.fromkeys(texts) if text not in self._known]
        if fresh and self.reliability is None:
            self._test(fresh[:_TESTED])
        if fresh:
            replies = self._judge.replies(fresh, 0)
            self._known.update(zip(fresh, map(value_of, replies), strict=True))
        found = np.array([self._known[text] for text in texts]).reshape(said.shape[:2])
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return found

    def _test(self, texts: Sequence[bytes]) -> None:
        self.reliability = found = reliability(self._judge, texts)
        logger.warning(
            "the judge was asked twice about %d utterances: kappa %.2f (0 is chance, 1 the same "
            "each time), %.0f %% of its replies are neither good nor bad",
            found.utterances,
            found.kappa,
            100 * found.invalid,
        )

    def close(self) -> None:
        """Let go of the judge."""
        self._judge.close()
