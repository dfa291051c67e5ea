"""Who reads well, who is read easily, who knows itself: a crossed logistic model.

`P(reader i names author j) = c + (1 - c) logistic(base + r_i + l_j + s_i [i = j])` with c = 1/N,
what guessing gives, and ridge penalties, fitted by Fisher scoring on credits by reader and author.
It is the Rasch model (Rasch 1960) with Birnbaum's guessing floor (1968) and a term for the self.
Without the floor, guessers in the field bend the scale, and good readers of marked authors look as
if they knew themselves. Intervals resample whole games, because the verdicts of a game share its
texts. Elo and TrueSkill are not used: no player has to lose for another to win.

Shape legend: P players (cards, judges included as readers), G games.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit
from scipy.stats import t as student

from mirrorenv.debate.scoring.sheets import GameSheet
from mirrorenv.errors import MirrorError
from mirrorenv.mirror import Estimate, holm
from mirrorenv.mirror.arrays import Bools, Floats64, Ints64
from mirrorenv.mirror.intervals import TextStyle

__all__ = ["ItemCounts", "Rating", "fit_rating", "rate_counts"]

# penalty on squared skill and legibility: barely any, since what it takes off them looks like a
# self
_RIDGE = 0.05
_RIDGE_SELF = 0.5  # penalty on the squared self term: about one pseudo-observation


@dataclass(frozen=True)
class Rating:
    """Effects in logits, each with an interval.

    Attributes:
        players: names.
        reading: skill as a reader, mean zero.
        legibility: ease of being read, mean zero; None for a judge.
        self_term: what is added on the own item; None for a judge.
        self_known: whether the self term is above zero at 5 % over all players together (Holm
            1979).
        groups: readers that could be equal share a group, from 1.
        games: how many.
    """

    players: tuple[str, ...]
    reading: tuple[Estimate, ...]
    legibility: tuple[Estimate | None, ...]
    self_term: tuple[Estimate | None, ...]
    self_known: tuple[bool, ...]
    groups: tuple[int, ...]
    games: int

    def order(self) -> list[int]:
        """Players, the best reader first."""
        return sorted(
            range(len(self.players)),
            key=lambda i: (-round(self.reading[i].value, 9), self.players[i]),
        )

    def rows(self, digits: int = 2) -> list[list[str]]:
        """For a table: group, player, reading, legibility, self term, whether a self-advantage is
        shown."""

        style = TextStyle(f"{{:+.{digits}f}}".format)

        def cell(one: Estimate | None) -> str:
            return "-" if one is None else one.text(style)

        return [
            [
                str(self.groups[i]),
                self.players[i],
                cell(self.reading[i]),
                cell(self.legibility[i]),
                cell(self.self_term[i]),
                "yes" if self.self_known[i] else "no",
            ]
            for i in self.order()
        ]

    def to_json(self) -> dict[str, Any]:
        """All figures, the best reader first."""

        def plain(one: Estimate | None) -> Any:
            return None if one is None else one.to_dict()

        players = [
            {
                "player": self.players[i],
                "group": self.groups[i],
                "reading": plain(self.reading[i]),
                "legibility": plain(self.legibility[i]),
                "self": plain(self.self_term[i]),
                "self_advantage": self.self_known[i],
            }
            for i in self.order()
        ]
        return {"games": self.games, "players": players}


def fit_rating(
    right: Floats64, asked: Floats64, floor: float, start: Floats64 | None = None
) -> Floats64:
    """Effects that fit the counts best.

    Args:
        right: (P, P) credits of reader i on texts of author j.
        asked: (P, P) how many items.
        floor: c, what guessing gives.
        start: (1 + 3 P) from where to search.

    Returns:
        (1 + 3 P): base, reading, legibility, self.
    """
    players = len(right)
    size = 1 + 3 * players
    reader, author = np.nonzero(asked > 0)
    rows = np.arange(len(reader))
    design = np.zeros((len(reader), size))
    design[:, 0] = 1.0
    design[rows, 1 + reader] = 1.0
    design[rows, 1 + players + author] = 1.0
    own = reader == author
    design[rows[own], 1 + 2 * players + reader[own]] = 1.0
    wanted = right[reader, author]
    trials = asked[reader, author]
    penalty = np.full(size, 2.0 * _RIDGE)
    penalty[1 + 2 * players :] = 2.0 * _RIDGE_SELF
    penalty[0] = 1e-6
    effects = np.zeros(size) if start is None else start.copy()
    for _ in range(60):
        above = np.clip(expit(design @ effects), 1e-9, 1.0 - 1e-9)
        share = floor + (1.0 - floor) * above
        slope = (1.0 - floor) * above * (1.0 - above)  # of the share
        spread = share * (1.0 - share)
        gradient = design.T @ ((wanted - trials * share) * slope / spread) - penalty * effects
        curvature = (design * (trials * slope**2 / spread)[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        largest = float(np.abs(step).max())
        effects += step if largest <= 2.0 else step * (2.0 / largest)
        if largest < 1e-8:
            break
    return effects


def rate_counts(
    names: tuple[str, ...],
    right: Floats64,
    asked: Floats64,
    *,
    floor: float,
    bootstrap: int = 400,
    seed: int = 0,
) -> Rating:
    """Rate players from counts by game.

    Args:
        names: P names.
        right: (G, P, P) credits of reader i on texts of author j in each game.
        asked: (G, P, P) how many items.
        floor: what guessing gives, 1/N.
        bootstrap: resamples of whole games.
        seed: of the resampling.

    Raises:
        MirrorError: with fewer than two games.
    """
    games = len(right)
    players = len(names)
    if games < 2:
        raise MirrorError(f"a rating needs at least 2 games, got {games}")
    effects = fit_rating(right.sum(axis=0), asked.sum(axis=0), floor)
    rng = np.random.default_rng(seed)
    gain = _self_gain(right.sum(axis=0), asked.sum(axis=0), floor, effects)  # (P,)
    drawn = np.empty((bootstrap, len(effects)))
    gains = np.empty((bootstrap, players))
    for sample in range(bootstrap):
        weight = np.bincount(rng.integers(games, size=games), minlength=games).astype(np.float64)
        counts = np.tensordot(weight, right, 1), np.tensordot(weight, asked, 1)
        gains[sample] = _self_gain(*counts, floor, effects)
        drawn[sample] = fit_rating(*counts, floor, effects)
    error = drawn.std(axis=0, ddof=1) * np.sqrt(games / (games - 1))
    reach = float(student.ppf(0.975, games - 1))
    writes = asked.sum(axis=(0, 1)) > 0
    own = np.einsum("gpp->p", asked) > 0
    method = f"bootstrap of {games} games, Student's t"

    def estimate(place: int, centre: float) -> Estimate:
        value = float(effects[place] - centre)
        spread = float(reach * error[place])
        return Estimate(value, value - spread, value + spread, games, method)

    reading = effects[1 : 1 + players]
    legible = effects[1 + players : 1 + 2 * players]
    selves = range(1 + 2 * players, 1 + 3 * players)
    items = np.maximum(np.einsum("gpp->p", asked), 1.0)
    predicted = np.clip(np.einsum("gpp->p", right) / items - gain, 0.0, 1.0)
    # Where all own items are right, resampling sees no spread; what the prediction itself leaves to
    # chance still holds.
    binomial = predicted * (1.0 - predicted) / items
    spread_of_gain = np.sqrt(
        np.maximum(gains.var(axis=0, ddof=1) * games / (games - 1), 0.0) + binomial
    )
    scores = [float(g / e) if e > 0 else 0.0 for g, e in zip(gain, spread_of_gain, strict=True)]
    # games that say anything about the self of each
    seated = (np.einsum("gpp->gp", asked) > 0).sum(axis=0)
    chances = [
        float(student.sf(score, max(1, seated[i] - 1))) if own[i] else 1.0
        for i, score in enumerate(scores)
    ]
    rated = [estimate(1 + i, float(reading.mean())) for i in range(players)]
    return Rating(
        players=names,
        reading=tuple(rated),
        legibility=tuple(
            estimate(1 + players + i, float(legible[writes].mean())) if writes[i] else None
            for i in range(players)
        ),
        self_term=tuple(estimate(k, 0.0) if own[i] else None for i, k in enumerate(selves)),
        self_known=_known(chances, own),
        groups=_groups(rated),
        games=games,
    )


def _self_gain(right: Floats64, asked: Floats64, floor: float, start: Floats64) -> Floats64:
    """(P,) own items right beyond what peers' items predict of such a reader and such an author.

    A difference of shares, not of logits: near certainty logits are too skewed for a t test, and it
    found something in twice as many null tournaments as it may.
    """
    players = len(right)
    peers = 1.0 - np.eye(players)
    effects = fit_rating(
        right * peers, asked * peers, floor, start * (np.arange(len(start)) <= 2 * players)
    )
    predicted = floor + (1.0 - floor) * expit(
        effects[0] + effects[1 : 1 + players] + effects[1 + players : 1 + 2 * players]
    )
    own = np.diagonal(asked)
    return np.where(own > 0, np.diagonal(right) / np.maximum(own, 1e-9) - predicted, 0.0)


def _known(chances: list[float], own: Bools, level: float = 0.05) -> tuple[bool, ...]:
    """Which players know themselves, all tests together at the level; who was never asked does
    not."""
    known = np.zeros(len(chances), bool)
    known[own] = holm(np.array(chances)[own]) <= level
    return tuple(known.tolist())


def _groups(rated: list[Estimate]) -> tuple[int, ...]:
    groups = [0] * len(rated)
    number = 0
    best: Estimate | None = None
    for i in sorted(range(len(rated)), key=lambda i: -rated[i].value):
        if best is None or rated[i].high < best.low:
            number += 1
            best = rated[i]
        groups[i] = number
    return tuple(groups)


class ItemCounts:
    """Which reader named which author how often, game by game: what ratings and the page's matrix
    are made of."""

    def __init__(self) -> None:
        self.games = 0
        self._names: dict[str, int] = {}
        self._authors: set[str] = set()
        self._floors = array("d")
        # One entry for each reader and author of a game. Verdicts that could not be read count as a
        # blank one does.
        self._game, self._reader, self._author, self._asked = (array("i") for _ in range(4))
        self._right = array("d")

    def add(self, sheet: GameSheet) -> None:
        """Count one game."""
        places = [self._names.setdefault(name, len(self._names)) for name in sheet.readers]
        authors = places[: sheet.num_players]
        self._authors.update(sheet.readers[: sheet.num_players])
        self._floors.append(1.0 / sheet.num_players)
        right = np.einsum("rjnn->jnr", sheet.naming)  # (J, N, R)
        for j, reader in enumerate(places):
            for n, author in enumerate(authors):
                self._game.append(self.games)
                self._reader.append(reader)
                self._author.append(author)
                self._asked.append(len(sheet.naming))
                self._right.append(float(right[j, n].sum()))
        self.games += 1

    @property
    def readers(self) -> tuple[str, ...]:
        """P names, sorted."""
        return tuple(sorted(self._names))

    @property
    def authors(self) -> tuple[str, ...]:
        """Those of them that wrote, sorted."""
        return tuple(sorted(self._authors))

    def _columns(
        self,
    ) -> tuple[Ints64, Ints64, Ints64]:
        """Game, reader and author of each entry; readers and authors as places in
        :attr:`readers`."""
        place = np.array([self.readers.index(name) for name in self._names])
        return np.array(self._game), place[np.array(self._reader)], place[np.array(self._author)]

    def by_game(self) -> tuple[Floats64, Floats64]:
        """(G, P, P) credits of each reader on texts of each author, and how many items."""
        right, asked = np.zeros((2, self.games, len(self._names), len(self._names)))
        np.add.at(right, self._columns(), np.array(self._right))
        np.add.at(asked, self._columns(), np.array(self._asked, np.float64))
        return right, asked

    def totals(self) -> tuple[Floats64, Floats64]:
        """(P, P) the same over all games."""
        right, asked = np.zeros((2, len(self._names), len(self._names)))
        np.add.at(right, self._columns()[1:], np.array(self._right))
        np.add.at(asked, self._columns()[1:], np.array(self._asked, np.float64))
        return right, asked

    def rated(self, *, bootstrap: int = 400, seed: int = 0) -> Rating:
        """The rating of all games."""
        floor = float(np.mean(self._floors))
        return rate_counts(
            self.readers, *self.by_game(), floor=floor, bootstrap=bootstrap, seed=seed
        )
