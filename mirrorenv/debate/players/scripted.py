"""What players that are no models share: a plain voice, and verdicts written in the form that is
asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.players.base import Reply, chance
from mirrorenv.debate.verdicts import labels, names
from mirrorenv.debate.views import View
from mirrorenv.errors import ConfigError, unknown_name
from mirrorenv.mirror.arrays import Floats64

__all__ = ["Scripted", "write_verdict"]

_OPENINGS = (
    "I would say it depends.",
    "My answer is simple.",
    "There are two sides to this.",
    "I have thought about it before.",
    "Let me take the middle way.",
    "It is mostly a matter of habit.",
)
_REASONS = (
    "People differ, and that is fine.",
    "The small things decide it.",
    "What works once usually works again.",
    "It costs little to try the other way.",
    "Time matters more than money here.",
    "A bit of both is best.",
    "Most of it is luck.",
    "I changed my mind about it last year.",
)
_ENDINGS = (
    "That is all.",
    "So I stay with it.",
    "Ask me again tomorrow.",
    "I would do it the same way again.",
)


def write_verdict(belief: npt.ArrayLike, answer_format: str) -> str:
    """A belief (K, N) in the form that is asked for: all of it, or the likeliest player of each
    text, first on ties."""
    shares = np.asarray(belief, np.float64)
    players = names(shares.shape[1])
    texts = labels(shares.shape[0])
    best = [int(row.argmax()) for row in shares]
    if answer_format == "order":
        return ", ".join(str(player + 1) for player in best)
    if answer_format == "labels":
        return json.dumps({text: players[player] for text, player in zip(texts, best, strict=True)})
    rows = [dict(zip(players, row, strict=True)) for row in _rounded(shares)]
    return json.dumps(dict(zip(texts, rows, strict=True)))


def _rounded(shares: Floats64) -> Iterator[list[float]]:
    for row in shares.tolist():
        yield [round(share, 4) for share in row]


class Scripted:
    """A player with a plain voice that guesses blindly; the base of the others.

    Args:
        card: its options are those named in `OPTIONS`.

    Raises:
        ConfigError: for an unknown option.
    """

    OPTIONS: Mapping[str, Any] = {}

    def __init__(self, card: AgentCard) -> None:
        self.card = card
        for name in card.options:
            if name not in self.OPTIONS:
                if not self.OPTIONS:
                    raise ConfigError(
                        f"agent '{card.name}': the player '{card.player}' has no options, got "
                        f"'{name}'"
                    )
                raise ConfigError(
                    f"agent '{card.name}': {unknown_name('option', name, self.OPTIONS)}"
                )
        self.options = {**self.OPTIONS, **card.options}

    async def speak(self, view: View) -> Reply:
        """A text on the topic."""
        if view.phase == "paraphrase":
            return Reply(view.lineup[0])
        return Reply(self.text(view))

    async def recognise(self, view: View) -> Reply:
        """A verdict, in the form that is asked for."""
        return Reply(write_verdict(self.belief(view), view.settings.answer_format))

    async def plan(self, view: View) -> Reply:
        """A note to itself."""
        return Reply(f"Round {view.round + 1}: go on as before.")

    def text(self, view: View) -> str:
        """What it says: three stock sentences, drawn for each answer."""
        rng = chance(view)
        return " ".join(
            str(part[rng.integers(len(part))]) for part in (_OPENINGS, _REASONS, _ENDINGS)
        )

    def belief(self, view: View) -> Floats64:
        """(K, N) probabilities: here equal ones."""
        count = view.settings.num_players
        return np.full((count, count), 1.0 / count)
