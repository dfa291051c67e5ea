"""Tournaments whose readers obey the rating's model, with effects that are known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from mirrorenv.debate.scoring.rating import Rating, rate_counts

__all__ = ["Simulated", "best_self", "simulate"]

FLOOR = 0.25  # games of four
ROUNDS = 8
BASE, LEVEL = 0.2, 0.3  # logits: of all items, and standard deviation over games


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
        return rate_counts(
            names, self.right, self.asked, floor=FLOOR, bootstrap=bootstrap, seed=seed
        )

    def correlations(self, rating: Rating) -> dict[str, float]:
        """Pearson's r of found and true effects; the self term only where there is one."""
        found = {
            "reading": (rating.reading, self.reading),
            "legibility": (rating.legibility, self.legibility),
        }
        if self.self_term.any():
            found["self"] = (rating.self_term, self.self_term)
        return {
            name: float(np.corrcoef([one.value if one else 0.0 for one in rated], true)[0, 1])
            for name, (rated, true) in found.items()
        }


def best_self(true: Simulated) -> npt.NDArray[np.float64]:
    """(P) the most probable self terms for whoever knows all else: a line that no rating reaches
    but by luck.

    Known are every skill and legibility, the base, how much games differ, and that self terms were
    drawn from N(1, 1): what is left is chance in the own items (400 for each of 8 players in 100
    games).
    """
    grid = np.linspace(-6.0, 8.0, 5601)  # S candidates
    places, weights = np.polynomial.hermite_e.hermegauss(15)
    found = np.empty(len(true.reading))
    right, asked = true.right.sum(axis=0), true.asked.sum(axis=0)
    for i in range(len(found)):
        # (S, 15)
        logits = BASE + true.reading[i] + true.legibility[i] + grid[:, None] + LEVEL * places
        share = FLOOR + (1.0 - FLOOR) * expit(logits) @ (weights / weights.sum())  # (S)
        hits, items = right[i, i], asked[i, i]
        found[i] = grid[
            (
                hits * np.log(share) + (items - hits) * np.log1p(-share) - 0.5 * (grid - 1.0) ** 2
            ).argmax()
        ]
    return found


def simulate(rng: np.random.Generator, players: int, games: int, *, null: bool) -> Simulated:
    """Games of four out of `players`, eight rounds each, and every game harder or easier by 0.3
    logits (sd).

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
        seats, level = rng.choice(players, 4, replace=False), rng.normal(0, LEVEL)
        for i in seats:
            for j in seats:
                share = expit(BASE + level + reading[i] + legible[j] + self_term[i] * (i == j))
                right[game, i, j], asked[game, i, j] = (
                    rng.binomial(ROUNDS, FLOOR + (1.0 - FLOOR) * share),
                    ROUNDS,
                )
    return Simulated(reading, legible, self_term, right, asked)
