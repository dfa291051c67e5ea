"""What a tournament's games are worth: every figure per reader, peers and self apart, clustered by
game.

`peer hits` is the headline: the share of texts of others whose author a reader names. Its floor
is 1/(N - 1) where the reader can find its own text by comparing strings, and also where it cannot,
because its belief is then renormalised over its peers; a judge, who has no own text, has the floor
1/N. `kappa` is (hits - floor) / (1 - floor). Renormalised are all figures on peers' texts: hits,
the best assignment (of peers' texts to peers), nats (then at most log(N - 1)) and calibration. What
a reader said of its own text is scored as it was said.

Texts too alike to tell apart are exchangeable: a credit for one of them is the mean over the group.
An unreadable verdict is counted apart; its items are worth the floor in `peer_hits` and nothing
in `peer_hits_strict`.

Games are added one at a time. What stays of a game is a number for each figure and two for each
item of a reader, for the intervals and the calibration: for four players and a judge some 2 kB in
four rounds, whatever they wrote.

Shape legend: G games, R rounds, J readers, K lineup slots, N players.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mirrorenv.debate.scoring.seats import (
    Seat,
    peer_credit,
    peer_joint,
    peer_naming,
    peer_worth,
    renormalised,
)
from mirrorenv.debate.scoring.sheets import GameSheet
from mirrorenv.mirror import Estimate, rate_interval, t_interval
from mirrorenv.mirror.arrays import Bools, Floats64
from mirrorenv.mirror.metrics import calibration_error

__all__ = ["ReaderScore", "ScoreTally", "above_floor", "score_readers"]


@dataclass
class ReaderScore:
    """One card as a reader and as an author. Shares lie in [0, 1]; None where there is nothing to
    tell.

    Attributes:
        name: of the card.
        judge: whether it reads from outside.
        games: in which it read.
        floor: chance for a peer's text.
        peer_hits: see the module; unreadable verdicts count the floor.
        peer_hits_strict: unreadable verdicts count nothing.
        peer_hits_clean: over texts in which the audit found nothing; None if there are none.
        peer_hits_worded: over texts that have words; None if there are none.
        peer_hits_joint: by the best assignment of the whole lineup.
        kappa: peer hits above the floor.
        cohen_kappa: agreement with the truth above what its own and the true frequencies give by
            accident; over whole lineups, the own item included.
        self_hits: its own text given to itself.
        false_alarms: texts of others given to itself.
        legibility: its texts given to it by the other players.
        self_advantage: own recognition minus legibility: what it knows of itself that others do
            not.
        nats: log score on peers' texts; 0 at chance, at most log N.
        calibration_error: gap between stated and true confidence on peers' texts.
        exact: whole lineups right, by the best assignment; of peers' texts where the own text is
            withheld.
        order_consistency: peers' texts given to the same player in another order; None if nothing
            was read again.
        invalid: share of verdicts that could not be read at the last try.
        repaired: share that could be read at the second try only.
        inverse: share of verdicts that fit the inverse convention better than ours.
        curve: peer hits by round, an unreadable verdict at the floor as in `peer_hits`.
        nats_curve: log score on peers' texts by round.
        by_slot: hits by place in the lineup.
        labels: how often each player name was given.
    """

    name: str
    judge: bool
    games: int
    floor: float
    peer_hits: Estimate
    peer_hits_strict: Estimate
    peer_hits_clean: Estimate | None
    peer_hits_worded: Estimate | None
    peer_hits_joint: Estimate
    kappa: Estimate
    cohen_kappa: float | None
    self_hits: Estimate | None
    false_alarms: Estimate | None
    legibility: Estimate | None
    self_advantage: Estimate | None
    nats: Estimate
    calibration_error: Estimate
    exact: Estimate
    order_consistency: Estimate | None
    invalid: float
    repaired: float
    inverse: float
    curve: list[float] = field(default_factory=list)
    nats_curve: list[float] = field(default_factory=list)
    by_slot: list[float] = field(default_factory=list)
    labels: list[float] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            name: value.to_dict() if isinstance(value, Estimate) else value
            for name, value in vars(self).items()
        }


def score_readers(sheets: Iterable[GameSheet], confidence: float = 0.95) -> list[ReaderScore]:
    """Every card that read in at least one of the games, the best by kappa first.

    Args:
        sheets: of finished games; one is held at a time.
        confidence: of the intervals, which are clustered by game.
    """
    tally = ScoreTally()
    for sheet in sheets:
        tally.add(sheet)
    return tally.scores(confidence)


class ScoreTally:
    """The leaderboard, game by game."""

    def __init__(self) -> None:
        self._readers: dict[str, _Reader] = {}

    def add(self, sheet: GameSheet) -> None:
        """Count one game."""
        for place, name in enumerate(sheet.readers):
            seat = Seat(sheet, place)
            self._readers.setdefault(name, _Reader(name, seat.judge)).add(seat)

    def scores(self, confidence: float = 0.95) -> list[ReaderScore]:
        """Every card that read, the best by kappa first."""
        scores = [reader.score(confidence) for reader in self._readers.values()]
        return sorted(scores, key=lambda score: (-round(score.kappa.value, 12), score.name))


class _Reader:
    """What is kept of all games of one reader.

    Attributes:
        values: a number for each game by figure, or for each item by `stated` and `credit`.
        sums: arrays summed over games.
        counts: verdicts by what is counted.
        items: (R, N or N - 1) rounds and peers' texts of one game.
    """

    def __init__(self, name: str, judge: bool) -> None:
        self.name = name
        self.judge = judge
        self.games = 0
        self.values: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
        self.sums: dict[str, Floats64] = {}
        self.counts: defaultdict[str, int] = defaultdict(int)
        self.items = (0, 0)

    def add(self, seat: Seat) -> None:
        """Count one game."""
        sheet = seat.sheet
        place = seat.place
        valid = sheet.valid[:, place, None]  # (R, 1)
        peer = peer_credit(seat, peer_naming(seat))  # (R, N or N - 1)
        joint = peer_joint(seat)  # (R, N, N)
        worth = peer_worth(seat)  # (R, N or N - 1)
        loose = np.where(valid, peer, seat.floor)  # (R, N or N - 1)
        self.games += 1
        self.items = peer.shape
        self._append("floor", seat.floor)
        self._append("loose", loose.mean())
        self._append("strict", np.where(valid, peer, 0.0).mean())
        self._append("joint", np.where(valid, peer_credit(seat, joint), seat.floor).mean())
        self._append("exact", _exact(joint, valid))
        self._append("nats", worth.mean())
        parts = {"clean": ~sheet.flagged, "worded": sheet.worded}  # (R, N)
        for part, texts in parts.items():
            if (chosen := texts[:, seat.others]).any():  # (R, N or N - 1)
                self._append(part, loose[chosen].mean())
        again = sheet.steady[:, place, seat.others]
        if not np.isnan(again).all():
            self._append("steady", np.nanmean(again))
        if not seat.judge:
            table = sheet.naming[:, place]  # (R, N, N)
            self._append("own", table[:, place, place].mean())
            self._append("alarms", table[:, seat.others, place].mean())
            self._append("named", sheet.naming[:, seat.others, place, place].mean())
        belief = renormalised(sheet.belief[:, place], seat, False)[:, seat.others]
        self.values["stated"].extend(belief.max(axis=-1).ravel().tolist())
        self.values["credit"].extend(peer.ravel().tolist())
        self._sum("curve", loose.mean(axis=1))
        self._sum("nats_curve", worth.mean(axis=1))
        self._sum("by_slot", sheet.by_slot[:, place].mean(axis=0))
        self._sum("labels", sheet.naming[:, place].mean(axis=(0, 1)))
        self._sum("confusion", sheet.naming[:, place].mean(axis=0))
        self.counts["read"] += len(valid)
        self.counts["valid"] += int(valid.sum())
        self.counts["repaired"] += int(((sheet.tries[:, place] > 1) & valid[:, 0]).sum())
        self.counts["inverse"] += int((sheet.inverse[:, place] > sheet.direct[:, place]).sum())

    def _append(self, figure: str, value: float | np.floating[Any]) -> None:
        self.values[figure].append(float(value))

    def _sum(self, figure: str, value: Floats64) -> None:
        self.sums[figure] = self.sums[figure] + value if figure in self.sums else value

    def score(self, confidence: float) -> ReaderScore:
        """The figures of all games together."""

        def share(figure: str) -> Estimate:
            return rate_interval(np.clip(np.array(self.values[figure]), 0.0, 1.0), confidence)

        players = not self.judge
        floor = float(np.mean(self.values["floor"]))
        hits = share("loose")
        gained = np.array(self.values["own"]) - np.array(self.values["named"])
        return ReaderScore(
            name=self.name,
            judge=self.judge,
            games=self.games,
            floor=floor,
            peer_hits=hits,
            peer_hits_strict=share("strict"),
            peer_hits_clean=share("clean") if "clean" in self.values else None,
            peer_hits_worded=share("worded") if "worded" in self.values else None,
            peer_hits_joint=share("joint"),
            kappa=above_floor(hits, floor),
            cohen_kappa=_cohen(self.sums["confusion"] / self.games),
            self_hits=share("own") if players else None,
            false_alarms=share("alarms") if players else None,
            legibility=share("named") if players else None,
            self_advantage=t_interval(gained, confidence) if players else None,
            nats=t_interval(np.array(self.values["nats"]), confidence),
            calibration_error=self._calibration(confidence),
            exact=share("exact"),
            order_consistency=share("steady") if "steady" in self.values else None,
            invalid=1.0 - self.counts["valid"] / self.counts["read"],
            repaired=self.counts["repaired"] / self.counts["read"],
            inverse=self.counts["inverse"] / self.counts["read"],
            **{
                figure: self._mean(figure)
                for figure in ("curve", "nats_curve", "by_slot", "labels")
            },
        )

    def _mean(self, figure: str) -> list[float]:
        mean: list[float] = (self.sums[figure] / self.games).round(6).tolist()
        return mean

    def _calibration(self, confidence: float) -> Estimate:
        shape = (self.games, *self.items)
        stated, credit = (
            np.array(self.values[figure]).reshape(shape) for figure in ("stated", "credit")
        )
        return calibration_error(stated[..., None], credit, confidence)


def above_floor(hits: Estimate, floor: float) -> Estimate:
    """Kappa: (hits - floor) / (1 - floor), the interval's ends alike; 0 where the floor is 1.

    Args:
        hits: a share in [0, 1].
        floor: what guessing gives.
    """

    def kappa(share: float) -> float:
        return (share - floor) / (1.0 - floor) if floor < 1.0 else 0.0

    ends = (kappa(hits.value), kappa(hits.low), kappa(hits.high))
    return Estimate(*ends, hits.n, hits.method)


def _exact(joint: Floats64, valid: Bools) -> float:
    """Share of rounds whose whole lineup is right; `joint` (R, N, N), `valid` (R, 1)."""
    right = np.einsum("rnn->rn", joint)
    return float((np.where(valid, right, 0.0) >= 1.0 - 1e-9).all(axis=1).mean())


def _cohen(table: Floats64) -> float | None:
    """(observed - expected) / (1 - expected) agreement of named and true players (Cohen 1960); (N,
    N) true, named."""
    table = table / table.sum()
    observed = float(np.trace(table))
    expected = float(table.sum(axis=0) @ table.sum(axis=1))
    return (observed - expected) / (1.0 - expected) if expected < 1.0 else None
