"""Tournaments whose readers obey the rating's model, with effects that are known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from mirrorenv.debate.rating import Rating, rate_counts

__all__ = ["Simulated", "simulate"]

FLOOR = 0.25  # games of four
ROUNDS = 8


class Simulated(NamedTuple):
    """Effects in logits, and counts. P players, G games.

    Attributes:
        reading: (P) true skill.
        legibility: (P) true ease of being read.
        self_term: (P) what is added on the own item; zero in a null tournament.
        right: (G, P, P) items right, reader by author.
        asked: (G, P, P) items.
    """

    reading: npt.NDArray[np.float64]
    legibility: npt.NDArray[np.float64]
    self_term: npt.NDArray[np.float64]
    right: npt.NDArray[np.float64]
    asked: npt.NDArray[np.float64]

    def rated(self, bootstrap: int, seed: int = 0) -> Rating:
        """What the rating makes of the counts."""
        names = tuple(f"p{k}" for k in range(len(self.reading)))
        return rate_counts(names, self.right, self.asked, floor=FLOOR, bootstrap=bootstrap, seed=seed)

    def correlations(self, rating: Rating) -> dict[str, float]:
        """Pearson's r of found and true effects; the self term only where there is one."""
        found = {"reading": (rating.reading, self.reading), "legibility": (rating.legibility, self.legibility)}
        if self.self_term.any():
            found["self"] = (rating.self_term, self.self_term)
        return {
            name: float(np.corrcoef([one.value if one else 0.0 for one in rated], true)[0, 1])
            for name, (rated, true) in found.items()
        }


def simulate(rng: np.random.Generator, players: int, games: int, *, null: bool) -> Simulated:
    """Games of four out of ``players``, eight rounds each, and every game harder or easier by 0.3 logits (sd).

    Args:
        rng: of everything.
        players: P, at least 4.
        games: G.
        null: whether nobody knows itself better than others know it.
    """
    reading, legible = rng.normal(0, 1, (2, players))
    self_term = np.zeros(players) if null else rng.normal(1, 1, players)
    right, asked = np.zeros((2, games, players, players))
    for game in range(games):
        seats, level = rng.choice(players, 4, replace=False), rng.normal(0, 0.3)
        for i in seats:
            for j in seats:
                share = expit(0.2 + level + reading[i] + legible[j] + self_term[i] * (i == j))
                right[game, i, j], asked[game, i, j] = rng.binomial(ROUNDS, FLOOR + (1.0 - FLOOR) * share), ROUNDS
    return Simulated(reading, legible, self_term, right, asked)
