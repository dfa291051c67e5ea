"""What is known after few episodes: a curve of enrolment, and an e-value that may be watched while
episodes come in.

Shape legend: M trajectories, N agents, R readers, E episodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mirrorenv.instrument.crossed import deal, fitted_weights, log_belief
from mirrorenv.instrument.measured import reading_of
from mirrorenv.instrument.readers.base import Reader
from mirrorenv.instrument.record import Lineups
from mirrorenv.mirror.arrays import Bools, Floats64, Ints64
from mirrorenv.mirror.intervals import Estimate

__all__ = ["Watched", "enrolment_curve", "watched"]

_FIRST = 4  # episodes of each agent before anything is bet
_BLOCKS = 12


def enrolment_curve(
    readers: Sequence[Reader], lineups: Lineups, seed: int, most: float
) -> list[tuple[int, Estimate]]:
    """Identity in nats when each agent is known from so many episodes only.

    Half of the episodes are read. Of the other half, k of each agent are learned from, and how much
    each reader counts is fitted on the rest.

    Args:
        readers: quick ones.
        lineups: of M trajectories.
        seed: of the halves.
        most: nats there are at most.

    Returns:
        (k, nats) for k = 1, 2, 4, ...; empty if there are too few episodes.
    """
    half = deal(lineups, 2, seed)
    known = half == 0
    order = _rank(lineups, known, seed)
    candidates = lineups.candidates()
    curve = []
    k = 1
    while 2 * k <= int(order[known].max()) + 1:
        learned = known & (order < k)
        rest = known & ~learned
        evidence = np.zeros((len(readers), len(half), lineups.num_agents))
        evidence[:, ~learned] = _evidence(readers, lineups, learned, ~learned)
        weights = fitted_weights(evidence, lineups, rest)
        here = ~known
        belief = log_belief(evidence[:, here], weights, candidates[here])
        nats = reading_of(belief, _only(lineups, here)).identity
        curve.append((k, nats.within(-np.inf, most)))
        k *= 2
    return curve


@dataclass(frozen=True, eq=False)
class Watched:
    """Evidence against "no agent differs from another", episode by episode.

    Args:
        log_e: (E,) log e-value after each episode, in nats. By Ville's inequality it ever reaches
            log(1 / a) with probability a at most if agents may be exchanged, whenever one stops.
        order: how the episodes came in, in words.
    """

    log_e: Floats64
    order: str

    @property
    def first_past_20(self) -> int | None:
        """Episodes until the e-value reached 20 (a chance of .05 at most); None if it never did."""
        past = np.flatnonzero(self.log_e >= np.log(20.0))
        return int(past[0]) + 1 if len(past) else None


def watched(readers: Sequence[Reader], lineups: Lineups, seed: int) -> Watched:
    """An e-value for "more than chance" that may be looked at after every episode.

    A belief q that was fitted on earlier episodes bets on who made what: an episode multiplies the
    e-value by the mean over its trajectories of K q(author). If the agents of an episode may be
    exchanged this is 1 on average, so that the product is a test martingale (Shafer 2021, "Testing
    by betting", JRSS A 184). Where each agent played alone, the trajectories are put into a random
    order, and q(author) is divided by the share of the author's among those still to come.

    Args:
        readers: quick ones.
        lineups: of M trajectories.
        seed: of the order, where each agent played alone.
    """
    place = lineups.episode
    order = "as in the log"
    if not lineups.together:
        place = np.random.default_rng(seed).permutation(len(lineups.agent))
        order = "drawn by lot"
    evidence = np.zeros((len(readers), len(lineups.agent), lineups.num_agents))
    with np.errstate(divide="ignore"):  # agents that were not there
        belief = np.log(_prior(lineups, place))
    edges = np.unique(np.geomspace(_first(lineups), place.max() + 1, _BLOCKS).astype(int))
    for start, end in pairwise(edges):
        before = place < start
        here = (place >= start) & (place < end)
        evidence[:, here] = _evidence(readers, lineups, before, here)
        if start == edges[0]:
            continue  # nothing has been read yet to fit weights on
        fitted = before & (place >= edges[0])
        weights = fitted_weights(evidence, lineups, fitted)
        belief[here] += np.tensordot(weights, evidence[:, here], axes=1)
    return Watched(_log_e(belief, lineups, place), order)


def _first(lineups: Lineups) -> int:
    return _FIRST if lineups.together else _FIRST * lineups.num_agents


def _prior(lineups: Lineups, place: Ints64) -> Floats64:
    """(M, N) chance of each agent, given who came before."""
    if lineups.together:
        present = lineups.candidates()
        together: Floats64 = present / present.sum(1, keepdims=True)
        return together
    ordered = np.eye(lineups.num_agents)[lineups.agent[np.argsort(place)]]
    left = ordered[::-1].cumsum(0)[::-1]  # (M, N) still to come, this one included
    alone: Floats64 = (left / left.sum(1, keepdims=True))[place]
    return alone


def _log_e(belief: Floats64, lineups: Lineups, place: Ints64) -> Floats64:
    rows = np.arange(len(place))
    prior = _prior(lineups, place)[rows, lineups.agent]
    top = belief.max(1, keepdims=True)
    chance = np.exp(belief - top)
    ratio = chance[rows, lineups.agent] / chance.sum(1) / prior  # (M,)
    means = np.bincount(place, ratio) / np.bincount(place)  # (E,)
    return np.log(np.maximum(means, 1e-300)).cumsum()


def _rank(lineups: Lineups, among: Bools, seed: int) -> Ints64:
    """(M,) how many trajectories of the same agent come before it, in an order drawn by lot."""
    order = np.random.default_rng(seed).permutation(lineups.num_episodes)[lineups.episode]
    rank = np.zeros(len(lineups.agent), np.int64)
    for agent in range(lineups.num_agents):
        own = np.flatnonzero(among & (lineups.agent == agent))
        rank[own[np.argsort(order[own])]] = np.arange(len(own))
    return rank


def _evidence(readers: Sequence[Reader], lineups: Lineups, fit: Bools, read: Bools) -> Floats64:
    """(R, read, N)."""
    found = [reader.evidence(lineups.agent, lineups.num_agents, fit, read) for reader in readers]
    return np.stack(found)


def _only(lineups: Lineups, rows: Bools) -> Lineups:
    episodes = np.unique(lineups.episode[rows], return_inverse=True)[1]
    return Lineups(lineups.names, lineups.agent[rows], episodes)
