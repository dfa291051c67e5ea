"""Finds its own text by comparing strings and knows nothing else: the floor of every claim to self-recognition."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mirrorenv.debate.players.base import chance
from mirrorenv.debate.players.scripted import Scripted
from mirrorenv.debate.rules import View

__all__ = ["CopyOwn"]


class CopyOwn(Scripted):
    """Gives its own text to itself and shuffles the others; without its text or index it guesses."""

    def belief(self, view: View) -> npt.NDArray[np.float64]:
        """(K, N) a permutation."""
        count = view.settings.num_players
        order = chance(view, "order").permutation(count)
        if view.me is not None and view.own_text is not None and view.own_text in view.lineup:
            slot, taken = view.lineup.index(view.own_text), int(np.flatnonzero(order == view.me)[0])
            order[[slot, taken]] = order[[taken, slot]]
        return np.eye(count)[order]
