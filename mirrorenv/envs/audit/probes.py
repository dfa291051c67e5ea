"""The trained probe: a linear discriminant that learns from earlier episodes which slot is whose.

Shape legend: E episodes, N agents, R assignments, P classes (the N agents, or their N (N - 1)
ordered pairs), F features, K of them chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from mirrorenv.envs.audit.exact import (
    assignments,
    hits_p_value,
    ordered_pairs,
    rank_p_value,
    true_ranks,
    verdicts,
)
from mirrorenv.envs.audit.features import Features
from mirrorenv.mirror.arrays import Floats64, Ints64

__all__ = ["Outcome", "best_features", "probe"]


CUTS = (0.25, 0.5, 0.75, 1.0)
"""Ends of the blocks of episodes: a probe learns from all blocks before the one it is tested on."""
# features chosen; at most this many of them by chance, on average
_MOST = 64
_FEWEST = 4
_FALSE = 4.0


@dataclass(frozen=True)
class Outcome:
    """How a trained probe did on episodes it had not seen.

    Attributes:
        ranks: (E,) ranks of the true lineup, 1 the best.
        size: R, how many assignments were compared.
        hits: (E,) slots named right.
        agents: N.
    """

    ranks: Ints64
    size: int
    hits: Ints64
    agents: int

    @property
    def accuracy(self) -> float:
        """Share of slots named right; chance is 1 / N."""
        return float(self.hits.mean() / self.agents)

    @property
    def p_value(self) -> float:
        """Twice the smaller p-value of hits and ranks, 1 at most."""
        return min(
            1.0, 2 * min(hits_p_value(self.hits, self.agents), rank_p_value(self.ranks, self.size))
        )

    @property
    def outscores(self) -> float:
        """How often the true lineup outscores a wrong one; chance is 0.5."""
        return float(1.0 - (self.ranks - 1).mean() / (self.size - 1))


@dataclass(frozen=True)
class _Discriminant:
    """Evidence for class p: `weights[p] @ (values[chosen] / scale) - offset[p]`."""

    chosen: npt.NDArray[np.intp]  # (K,)
    weights: Floats64  # (P, K)
    offset: Floats64  # (P,)

    def evidence(self, values: Floats64) -> Floats64:
        """(E, P, P) evidence in nats: row what is seen, column the class."""
        result: Floats64 = values[:, :, self.chosen] @ self.weights.T - self.offset
        return result


def separation(values: Floats64) -> Floats64:
    """(F,) how far class means lie apart: about chi-square with P - 1 degrees of freedom if there
    is nothing.

    Args:
        values: (E, P, F), centred within episodes, row p made by class p.
    """
    episodes = len(values)
    power = (values**2).mean(axis=(0, 1))  # (F,) centred, so this is the variance
    means = values.mean(axis=0)  # (P, F)
    classes = values.shape[1]
    share = np.divide((means**2).sum(axis=0), power, out=np.zeros_like(power), where=power > 0)
    result: Floats64 = episodes * share * (classes - 1) / classes
    return result


def _learn(values: Floats64) -> _Discriminant:
    """Linear discriminant on the features that stand out, with a covariance shrunk towards the
    diagonal.

    Args:
        values: (E, P, F), centred within episodes, row p made by class p.
    """
    episodes, classes, size = values.shape
    found = separation(values)
    count = int((found > chi2.isf(min(_FALSE / size, 1.0), classes - 1)).sum())
    chosen = np.argsort(-found, kind="stable")[: int(np.clip(count, min(_FEWEST, size), _MOST))]
    part = values[:, :, chosen]
    scale = np.sqrt((part**2).mean(axis=(0, 1)))
    scale = np.where(scale > 0, scale, 1.0)
    part = part / scale
    means = part.mean(axis=0)  # (P, K)
    inner = (part - means).reshape(-1, len(chosen))
    covariance = inner.T @ inner / max(len(inner) - classes, 1)
    shrink = max(len(chosen) / (len(chosen) + episodes), 0.02)
    # a feature that always gives the name away has no variance left
    floor = 1e-3 * np.eye(len(chosen))
    covariance = (1 - shrink) * covariance + shrink * np.diag(np.diag(covariance)) + floor
    weights = np.linalg.solve(covariance, means.T).T  # (P, K)
    return _Discriminant(chosen, weights / scale, 0.5 * (weights * means).sum(axis=1))


def _scores(slots: Floats64 | None, pairs: Floats64 | None, names: Ints64, agents: int) -> Floats64:
    """(E, R) evidence for each assignment: the sum over its slots, and over its ordered pairs of
    slots."""
    episodes = len(slots) if slots is not None else len(pairs) if pairs is not None else 0
    rows = np.arange(episodes)[:, None, None]
    total = np.zeros((episodes, names.shape[1]))
    if slots is not None:
        total += slots[rows, np.arange(agents), names].sum(axis=2)
    if pairs is not None:
        i, j = ordered_pairs(agents).T
        place = np.full((agents, agents), -1)
        place[i, j] = np.arange(len(i))
        total += pairs[rows, np.arange(len(i)), place[names[:, :, i], names[:, :, j]]].sum(axis=2)
    return total


def probe(
    slots: Features, pairs: Features | None, agents: int, rng: np.random.Generator
) -> Outcome:
    """Learn from the first quarter of the episodes and test on the second, and so on with all that
    came before.

    Args:
        slots: (E, N, F) features of each slot, possibly none.
        pairs: features of ordered pairs of slots, possibly none.
        agents: N.
        rng: breaks ties, and shows lineups in a random order.
    """
    given = [
        part.values if part is not None and not part.empty else None for part in (slots, pairs)
    ]
    episodes = len(slots.values)
    ends = [round(cut * episodes) for cut in CUTS]
    ranks = []
    hits = []
    size = 0
    for start, end in pairwise(ends):
        evidence = [
            None if part is None else _learn(part[:start]).evidence(part[start:end])
            for part in given
        ]
        names = assignments(end - start, agents, rng)
        scores = _scores(evidence[0], evidence[1], names, agents)
        size = names.shape[1]
        ranks.append(true_ranks(scores, rng))
        hits.append((verdicts(scores, names, evidence[0], rng) == np.arange(agents)).sum(axis=1))
    return Outcome(np.concatenate(ranks), size, np.concatenate(hits), agents)


def best_features(features: Features, episodes: int, count: int) -> npt.NDArray[np.intp]:
    """The features whose class means lie farthest apart in the first episodes, best first.

    Args:
        features: of slots or pairs.
        episodes: how many of the first may be looked at.
        count: how many at most.
    """
    found = separation(features.values[:episodes])
    return np.argsort(-found, kind="stable")[:count]
