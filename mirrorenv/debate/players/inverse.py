"""Reads well and answers in the other convention: text of each player instead of player of each
text."""

from __future__ import annotations

import numpy as np

from mirrorenv.debate.players.scripted import Scripted
from mirrorenv.debate.players.stylometric import style_evidence
from mirrorenv.debate.views import View
from mirrorenv.mirror import most_probable_permutation
from mirrorenv.mirror.arrays import Floats64

__all__ = ["Inverse"]


class Inverse(Scripted):
    """Finds the best assignment by style and gives its inverse.

    A perfect reader of this kind looks mediocre, not wrong: with four players half its items are
    right by accident.
    """

    def belief(self, view: View) -> Floats64:
        """(K, N) the inverse of the most probable assignment."""
        count = view.settings.num_players
        found = most_probable_permutation(style_evidence(view.lineup, view.record, count))
        return np.eye(count)[np.argsort(found)]
