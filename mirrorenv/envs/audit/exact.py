"""The tests behind the audit. Each is exact for any number of episodes, whatever a probe has
learned.

Null hypothesis: the world's law stays the same when its agents are relabelled. Then, given an
episode without its names, every assignment of the names is equally likely, and episodes are
independent. Three statistics follow.

* Fixed points. A probe that never saw this episode gives each name to one slot. How many are right
  has the law of the fixed points of a random permutation, so the sum over episodes has a law that
  is computed. This is accuracy.
* Rank of the true lineup. A probe that never saw this episode scores the true assignment of names
  among R of them (all N!, or the true one and others drawn uniformly). With ties broken by lot its
  rank is uniform on 1..R, so the sum of ranks has a known law, too. It sees what accuracy cannot:
  an order that is known up to a rotation names no agent more often than chance, and is still right
  as a whole. Probes learn from earlier episodes only, so both laws hold with the episodes a probe
  was trained on given; a trained probe's p-value is twice the smaller one.
* Largest column. For each column, how far the agents' sums over all episodes lie apart; the largest
  over the columns is compared with its law when names are permuted within every episode (Westfall
  and Young 1993, "Resampling-based multiple testing"). Draws stop early when nothing is there
  (Besag and Clifford, Biometrika 1991), which keeps the p-value valid.

Shape legend: E episodes, N agents and slots, R assignments that are compared, P what is compared
within an episode (the N slots, or their N (N - 1) ordered pairs), F features, D draws.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from mirrorenv.mirror.arrays import Floats32, Floats64, Ints64
from mirrorenv.mirror.permutations import most_probable_permutation

__all__ = [
    "ColumnTest",
    "assignments",
    "column_test",
    "hits_p_value",
    "ordered_pairs",
    "rank_p_value",
    "smallest_visible",
    "true_ranks",
    "verdicts",
]


MAX_ASSIGNMENTS = 120  # 5!
_SMALLEST_P = 1e-12  # what the convolution below resolves
_DRAWS_AT_ONCE = 64
_STOP_AFTER = 10  # draws at least as extreme as the data, after which there is nothing to find


def ordered_pairs(num_agents: int) -> Ints64:
    """(N (N - 1), 2) all pairs (i, j) with i != j, row by row."""
    i, j = np.divmod(np.arange(num_agents**2), num_agents)
    pairs: Ints64 = np.stack([i, j], axis=1)[i != j]
    return pairs


def assignments(num_episodes: int, num_agents: int, rng: np.random.Generator) -> Ints64:
    """Names for the slots: (E or 1, R, N), the true ones (0, 1, ... N - 1) first.

    All N! of them for up to five agents; otherwise 119 others are drawn for every episode,
    since the rank of the truth among a fixed part of the permutations would not be uniform.

    Args:
        num_episodes: E.
        num_agents: N.
        rng: draws the others.
    """
    if math.factorial(num_agents) <= MAX_ASSIGNMENTS:
        return np.array([list(permutations(range(num_agents)))])
    drawn = rng.random((num_episodes, MAX_ASSIGNMENTS, num_agents)).argsort(axis=2)
    drawn[:, 0] = np.arange(num_agents)
    return drawn.astype(np.int64)


def true_ranks(scores: Floats64, rng: np.random.Generator) -> Ints64:
    """Rank of the true assignment in each episode, 1 the best, ties broken by lot.

    Args:
        scores: (E, R), the true assignment first. Scores that differ by rounding only count as
            equal: agents that did exactly the same are summed up in different orders.
        rng: draws the lots.

    Returns:
        (E,) int64 in 1..R.
    """
    slack = 1e-9 * (np.abs(scores).max(axis=1, keepdims=True) + 1e-300)
    gap = scores[:, 1:] - scores[:, :1]  # (E, R - 1)
    better = (gap > slack).sum(axis=1)
    tied = (np.abs(gap) <= slack).sum(axis=1)
    ranks: Ints64 = 1 + better + rng.integers(0, tied + 1)
    return ranks


def rank_p_value(ranks: Ints64, size: int) -> float:
    """Probability that the sum of as many independent uniform ranks on 1..size is as small; never
    below 1e-12.

    Args:
        ranks: (E,) from 1 to `size`, 1 the best.
        size: R, how many assignments are compared.
    """
    return _lower_tail(np.full(size, 1.0 / size), ranks - 1)


def verdicts(
    scores: Floats64, names: Ints64, slots: Floats64 | None, rng: np.random.Generator
) -> Ints64:
    """A name for each slot, in each episode: the best assignment, ties by lot.

    Args:
        scores: (E, R) of the assignments `names`.
        names: (E or 1, R, N). If these are all there are, the best of them is taken; otherwise the
            best assignment of `slots` is, or without it the best of those drawn (the true one is
            not among them: a verdict may not know the truth).
        slots: (E, N, N) evidence, slot by name, or None.
        rng: draws the lots.

    Returns:
        (E, N) int64.
    """
    if len(names) == 1:
        best: Ints64 = names[0][_best(scores, rng)]
        return best
    if slots is None:
        drawn: Ints64 = names[np.arange(len(names)), 1 + _best(scores[:, 1:], rng)]
        return drawn
    # slots are shown in any order, so that ties name no agent
    order = rng.random(slots.shape[:2]).argsort(axis=1)
    shuffled = most_probable_permutation(np.take_along_axis(slots, order[:, :, None], axis=1))
    return np.take_along_axis(shuffled, order.argsort(axis=1), axis=1)


def _best(scores: Floats64, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    slack = 1e-9 * (np.abs(scores).max(axis=1, keepdims=True) + 1e-300)
    tied = scores >= scores.max(axis=1, keepdims=True) - slack
    chosen: npt.NDArray[np.intp] = np.where(tied, rng.random(scores.shape), -1.0).argmax(axis=1)
    return chosen


def hits_p_value(hits: Ints64, num_agents: int) -> float:
    """Probability that as many verdicts name as many slots right by chance; never below 1e-12.

    A verdict that gives each name once is right in as many slots as a random permutation has fixed
    points, whatever the evidence. Montmort's matching problem: k of them with probability sum over
    j <= N - k of (-1)^j / j!, over k!.

    Args:
        hits: (E,) slots named right, 0 to N.
        num_agents: N.
    """
    signs = np.array([(-1) ** j / math.factorial(j) for j in range(num_agents + 1)])
    fixed = [signs[: num_agents - k + 1].sum() / math.factorial(k) for k in range(num_agents + 1)]
    return _lower_tail(np.maximum(fixed[::-1], 0.0), num_agents - hits)


def _lower_tail(law: Floats64, values: Ints64) -> float:
    """P(sum of len(values) independent whole numbers with this law on 0, 1, ... is at most the sum
    of the values)."""
    if len(law) < 2 or not len(values):
        return 1.0
    length = len(values) * (len(law) - 1) + 1
    padded = np.zeros(2 * length)  # no wrap-around
    padded[: len(law)] = law
    total = np.fft.irfft(np.fft.rfft(padded) ** len(values), 2 * length)
    return float(np.clip(total[: int(values.sum()) + 1].sum(), _SMALLEST_P, 1.0))


class ColumnTest(NamedTuple):
    """What the test of the largest column found."""

    p_value: float  # of the largest column
    features: Floats64  # (F,) p-values of the columns one by one, corrected for all of them


def column_test(values: Floats64, rng: np.random.Generator, max_draws: int) -> ColumnTest:
    """Do the agents' sums lie further apart than when names are permuted within episodes?

    Args:
        values: (E, N, F), centred within each episode; columns that are 0 throughout never count.
        rng: draws the permutations.
        max_draws: D at most.
    """
    episodes, agents, size = values.shape
    flat = values.reshape(episodes * agents, size)
    spread = np.sqrt((flat**2).sum(axis=0))  # (F,) the same for every permutation
    flat = np.divide(flat, spread, out=np.zeros_like(flat), where=spread > 0).astype(np.float32)
    identity = np.broadcast_to(np.arange(agents), (1, episodes, agents))
    seen = _squared_sums(flat, identity)[0] * (1 - 1e-5)  # (F,) rounding must not decide
    largest: list[float] = []
    while len(largest) < max_draws:
        count = min(_DRAWS_AT_ONCE, max_draws - len(largest))
        order = rng.random((count, episodes, agents)).argsort(axis=2)
        largest += _squared_sums(flat, order).max(axis=1).tolist()
        exceeding = np.flatnonzero(np.array(largest) >= seen.max())
        if len(exceeding) >= _STOP_AFTER:
            draws = int(exceeding[_STOP_AFTER - 1]) + 1
            p_value = _STOP_AFTER / draws
            return ColumnTest(p_value, _column_p_values(seen, largest[:draws], p_value))
    p_value = (1 + int((np.array(largest) >= seen.max()).sum())) / (max_draws + 1)
    return ColumnTest(p_value, _column_p_values(seen, largest, p_value))


def _squared_sums(flat: Floats32, order: npt.NDArray[np.integer[Any]]) -> Floats64:
    """(D, F) summed squares of the agents' sums, when slot k of an episode is called `order[d, e,
    k]`."""
    draws, episodes, agents = order.shape
    # (D, E, N slots, N names)
    called = (order[:, :, :, None] == np.arange(agents)).astype(np.float32)
    weights = called.transpose(0, 3, 1, 2).reshape(draws * agents, episodes * agents)
    sums = (weights @ flat).reshape(draws, agents, -1)
    squares: Floats64 = (sums.astype(np.float64) ** 2).sum(axis=1)
    return squares


def _column_p_values(seen: Floats64, largest: list[float], smallest: float) -> Floats64:
    """(F,) each column against the largest of all columns, never below the p-value of the
    largest."""
    ordered = np.sort(largest)
    above = len(ordered) - np.searchsorted(ordered, seen, side="left")
    return np.maximum((1 + above) / (len(ordered) + 1), smallest)


@cache
def smallest_visible(
    lineups: int, num_agents: int, level: float, power: float = 0.9
) -> tuple[float, float]:
    """The smallest leak that the rank test would see.

    Normal approximation of the sum of ranks, whose mean share has variance (R + 1) / (12 (R - 1))
    for one lineup. The accuracy is that of Gaussian evidence which outscores wrong lineups as
    often: slot k is worth `shift` more under its own name, plus standard noise for each slot and
    name.

    Args:
        lineups: how many are tested.
        num_agents: N.
        level: of one test, after correction.
        power: probability of seeing it.

    Returns:
        How often the true lineup would outscore a wrong one (chance 0.5), and the share of slots
        named right by the best assignment (chance 1 / N).
    """
    size = min(math.factorial(num_agents), MAX_ASSIGNMENTS)
    spread = math.sqrt((size + 1) / (12 * (size - 1)))
    wanted = min(0.5 + float(ndtri(1 - level) + ndtri(power)) * spread / math.sqrt(lineups), 1.0)
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(1000, num_agents, num_agents))
    names = assignments(len(noise), num_agents, rng)
    moved = (names != np.arange(num_agents)).sum(axis=2)  # (E or 1, R)
    slots = np.arange(num_agents)
    rows = np.arange(len(names))[:, None, None] if len(names) > 1 else 0
    drawn = noise[rows, slots, names] if len(names) > 1 else noise[:, slots, names[0]]
    total = drawn.sum(axis=2)  # (E, R)

    def outscores(shift: float) -> float:
        gap = (total[:, :1] - total[:, 1:]) + shift * moved[:, 1:]
        return float(np.where(moved[:, 1:] > 0, gap > 0, 0.5).mean())

    low = 0.0
    high = 20.0
    for _ in range(25):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if outscores(middle) < wanted else (low, middle)
    best = (total - high * moved).argmax(axis=1)
    chosen = names[np.arange(len(best)), best] if len(names) > 1 else names[0][best]
    return wanted, float((chosen == slots).mean())
