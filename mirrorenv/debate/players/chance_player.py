"""Guesses by chance: the zero of the rating."""

from __future__ import annotations

import numpy as np

from mirrorenv.debate.players.base import chance
from mirrorenv.debate.players.scripted import Scripted
from mirrorenv.debate.views import View
from mirrorenv.mirror.arrays import Floats64

__all__ = ["RandomPlayer"]


class RandomPlayer(Scripted):
    """Says stock sentences and names the players in an order drawn for each answer."""

    def belief(self, view: View) -> Floats64:
        """(K, N) a permutation."""
        order = chance(view, "order").permutation(view.settings.num_players)
        guess: Floats64 = np.eye(len(order))[order]
        return guess
