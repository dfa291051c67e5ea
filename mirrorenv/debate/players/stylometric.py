"""A classifier of style that no model is needed for, trained on the rounds revealed so far and on
nothing else."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from mirrorenv.debate.players.base import Reply
from mirrorenv.debate.players.scripted import Scripted
from mirrorenv.debate.texts import words
from mirrorenv.debate.views import PastRound, View
from mirrorenv.mirror.arrays import Floats64

__all__ = ["Stylometric", "style_evidence"]

# independent observations a text of any length counts for: its pieces overlap and repeat
_EQUIVALENT = 12.0
_PRIOR = 0.5  # added to each count (Krichevsky and Trofimov 1981)


def _features(text: str) -> Counter[str]:
    """Pieces of three letters (case and punctuation kept), words, and how long the text is."""
    padded = f" {text[:8000]} "
    found = Counter(padded[i : i + 3] for i in range(len(padded) - 2))
    found.update(f"word:{word}" for word in words(text[:8000]))
    found[f"length:{round(2 * math.log1p(len(text)))}"] = max(1, len(padded) // 10)
    return found


def style_evidence(
    lineup: tuple[str, ...], record: tuple[PastRound, ...], num_players: int
) -> Floats64:
    """Naive Bayes over pieces of three letters and words, tempered.

    A text's log-likelihood is divided by its number of features and counted as twelve observations,
    since overlapping pieces are far from independent. Rounds whose authors were not revealed teach
    nothing; before the first revealed one the evidence is zero.

    Args:
        lineup: K texts.
        record: earlier rounds, with their authors where they were revealed.
        num_players: N.

    Returns:
        (K, N) float64 nats, the largest of each text zero.
    """
    counts: list[Counter[str]] = [Counter() for _ in range(num_players)]
    for past in record:
        for author, text in zip(past.authors or (), past.texts, strict=False):
            counts[author].update(_features(text))
    if not any(counts):
        return np.zeros((len(lineup), num_players))
    known = len(set().union(*counts)) + 1  # features, and one for all that were never seen
    totals = [sum(count.values()) + _PRIOR * known for count in counts]
    evidence = np.zeros((len(lineup), num_players))
    for slot, text in enumerate(lineup):
        features = _features(text)
        weight = _EQUIVALENT / sum(features.values())
        for author in range(num_players):
            logs = (
                times * math.log((counts[author][name] + _PRIOR) / totals[author])
                for name, times in features.items()
            )
            evidence[slot, author] = weight * math.fsum(logs)
    evidence -= evidence.max(axis=1, keepdims=True)
    return evidence


class Stylometric(Scripted):
    """Speaks plainly and attributes by style. It does not use its knowledge of what it wrote
    itself."""

    async def recognise(self, view: View) -> Reply:
        """Its evidence, in numbers."""
        evidence = style_evidence(view.lineup, view.record, view.settings.num_players)
        return Reply("", evidence=tuple(tuple(row) for row in evidence.tolist()))
