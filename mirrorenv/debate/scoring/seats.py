"""One reader of one game: what it said of the texts of others, by the rules of the scores.

Shape legend: R rounds, J readers, N players.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mirrorenv.debate.scoring.sheets import GameSheet, mixed
from mirrorenv.mirror import most_probable_permutation
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.mirror.verdicts import fair_assignment

__all__ = [
    "Seat",
    "peer_credit",
    "peer_joint",
    "peer_naming",
    "peer_worth",
    "renormalised",
]

SCORE_FLOOR = 1e-4  # smallest belief in a true author that still counts, as in recognition_worth


@dataclass(frozen=True)
class Seat:
    """One reader of one game.

    Attributes:
        sheet: the numbers of the game.
        place: of the reader: seats first, then judges.
    """

    sheet: GameSheet
    place: int

    @property
    def judge(self) -> bool:
        """Whether it reads from outside."""
        return self.place >= self.sheet.num_players

    @property
    def others(self) -> list[int]:
        """Seats of the authors that are not this reader."""
        return [n for n in range(self.sheet.num_players) if n != self.place]

    @property
    def floor(self) -> float:
        """What guessing gives on a text of another."""
        return 1.0 / (self.sheet.num_players - (not self.judge))


def renormalised(table: Floats64, seat: Seat, verdicts: bool) -> Floats64:
    """Naming or belief of a reader; without its own name where it must not know its own text.

    Args:
        table: (R, N, N) row n: who is said to have written n's text.
        seat: the reader.
        verdicts: whether the table names players, so that what is left is a verdict again.
    """
    if seat.judge or seat.sheet.knows_own:
        return table
    kept = table.copy()
    kept[..., seat.place] = 0.0
    if verdicts:
        kept = np.where(kept >= kept.max(axis=-1, keepdims=True) - 1e-9, 1.0, 0.0)
        kept[..., seat.place] = 0.0
    share: Floats64 = kept / np.maximum(kept.sum(axis=-1, keepdims=True), 1e-12)
    return share


def peer_credit(seat: Seat, naming: Floats64) -> Floats64:
    """(R, N or N - 1) credit for the texts of others."""
    credit: Floats64 = np.einsum("rnn->rn", naming)[:, seat.others]
    return credit


def peer_naming(seat: Seat) -> Floats64:
    """(R, N, N) verdicts, each text judged alone."""
    if seat.judge or seat.sheet.knows_own:
        return seat.sheet.naming[:, seat.place]
    named = renormalised(seat.sheet.belief[:, seat.place], seat, True)[:, None]  # (R, 1, N, N)
    return mixed(named, seat.sheet.alike)[:, 0]


def peer_joint(seat: Seat) -> Floats64:
    """(R, N, N) verdicts of the best assignment; of peers' texts to peers where the own text is
    withheld."""
    if seat.judge or seat.sheet.knows_own:
        return seat.sheet.joint[:, seat.place]
    peers = np.ix_(range(len(seat.sheet.belief)), seat.others, seat.others)
    logs = np.log(np.maximum(seat.sheet.belief[:, seat.place][peers], 1e-300))  # (R, N - 1, N - 1)
    table = np.zeros_like(seat.sheet.belief[:, seat.place])
    table[peers] = np.eye(len(seat.others))[fair_assignment(most_probable_permutation, logs)]
    table[:, seat.place, seat.place] = 1.0
    return mixed(table[:, None], seat.sheet.alike)[:, 0]


def peer_worth(seat: Seat) -> Floats64:
    """(R, N or N - 1) nats on peers' texts, zero at chance."""
    worth = seat.sheet.worth[:, seat.place][:, seat.others]
    if seat.judge or seat.sheet.knows_own:
        return worth
    held = renormalised(seat.sheet.belief[:, seat.place], seat, False)
    right = np.einsum("rnn->rn", held)[:, seat.others]
    nats: Floats64 = np.log(len(seat.others)) + np.log(np.maximum(right, SCORE_FLOOR))
    return nats
