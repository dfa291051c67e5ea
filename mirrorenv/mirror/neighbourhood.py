"""Lineups over a neighbourhood: each observer is shown itself and its k nearest agents, for
populations too large to read whole. Reading costs N * K instead of N * N trajectories, and chance
is 1/K.

An observer is told *which agents* it is shown (its candidates, in ascending order), not who made
which. So the classes are the K candidates, evidence is (K, K), and beliefs, scores and marginals
are those of an ordinary lineup of K agents; with k = N - 1 everything is the ordinary lineup
itself.

Being shown at all is evidence. The set of the nearest would have been another one for another
centre, and so the geometry tells which slot is the observer's own, whatever the policies.
:func:`log_selection` is that evidence, exactly;
:func:`neighbourhood_limit` adds it, and an observer that sees places may rightly find it too. About
the others it says nothing: exchanging two neighbours leaves the neighbourhood as it is.

A :class:`Neighbourhood` holds all of it for a batch of episodes. A whole lineup is one, too, in
which no agent was left out; its axis of observers then has length 1, because all are shown the same
agents, and everything broadcasts along it.

Shape legend: B batch (episodes), T time, P dimensions of a place, J observers (J = N; J = 1 where
all are shown the same), K candidates and slots (K = k + 1), N agents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from mirrorenv.errors import ShapeError
from mirrorenv.mirror._checks import log_likelihood_array
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats64, Ints64
from mirrorenv.mirror.belief import Belief
from mirrorenv.mirror.ideal import NOT_EXCHANGEABLE, Limit, limit_evidence
from mirrorenv.mirror.lineup import lineup_permutations
from mirrorenv.mirror.nearest import distance_array

__all__ = [
    "Neighbourhood",
    "log_selection",
    "neighbourhood_evidence",
    "neighbourhood_limit",
    "neighbourhood_permutations",
    "seen_by",
    "with_selection",
]


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Which agents observers are shown in every episode, and in which order.

    Args:
        num_agents: N.
        candidates: (B, J, K) int64, ascending: itself and its nearest; (B, 1, N) where all
            observers are shown all agents.
        permutation: (B, J, K) int64, slot k of observer j shows its candidate number
            `permutation[b, j, k]`; (B, 1, K) where all observers read one order.
        distance: (B, N, N) float64 by which the candidates were chosen; None where no agent was
            left out.
    """

    num_agents: int
    candidates: Ints64  # (B, J, K)
    permutation: Ints64  # (B, J, K)
    distance: Floats64 | None = None  # (B, N, N)

    @classmethod
    def everybody(cls, permutation: Ints64) -> Neighbourhood:
        """The whole lineup: all N agents are candidates of every observer.

        Args:
            permutation: (B, J, N) int64, the order that each observer reads; J = 1 for one order.
        """
        batch, _, agents = permutation.shape
        candidates = np.broadcast_to(np.arange(agents), (batch, 1, agents))
        return cls(agents, candidates, permutation)

    @property
    def size(self) -> int:
        """K, trajectories in a lineup."""
        return int(self.candidates.shape[2])

    @property
    def authors(self) -> Ints64:
        """(B, J, K), the agent that slot k shows; J = 1 where all observers read one order."""
        chosen = np.broadcast_to(self.candidates, self.permutation.shape)
        return np.take_along_axis(chosen, self.permutation, axis=2)

    @property
    def seen(self) -> Bools:
        """(B, N, N), which agents (columns) each observer (rows) is shown."""
        shape = (len(self.candidates), self.num_agents, self.num_agents)
        seen = np.zeros((*self.candidates.shape[:2], self.num_agents), bool)
        np.put_along_axis(seen, self.candidates, True, axis=2)
        return np.broadcast_to(seen, shape)

    def steps(self, mask: Bools) -> Bools:
        """(B, T, N) steps that happened, by agent -> (B, T, J, K), by candidate."""
        return np.take_along_axis(mask[:, :, None], self.candidates[:, None], axis=3)

    def restrict(self, evidence: npt.ArrayLike) -> Floats64:
        """Evidence on all agents, the same for every observer, cut down to the candidates.

        Args:
            evidence: (B, N, N) trajectory by agent, both in agent order.

        Returns:
            (B, J, K, K) float64 in the order of the candidates; J = 1 where all are shown the same.
        """
        return neighbourhood_evidence(np.asarray(evidence)[:, None], self.candidates)

    def limit(
        self, log_probabilities: npt.ArrayLike, mask: npt.ArrayLike, *, slot_exchangeable: bool
    ) -> Limit:
        """See :func:`neighbourhood_limit`, whose distances and candidates are these."""
        return neighbourhood_limit(
            log_probabilities,
            mask,
            self.distance,
            self.candidates,
            slot_exchangeable=slot_exchangeable,
        )

    def by_agent(self, values: AnyArray) -> AnyArray:
        """(B, ..., J, K) about candidates -> (B, ..., J, N) about agents, 0 for those not shown."""
        batch, observers, size = self.candidates.shape
        if size == self.num_agents:  # candidates ascend: nothing moves
            return values
        between = values.ndim - 3
        index = self.candidates.reshape(batch, *[1] * between, observers, size)
        spread = np.zeros((*values.shape[:-1], self.num_agents), values.dtype)
        np.put_along_axis(spread, np.broadcast_to(index, values.shape), values, axis=-1)
        return spread

    def recognition_matrix(self, belief: AnyArray) -> Floats64:
        """Which observer knows which agent.

        Args:
            belief: (B, N, K) every observer's belief in the true author of each candidate's
                trajectory.

        Returns:
            (N, N) its mean over the episodes that showed the author (column) to the observer (row);
            NaN if none did.
        """
        total = self.by_agent(belief).sum(0)
        count = self.seen.sum(0)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def confusion(self, belief: AnyArray) -> Floats64:
        """Which agent is taken for which.

        Args:
            belief: (B, N, K, K) every observer's belief, trajectory by candidate.

        Returns:
            (N, N) its mean by true author (row), over all lineups that showed it.
        """
        agents = self.num_agents
        # (B, J, K, K) the cell of the result that each belief belongs to
        cell = self.candidates[..., :, None] * agents + self.candidates[..., None, :]
        cells = np.broadcast_to(cell, belief.shape).reshape(-1)
        total = np.bincount(cells, belief.reshape(-1), agents * agents).reshape(agents, agents)
        mean: Floats64 = total / self.seen.sum((0, 1))[:, None]
        return mean


def neighbourhood_permutations(
    candidates: npt.ArrayLike, *, run: int | str, episodes: npt.ArrayLike
) -> Ints64:
    """The order of every observer's lineup.

    Args:
        candidates: (B, J, K), from :func:`nearest_agents`.
        run: name or seed of the run.
        episodes: (B,) integer ids.

    Returns:
        (B, J, K) int64, the reveal: slot k of observer j shows its candidate number `[b, j, k]`,
        that is agent `candidates[b, j, permutation[b, j, k]]`.
    """
    chosen = _candidates(candidates)
    parts = [
        lineup_permutations(run, episodes, observer, chosen.shape[2])
        for observer in range(chosen.shape[1])
    ]
    return np.stack(parts, axis=1)


def neighbourhood_evidence(evidence: npt.ArrayLike, candidates: npt.ArrayLike) -> Floats64:
    """Evidence on all agents cut down to the candidates; exact for observers that read each slot by
    itself.

    Args:
        evidence: (B, J, N, N), or (B, 1, N, N) for one observer in place of all; trajectory by
            agent, both in agent order.
        candidates: (B, J, K).

    Returns:
        (B, J, K, K): row i is the trajectory of candidate i, column m says that candidate m made
        it. The reveal of this order is 0 .. K-1 in every lineup.
    """
    chosen = _candidates(candidates)
    logs = log_likelihood_array("evidence", evidence, min_ndim=4)
    agents = logs.shape[-1]
    if (
        logs.ndim != 4
        or logs.shape[2] != agents
        or len(logs) != len(chosen)
        or logs.shape[1] not in (1, chosen.shape[1])
    ):
        raise ShapeError(
            f"evidence must be (B, J, N, N) for candidates {chosen.shape}, got {logs.shape}"
        )
    if chosen.max(initial=0) >= agents:
        raise ShapeError(f"candidates name agent {chosen.max()}, but the evidence knows {agents}")
    every = np.broadcast_to(logs, (len(chosen), chosen.shape[1], agents, agents))
    rows: Floats64 = np.take_along_axis(every, chosen[..., None], axis=2)
    return np.take_along_axis(rows, chosen[:, :, None, :], axis=3)


def log_selection(distance: npt.ArrayLike, candidates: npt.ArrayLike) -> Floats64:
    """How likely each trajectory shown would have led to the same choice, had it been the
    observer's own.

    Args:
        distance: (B, N, N), as :func:`nearest_agents` was given.
        candidates: (B, J, K), as it returned.

    Returns:
        (B, J, K) log probability, over the lots drawn between equally near agents, that the
        neighbourhood of candidate i's trajectory is the set shown to observer j; 0 if certain, -inf
        if impossible.
    """
    gaps = distance_array(distance)
    chosen = _candidates(candidates)
    batch, observers, size = chosen.shape
    agents = gaps.shape[1]
    if len(gaps) != batch or observers != agents:
        raise ShapeError(f"candidates {chosen.shape} do not belong to distances {gaps.shape}")
    inside = np.zeros((batch, agents, agents), bool)
    np.put_along_axis(inside, chosen, True, axis=2)  # (B, J, N) which agents j is shown
    result = np.empty((batch, agents, size))
    for slot in range(size):
        centre = chosen[:, :, slot]  # (B, J) whose trajectory stands in the middle
        row = np.take_along_axis(gaps, centre[..., None], axis=1)  # (B, J, N) its distances
        oneself = np.arange(agents) == centre[..., None]
        others = inside & ~oneself
        # (B, J, 1) the farthest that is shown
        edge = np.where(others, row, -1.0).max(axis=2, keepdims=True)
        left_out = ~inside & (row < edge)  # somebody nearer was not shown: impossible
        tied = (row == edge) & ~oneself
        needed = tied.sum(axis=2)
        drawn = (tied & others).sum(axis=2)
        log_ways = gammaln(needed + 1) - gammaln(drawn + 1) - gammaln(needed - drawn + 1)
        result[:, :, slot] = np.where(left_out.any(axis=2), -np.inf, -log_ways)
    return result


def neighbourhood_limit(
    log_probabilities: npt.ArrayLike,
    mask: npt.ArrayLike,
    distance: npt.ArrayLike | None,
    candidates: npt.ArrayLike,
    *,
    slot_exchangeable: bool,
) -> Limit:
    """The posterior over who made what in every neighbourhood, for an observer that knows policies
    and distances.

    Args:
        log_probabilities: (B, T, N, N) `log pi_n(a[t, m] | h[t, m])`, trajectories m in agent
            order.
        mask: (B, T, N) bool.
        distance: (B, N, N), made from the trajectories alone: relabelled agents keep their
            trajectories' distances; None where everybody is shown, which is no evidence.
        candidates: (B, J, K), J = 1 for one lineup that all observers are shown.
        slot_exchangeable: as for :func:`~mirrorenv.mirror.exact_limit`; where it is False the limit
            is marked.

    Returns:
        the limit, belief (B, J, K, K) in the order of :func:`neighbourhood_evidence`.
        `belief.marginals()` is exact up to K = 16, whatever N.
    """
    chosen = _candidates(candidates)
    # (B, J, K, K)
    evidence = neighbourhood_evidence(limit_evidence(log_probabilities, mask)[:, None], chosen)
    if distance is not None:
        evidence = with_selection(evidence, distance, chosen)
    return Limit(Belief(evidence), slot_exchangeable, "" if slot_exchangeable else NOT_EXCHANGEABLE)


def with_selection(
    evidence: Floats64, distance: npt.ArrayLike, candidates: npt.ArrayLike
) -> Floats64:
    """Evidence of policies, and what being shown says: :func:`log_selection` in the column that is
    the observer.

    Args:
        evidence: (B, J, K, K).
        distance: (B, N, N) by which neighbours were chosen.
        candidates: (B, J, K) which agents each observer is shown.
    """
    chosen = _candidates(candidates)
    own = chosen == np.arange(chosen.shape[1])[None, :, None]  # (B, J, K)
    places = log_selection(distance, chosen)[..., None]
    return np.where(own[:, :, None, :], evidence + places, evidence)


def seen_by(candidates: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """(B, J, N) bool: whether observer j is shown agent n; every agent is seen by itself at
    least."""
    chosen = _candidates(candidates)
    seen = np.zeros((chosen.shape[0], chosen.shape[1], chosen.shape[1]), bool)
    np.put_along_axis(seen, chosen, True, axis=2)
    return seen


def _candidates(candidates: npt.ArrayLike) -> Ints64:
    chosen = np.asarray(candidates)
    if chosen.ndim != 3 or not np.issubdtype(chosen.dtype, np.integer) or chosen.shape[2] < 1:
        raise ShapeError(
            f"candidates must be integers (B, J, K), got {chosen.dtype} of shape {chosen.shape}"
        )
    ascending = (np.diff(chosen, axis=2) > 0).all() and (chosen >= 0).all()
    if not ascending or not (chosen == np.arange(chosen.shape[1])[None, :, None]).any(axis=2).all():
        raise ShapeError("candidates must ascend in every row and hold the observer itself")
    return chosen.astype(np.int64)
