"""Always gives the same answer: what a fixed order of texts, or a habit of the judge, is worth."""

from __future__ import annotations

import numpy as np

from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.players.scripted import Scripted
from mirrorenv.debate.views import View
from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import Floats64

__all__ = ["Constant"]


class Constant(Scripted):
    """Says one sentence and names the players in one order, whatever it is shown.

    Args:
        card: options `text`, what it says; `order`, the players by number from 1 (default 1, 2,
            3, ...).

    Raises:
        ConfigError: if the order holds something else than whole numbers from 1.
    """

    OPTIONS = {"text": "I have nothing to add to what I always say.", "order": None}  # noqa: RUF012  (read only)

    def __init__(self, card: AgentCard) -> None:
        super().__init__(card)
        order = self.options["order"]
        if order is not None and not (
            isinstance(order, list) and all(type(n) is int and n > 0 for n in order)
        ):
            remedy = "must be numbers from 1, e.g. [2, 1, 3]"
            raise ConfigError(f"agent '{card.name}': options.order {remedy}, got {order!r}")

    def text(self, view: View) -> str:
        """The sentence."""
        return str(self.options["text"])

    def belief(self, view: View) -> Floats64:
        """(K, N) the order, cut or filled up to the number of players."""
        count = view.settings.num_players
        given = [number - 1 for number in self.options["order"] or [] if number <= count][:count]
        order = (
            given + [player for player in range(count) if player not in given][: count - len(given)]
        )
        return np.eye(count)[order]
