"""Two tournaments over the same texts, compared text by text.

Every reader read every text twice, so what counts is the difference, and the games' own spread
falls out of it. It is given with two intervals: over games, which says what other games on these
topics would give, and over topics, which says what these players would give on others. A round
belongs to its topic; topics that come again in later rounds are one cluster.

Shape legend: R rounds, J readers, N players.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from mirrorenv.debate.rules import Debate
from mirrorenv.debate.scoring.results import Results
from mirrorenv.debate.scoring.seats import (
    Seat,
    peer_credit,
    peer_joint,
    peer_naming,
    peer_worth,
)
from mirrorenv.debate.scoring.sheets import GameSheet, sheet_of
from mirrorenv.mirror import Estimate, t_interval
from mirrorenv.mirror.arrays import Floats64

__all__ = ["EVERYBODY", "PAIRED", "Difference", "differences", "round_figures"]

EVERYBODY = "all players"
"""The row of the mean over the players of a game."""
PAIRED = ("peer_hits", "peer_hits_joint", "self_hits", "legibility", "nats")
"""Figures that are compared; names as in :data:`mirrorenv.debate.scoring.figures.FIGURES`."""


@dataclass(frozen=True)
class Difference:
    """One figure of one reader in an arm, beside the same in the base.

    Attributes:
        base: its mean over the games that both finished.
        arm: likewise.
        over_games: arm minus base, games as clusters.
        over_topics: arm minus base, topics as clusters.
    """

    base: float
    arm: float
    over_games: Estimate
    over_topics: Estimate

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "base": self.base,
            "arm": self.arm,
            "over_games": {**self.over_games.to_dict(), "clusters": self.over_games.n},
            "over_topics": {**self.over_topics.to_dict(), "clusters": self.over_topics.n},
        }


def round_figures(seat: Seat) -> dict[str, Floats64]:
    """(R,) each of :data:`PAIRED` that a reader has, by round; an unreadable verdict at the floor.

    Args:
        seat: the reader and its game.
    """
    sheet = seat.sheet
    valid = sheet.valid[:, seat.place, None]  # (R, 1)
    hits = np.where(valid, peer_credit(seat, peer_naming(seat)), seat.floor)  # (R, N or N - 1)
    joint = np.where(valid, peer_credit(seat, peer_joint(seat)), seat.floor)  # (R, N or N - 1)
    found = {
        "peer_hits": hits.mean(axis=1),
        "peer_hits_joint": joint.mean(axis=1),
        "nats": peer_worth(seat).mean(axis=1),
    }
    if not seat.judge:
        found["self_hits"] = sheet.naming[:, seat.place, seat.place, seat.place]
        named = sheet.naming[:, seat.others, seat.place, seat.place]  # (R, N - 1)
        found["legibility"] = named.mean(axis=1)
    return found


def differences(base: Results, arm: Results) -> dict[str, dict[str, Difference]]:
    """What an arm changes, by reader and figure; :data:`EVERYBODY` first.

    Nats are left out where one of both is renormalised over peers and the other is not: their
    scales differ. Games are read one at a time.

    Args:
        base: the tournament whose texts the arm reads.
        arm: the arm.
    """
    tally: dict[tuple[str, str], _Pairs] = defaultdict(_Pairs)
    knows = base.tournament.settings.knows_own_item
    alike = knows == arm.tournament.settings.knows_own_item
    for first, second in _both(base, arm):
        before = _by_reader(sheet_of(base.tournament, first))
        after = _by_reader(sheet_of(arm.tournament, second))
        topics = [one.topic for one in first.rounds]
        for reader in before.keys() & after.keys():
            for figure in before[reader].keys() & after[reader].keys():
                if figure != "nats" or alike:
                    pair = (before[reader][figure], after[reader][figure])
                    tally[reader, figure].add(*pair, topics)
    readers = sorted({reader for reader, _ in tally}, key=lambda name: (name != EVERYBODY, name))
    found: dict[str, dict[str, Difference]] = {reader: {} for reader in readers}
    for reader, figure in product(readers, PAIRED):
        if (reader, figure) in tally:
            found[reader][figure] = tally[reader, figure].difference()
    return found


def _both(base: Results, arm: Results) -> Iterable[tuple[Debate, Debate]]:
    """The games that both finished, one at a time."""
    others = set(base.log.games)
    for second in arm.games():
        if second.game in others:
            yield base.game(second.game), second


def _by_reader(sheet: GameSheet) -> Mapping[str, dict[str, Floats64]]:
    """(R,) figures by name of the reader; the mean where a card reads from several places."""
    found: dict[str, list[dict[str, Floats64]]] = defaultdict(list)
    for place, name in enumerate(sheet.readers):
        seat = Seat(sheet, place)
        figures = round_figures(seat)
        found[name].append(figures)
        if not seat.judge:
            found[EVERYBODY].append(figures)
    return {name: _mean(several) for name, several in found.items()}


def _mean(several: list[dict[str, Floats64]]) -> dict[str, Floats64]:
    # one card is a player everywhere or a judge everywhere, so all have the same figures
    return {figure: _mean_of(several, figure) for figure in several[0]}


def _mean_of(several: list[dict[str, Floats64]], figure: str) -> Floats64:
    mean: Floats64 = np.mean([one[figure] for one in several], axis=0)
    return mean


class _Pairs:
    """One figure of one reader in both, game by game."""

    def __init__(self) -> None:
        self.before: list[float] = []
        self.after: list[float] = []
        self.by_topic: dict[str, list[float]] = defaultdict(list)

    def add(self, before: Floats64, after: Floats64, topics: list[str]) -> None:
        """Count one game; (R,) each."""
        self.before.append(float(before.mean()))
        self.after.append(float(after.mean()))
        for topic, change in zip(topics, after - before, strict=True):
            self.by_topic[topic].append(float(change))

    def difference(self) -> Difference:
        """Both means and the difference."""
        by_game = np.array(self.after) - np.array(self.before)
        by_topic = np.array([np.mean(changes) for changes in self.by_topic.values()])
        before = float(np.mean(self.before))
        after = float(np.mean(self.after))
        # rounded, so that sums in another order make no spread where there is none
        over_games, over_topics = (t_interval(one.round(12) + 0.0) for one in (by_game, by_topic))
        return Difference(before, after, over_games, over_topics)
