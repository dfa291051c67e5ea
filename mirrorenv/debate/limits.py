"""The exact limit of a tournament: what a reader would score that knew the true context of every player.

For players that are one local model, the probability that player n would have written text k is known: it is the
product of the probabilities of its tokens after n's true prompt, at the temperature it was drawn at. Bayes' rule over
who wrote what, each author once, gives the best belief there can be. No reader knows that much, so in expectation none
lies above it; one that reliably does has found a leak. (The tokens as drawn are used, which tell no less than the text
that readers see.)

The limit takes every seat in turn: it knows the own item of that seat, as a reader does that may compare strings, and
is scored on its peers by the same code as the readers. In arms that withhold the own text it is an upper line still.

``limit.jsonl`` holds one row a game, ``{"game", "evidence": R x N x N nats, text by author}``; it is computed after the
games by :mod:`mirrorenv.debate.local.limit`, and read without a model.

Shape legend: R rounds, N players, K = N slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mirrorenv.debate.report import Results
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.scores import GameSheet, Sheets, sheet_of
from mirrorenv.debate.verdicts import verdict_from_evidence
from mirrorenv.mirror import Estimate, log_permutation_marginals, rate_interval, t_interval
from mirrorenv.results.files import read_jsonl

__all__ = ["LIMIT", "NAME", "LimitScore", "known_limits", "limit_score", "limit_sheets", "seat_belief"]

LIMIT = "limit.jsonl"
NAME = "limit (omniscient)"
_NEVER = 1e4  # nats: what a greedy player would not have written


def known_limits(results: Results) -> dict[int, list[Any]]:
    """Evidence (R, N, N) by game, as far as it was computed."""
    path = results.path / LIMIT
    return {int(row["game"]): row["evidence"] for row in read_jsonl(path).rows} if path.exists() else {}


def seat_belief(evidence: Sequence[Sequence[float | None]], seat: int) -> npt.NDArray[np.float64]:
    """(N, N) log posterior of text by author, for a reader that also knows which text is its own.

    Args:
        evidence: (N, N) nats, text by author, texts in author order; None for what cannot be.
        seat: of the reader.
    """
    table = np.array([[-_NEVER if value is None else max(value, -_NEVER) for value in row] for row in evidence])
    table[seat], table[:, seat] = -2 * _NEVER, -2 * _NEVER
    table[seat, seat] = 0.0
    found: npt.NDArray[np.float64] = log_permutation_marginals(table)
    return found


def limit_sheets(results: Results) -> Sheets:
    """The limit's numbers of every finished game that it was computed for."""
    known = known_limits(results)
    return [_sheet(results, debate, known[debate.game]) for debate in _finished(results, known)]


def _finished(results: Results, known: dict[int, list[Any]]) -> list[Debate]:
    return [debate for debate in results.games() if debate.game in known] if known else []


def _sheet(results: Results, debate: Debate, evidence: list[Any]) -> GameSheet:
    count = results.tournament.settings.num_players
    for played, table in zip(debate.rounds, evidence, strict=True):
        beliefs = [seat_belief(table, seat) for seat in range(count)]
        for seat, reveal in enumerate(played.reveals[:count]):
            played.verdicts[seat] = verdict_from_evidence(beliefs[seat][reveal.permutation])
    sheet = sheet_of(results.tournament, debate)
    arrays = {name: value for name, value in vars(sheet).items() if isinstance(value, np.ndarray)}
    players: dict[str, Any] = {name: arrays[name][:, :count] for name in arrays.keys() - {"alike", "flagged"}}
    return replace(sheet, readers=(NAME,) * count, knows_own=True, **players)  # judges are no part of the limit


@dataclass(frozen=True)
class LimitScore:
    """The limit in figures, mean over the seats of a game, games as clusters.

    Attributes:
        games: for which it is known.
        floor: chance for a peer's text.
        peer_hits: texts of peers whose most probable author is the true one.
        kappa: peer hits above the floor.
        nats: log posterior of the true author on peers' texts, above chance among all players; at most log N.
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
        return {name: value.to_dict() if isinstance(value, Estimate) else value for name, value in vars(self).items()}


def limit_score(results: Results) -> LimitScore | None:
    """The limit of all finished games that it was computed for; None if there are none."""
    sheets = limit_sheets(results)
    if not sheets:
        return None
    count = sheets[0].num_players
    peers = ~np.eye(count, dtype=bool)
    right = np.stack([np.einsum("rjnn->rjn", sheet.naming) for sheet in sheets])  # (G, R, J, N)
    joint = np.stack([np.einsum("rjnn->rjn", sheet.joint) for sheet in sheets])  # (G, R, J, N)
    worth = np.stack([sheet.worth for sheet in sheets])  # (G, R, J, N)
    hits = rate_interval(right[..., peers].mean(axis=(1, 2)))
    floor = 1.0 / (count - 1)
    low, value, high = (
        (end - floor) / (1.0 - floor) if floor < 1.0 else 0.0 for end in (hits.low, hits.value, hits.high)
    )
    return LimitScore(
        games=len(sheets),
        floor=floor,
        peer_hits=hits,
        kappa=Estimate(value, low, high, hits.n, hits.method),
        nats=t_interval(worth[..., peers].mean(axis=(1, 2))),
        exact=rate_interval((joint >= 1.0 - 1e-9).all(axis=-1).mean(axis=(1, 2))),
        curve=right[..., peers].mean(axis=(0, 2)).round(6).tolist(),
    )
