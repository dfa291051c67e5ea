"""A tournament that was played: its games, replayed from the log, and their figures.

Every finished game is played again from the log, without a call. Games are read one at a time, and
only numbers are kept of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mirrorenv.debate.log import CALLS, CallLog
from mirrorenv.debate.playing import recorded_game
from mirrorenv.debate.recorded import open_tournament
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.scoring.conduct import Conduct, ConductTally
from mirrorenv.debate.scoring.ideal import (
    LimitScore,
    LimitTally,
    known_limits,
    limit_sheet,
    read_limit,
)
from mirrorenv.debate.scoring.rating import ItemCounts
from mirrorenv.debate.scoring.scores import ReaderScore, ScoreTally, above_floor
from mirrorenv.debate.scoring.sheets import GameSheet, sheet_of
from mirrorenv.debate.tournament import Tournament
from mirrorenv.errors import RunFolderError
from mirrorenv.mirror import Estimate
from mirrorenv.mirror.bounded import rebounded

__all__ = ["Results", "open_results", "tied_groups"]


@dataclass
class _Tally:
    """What is kept of all finished games: numbers, no texts."""

    scores: ScoreTally = field(default_factory=ScoreTally)
    items: ItemCounts = field(default_factory=ItemCounts)
    conduct: ConductTally = field(default_factory=ConductTally)
    limit: LimitTally = field(default_factory=LimitTally)

    def add(self, sheet: GameSheet) -> None:
        """Count one game."""
        self.scores.add(sheet)
        self.items.add(sheet)
        self.conduct.add(sheet)


class Results:
    """A tournament that was played, at least in part. Games are read one at a time, and only
    numbers are kept.

    Attributes:
        path: the run folder.
        tournament: what was played.
        log: its calls.
    """

    def __init__(self, path: Path, tournament: Tournament, log: CallLog) -> None:
        self.path = path
        self.tournament = tournament
        self.log = log
        self._tally: _Tally | None = None

    def games(self) -> Iterator[Debate]:
        """The finished games in order, one at a time."""
        for game in self.log.games:
            if game < self.tournament.games:
                debate = recorded_game(self.tournament, self.log, game)
                if debate is not None:
                    yield debate

    def game(self, number: int) -> Debate:
        """One finished game.

        Raises:
            RunFolderError: if it has not been played to its end.
        """
        debate = None
        if number < self.tournament.games:
            debate = recorded_game(self.tournament, self.log, number)
        if debate is None:
            raise RunFolderError(
                f"{self.path}: game {number} is not finished; 'mirrorenv debate run' with the same "
                "tournament resumes it"
            )
        return debate

    def sheets(self) -> _Sheets:
        """The numbers of the finished games in order, computed on each iteration, one game at a
        time."""
        return _Sheets(self)

    def _all(self) -> _Tally:
        if self._tally is None:
            self._tally = self._counted()
        return self._tally

    def _counted(self) -> _Tally:
        tally = _Tally()
        limits = known_limits(self.path)
        for debate in self.games():
            tally.add(sheet_of(self.tournament, debate))
            if debate.game in limits:
                evidence = read_limit(self.path, limits[debate.game])
                tally.limit.add(limit_sheet(self.tournament, debate, evidence))
        return tally

    def invalidate(self) -> None:
        """Recompute the figures when they are next asked for: something was added to the folder."""
        self._tally = None

    @property
    def finished(self) -> int:
        """How many games are finished."""
        return self._all().items.games

    def scores(self) -> list[ReaderScore]:
        """The leaderboard, best reader first; empty if no game is finished."""
        return self._all().scores.scores()

    def items(self) -> ItemCounts:
        """Which reader named which author how often; what ratings are made of."""
        return self._all().items

    def conduct(self) -> Conduct:
        """Findings of the audit, and orders that texts gave to readers."""
        return self._all().conduct.conduct()

    def limit(self) -> LimitScore | None:
        """The exact limit of the games that it was computed for; None if there are none."""
        return self._all().limit.score()


@dataclass(frozen=True)
class _Sheets:
    results: Results

    def __len__(self) -> int:
        return self.results.finished

    def __iter__(self) -> Iterator[GameSheet]:
        return (sheet_of(self.results.tournament, debate) for debate in self.results.games())


def open_results(folder: str | Path) -> Results:
    """The results in a run folder.

    Raises:
        RunFolderError: if it is no tournament, or its log is damaged.
    """
    path = Path(folder)
    tournament, _ = open_tournament(path)
    return Results(path, tournament, CallLog(path / CALLS))


def tied_groups(scores: Sequence[ReaderScore]) -> list[int]:
    """The group of each reader, from 1: readers of one group could be equal.

    A new group begins where a reader's interval, as it is printed, lies wholly below that of the
    group's best, so that no reader is ranked above another on a difference that could be chance.

    Args:
        scores: the leaderboard, best first.

    Returns:
        a group for each reader, in the same order.
    """
    groups: list[int] = []
    best: Estimate | None = None
    for score in scores:
        hits = rebounded(score.peer_hits) or score.peer_hits
        kappa = above_floor(hits, score.floor)
        if best is None or kappa.high < best.low:
            groups.append(groups[-1] + 1 if groups else 1)
            best = kappa
        else:
            groups.append(groups[-1])
    return groups
