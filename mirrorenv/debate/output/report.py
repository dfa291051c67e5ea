"""From a run folder to tables: every finished game played again from the log, without a call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrorenv.debate.log import CALLS, CallLog
from mirrorenv.debate.playing import recorded_game
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.scoring.conduct import Conduct, ConductTally
from mirrorenv.debate.scoring.limits import (
    LimitScore,
    LimitTally,
    known_limits,
    limit_evidence,
    limit_sheet,
)
from mirrorenv.debate.scoring.rating import ItemCounts
from mirrorenv.debate.scoring.scores import ReaderScore, ScoreTally
from mirrorenv.debate.scoring.sheets import GameSheet, sheet_of
from mirrorenv.debate.tournament import Tournament, open_tournament
from mirrorenv.errors import RunFolderError
from mirrorenv.results.runs.files import atomic_write_json

__all__ = ["SCORES", "Results", "open_results", "tied_groups", "write_scores"]

SCORES = "scores.json"


class _Tally:
    """What is kept of all finished games: numbers, no texts."""

    def __init__(self, results: Results) -> None:
        self.scores, self.items, self.conduct, self.limit = (
            ScoreTally(),
            ItemCounts(),
            ConductTally(),
            LimitTally(),
        )
        limits = known_limits(results.path)
        for debate in results.games():
            sheet = sheet_of(results.tournament, debate)
            for part in (self.scores, self.items, self.conduct):
                part.add(sheet)
            if debate.game in limits:
                evidence = limit_evidence(results.path, limits[debate.game])
                self.limit.add(limit_sheet(results.tournament, debate, evidence))


class Results:
    """A tournament that was played, at least in part. Games are read one at a time, and only
    numbers are kept.

    Attributes:
        path: the run folder.
        tournament: what was played.
        log: its calls.
    """

    def __init__(self, path: Path, tournament: Tournament, log: CallLog) -> None:
        self.path, self.tournament, self.log = path, tournament, log
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
        debate = (
            recorded_game(self.tournament, self.log, number)
            if number < self.tournament.games
            else None
        )
        if debate is None:
            raise RunFolderError(
                f"{self.path}: game {number} is not finished; 'mirrorenv debate run' with the same "
                "tournament goes on"
            )
        return debate

    def sheets(self) -> _Sheets:
        """The numbers of the finished games in order: iterated anew each time, one game at a
        time."""
        return _Sheets(self)

    def _all(self) -> _Tally:
        if self._tally is None:
            self._tally = _Tally(self)
        return self._tally

    def changed(self) -> None:
        """Have the figures computed anew: something was added to the folder."""
        self._tally = None

    @property
    def finished(self) -> int:
        """How many games are finished."""
        return self._all().items.games

    def scores(self) -> list[ReaderScore]:
        """The leaderboard; empty if no game is finished."""
        return self._all().scores.scores()

    def items(self) -> ItemCounts:
        """Which reader named which author how often; what ratings are made of."""
        return self._all().items

    def conduct(self) -> Conduct:
        """Findings of the audit, and orders that texts gave to readers."""
        return self._all().conduct.conduct()

    def limit(self) -> LimitScore | None:
        """The limit of the games that it was computed for; None if there are none."""
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


def tied_groups(scores: list[ReaderScore]) -> list[int]:
    """The group of each reader, from 1: a new one begins where a reader's interval lies wholly
    below the group's best.

    Nobody is ranked above another on a difference that could be chance.
    """
    groups, best = list[int](), None
    for score in scores:
        if best is None or score.kappa.high < best.kappa.low:
            groups.append(groups[-1] + 1 if groups else 1)
            best = score
        else:
            groups.append(groups[-1])
    return groups


def write_scores(results: Results) -> dict[str, Any]:
    """Compute the leaderboard and write ``scores.json``: the same bytes for the same games, however
    they came about."""
    scores = results.scores()
    table = {
        "tournament": results.tournament.name,
        "seed": results.tournament.seed,
        "games": results.finished,
        "of": results.tournament.games,
        "prompts": results.tournament.config()["prompts"],
        "readers": [
            {"group": group, **score.to_dict()}
            for group, score in zip(tied_groups(scores), scores, strict=True)
        ],
    }
    if scores:
        table["conduct"] = results.conduct().to_dict()
    limit = results.limit()
    if limit is not None:
        table["limit"] = limit.to_dict()
    atomic_write_json(results.path / SCORES, table)
    return table
