"""Guesses by chance: the zero of the rating."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mirrorenv.debate.players.base import chance
from mirrorenv.debate.players.scripted import Scripted
from mirrorenv.debate.views import View

__all__ = ["RandomPlayer"]


class RandomPlayer(Scripted):
    """Says stock sentences and names the players in an order drawn for each answer."""

    def belief(self, view: View) -> npt.NDArray[np.float64]:
        """(K, N) a permutation."""
        order = chance(view, "order").permutation(view.settings.num_players)
        guess: npt.NDArray[np.float64] = np.eye(len(order))[order]
        return guess
