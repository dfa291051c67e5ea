"""The exact limit of a tournament: what a reader would score that knew the true context of every
player.

For players that are one local model, the probability that player n would have written text k is
known: it is the product of the probabilities of its tokens after n's true prompt, at the
temperature it was drawn at. Bayes' rule over who wrote what, each author once, gives the best
belief there can be. No reader knows that much, so in expectation none lies above it; one that
reliably does has found a leak. (The tokens as drawn are used, which tell no less than the text that
readers see.)

The limit takes every seat in turn: it knows the own item of that seat, as a reader does that may
compare strings, and is scored on its peers by the same code as the readers. In arms that withhold
the own text it is an upper line still.

`limit.jsonl` holds one row a game, `{"game", "evidence": R x N x N nats, text by author}`; it
is computed after the games by :mod:`mirrorenv.debate.scoring.ideal_evidence`, and read without a
model.

Shape legend: R rounds, N players, K = N slots.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mirrorenv.debate.log import row_at, rows_of
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.scoring.scores import above_floor
from mirrorenv.debate.scoring.sheets import GameSheet, sheet_of
from mirrorenv.debate.tournament import Tournament
from mirrorenv.debate.verdicts import verdict_from_evidence
from mirrorenv.mirror import Estimate, log_permutation_marginals, rate_interval, t_interval
from mirrorenv.mirror.arrays import Floats64

__all__ = [
    "LIMIT_FILE",
    "LIMIT_READER",
    "LimitScore",
    "LimitTally",
    "known_limits",
    "limit_sheet",
    "read_limit",
    "seat_belief",
]

LIMIT_FILE = "limit.jsonl"
LIMIT_READER = "limit (omniscient)"
"""What tables call the reader that knows every true prompt."""
Evidence = list[list[list[float | None]]]
"""R x N x N nats, text by author; None for a text that a greedy player would not have written."""
_NEVER = 1e4  # nats: what a greedy player would not have written


def known_limits(folder: Path) -> dict[int, int]:
    """The games whose limit was computed, and where each row begins in `limit.jsonl`.

    Raises:
        RunFolderError: if the file is damaged elsewhere than in an unfinished last line.
    """
    rows = rows_of(
        folder / LIMIT_FILE, lambda row: row["game"] + len(row["evidence"]), "it is computed again"
    )
    return {int(row["game"]): place for place, row in rows}


def read_limit(folder: Path, place: int) -> Evidence:
    """The evidence of one game.

    Args:
        folder: the run folder.
        place: where its row begins in `limit.jsonl`, from :func:`known_limits`.

    Returns:
        (R, N, N) nats, text by author.
    """
    with (folder / LIMIT_FILE).open("rb") as file:
        evidence: Evidence = row_at(file, place)["evidence"]
        return evidence


def seat_belief(evidence: Sequence[Sequence[float | None]], seat: int) -> Floats64:
    """(N, N) log posterior of text by author, for a reader that also knows which text is its own.

    Args:
        evidence: (N, N) nats, text by author, texts in author order; None for what cannot be.
        seat: of the reader.
    """
    table = np.array(evidence, dtype=np.float64)  # (N, N); None becomes NaN
    table = np.fmax(table, -_NEVER)
    table[seat] = -2 * _NEVER
    table[:, seat] = -2 * _NEVER
    table[seat, seat] = 0.0
    found: Floats64 = log_permutation_marginals(table)
    return found


def limit_sheet(tournament: Tournament, debate: Debate, evidence: Evidence) -> GameSheet:
    """The limit's numbers of a finished game, whose verdicts are replaced.

    Args:
        tournament: whose game it is.
        debate: the game.
        evidence: (R, N, N) nats, text by author.
    """
    count = tournament.settings.num_players
    for played, table in zip(debate.rounds, evidence, strict=True):
        beliefs = [seat_belief(table, seat) for seat in range(count)]
        for seat, reveal in enumerate(played.reveals[:count]):
            played.verdicts[seat] = verdict_from_evidence(beliefs[seat][reveal.permutation])
    sheet = sheet_of(tournament, debate)
    arrays = {name: value for name, value in vars(sheet).items() if isinstance(value, np.ndarray)}
    players: dict[str, Any] = {
        name: arrays[name][:, :count] for name in arrays.keys() - {"alike", "flagged", "worded"}
    }
    # judges are no part of the limit
    return replace(sheet, readers=(LIMIT_READER,) * count, knows_own=True, **players)


@dataclass(frozen=True)
class LimitScore:
    """The limit in figures, mean over the seats of a game, games as clusters.

    Attributes:
        games: for which it is known.
        floor: chance for a peer's text.
        peer_hits: texts of peers whose most probable author is the true one.
        kappa: peer hits above the floor.
        nats: log posterior of the true author on peers' texts, above chance among all players; at
            most log N.
        exact: whole lineups right.
        curve: peer hits by round.
    """

    games: int
    floor: float
    peer_hits: Estimate
    kappa: Estimate
    nats: Estimate
    exact: Estimate
    curve: list[float]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            name: value.to_dict() if isinstance(value, Estimate) else value
            for name, value in vars(self).items()
        }


class LimitTally:
    """The limit's figures, game by game; some numbers stay of each."""

    def __init__(self) -> None:
        self._count = 0
        self._hits = array("d")
        self._nats = array("d")
        self._exact = array("d")
        self._curve: Floats64 | float = 0.0

    def add(self, sheet: GameSheet) -> None:
        """Count one game of the limit."""
        self._count = sheet.num_players
        peers = ~np.eye(self._count, dtype=bool)
        right = np.einsum("rjnn->rjn", sheet.naming)[:, peers]  # (R, J (N - 1))
        joint = np.einsum("rjnn->rjn", sheet.joint)  # (R, J, N)
        worth = sheet.worth[:, peers]  # (R, J (N - 1))
        self._hits.append(float(right.sum(axis=0).sum() / right.size))
        self._nats.append(float(worth.sum(axis=0).sum() / worth.size))
        self._exact.append(float((joint >= 1.0 - 1e-9).all(axis=-1).mean()))
        self._curve = self._curve + right.mean(axis=1)

    def score(self) -> LimitScore | None:
        """The figures of all games; None without any."""
        games = len(self._hits)
        if not games:
            return None
        hits = rate_interval(list(self._hits))
        floor = 1.0 / (self._count - 1)
        return LimitScore(
            games=games,
            floor=floor,
            peer_hits=hits,
            kappa=above_floor(hits, floor),
            nats=t_interval(list(self._nats)),
            exact=rate_interval(list(self._exact)),
            curve=(np.asarray(self._curve) / games).round(6).tolist(),
        )
