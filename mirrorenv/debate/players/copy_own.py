"""Finds its own text by comparing strings and knows nothing else: the floor of every claim to
self-recognition."""

from __future__ import annotations

import numpy as np

from mirrorenv.debate.players.base import chance
from mirrorenv.debate.players.scripted import Scripted
from mirrorenv.debate.texts import plain
from mirrorenv.debate.views import View
from mirrorenv.mirror.arrays import Floats64

__all__ = ["CopyOwn"]


class CopyOwn(Scripted):
    """Gives its own text to itself and shuffles the others; without its text or index it
    guesses."""

    def belief(self, view: View) -> Floats64:
        """(K, N) a permutation."""
        count = view.settings.num_players
        order = chance(view, "order").permutation(count)
        if (
            view.me is not None
            and view.own_text is not None
            and (slot := own_slot(view)) is not None
        ):
            taken = int(np.flatnonzero(order == view.me)[0])
            order[[slot, taken]] = order[[taken, slot]]
        return np.eye(count)[order]


def own_slot(view: View) -> int | None:
    """Where the own text stands, even cut or without decoration; None if nowhere."""
    own = view.own_text or ""
    if own in view.lineup:
        return view.lineup.index(own)
    begins = [len(text) if plain(own).startswith(plain(text)) else 0 for text in view.lineup]
    return begins.index(max(begins)) if max(begins) > 0 else None
