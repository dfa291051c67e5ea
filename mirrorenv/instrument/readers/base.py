"""What a reader is: fitted on some trajectories, it says of others how likely each agent made them.

Shape legend: M trajectories, N agents, C cells.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.special import gammaln

from mirrorenv.mirror.arrays import Bools, Floats64, Ints64

__all__ = ["Counted", "Reader"]

_CONCENTRATIONS = np.geomspace(1.0, 1e6, 13)


class Reader(ABC):
    """Reads one part of what agents did.

    Attributes:
        name: of the reader.
        part: what it looks at, for people.
        quick: whether it can be fitted many times, for curves.
    """

    name: str
    part: str
    quick: bool = True

    @abstractmethod
    def evidence(self, agent: Ints64, num_agents: int, fit: Bools, read: Bools) -> Floats64:
        """Evidence on the trajectories to read.

        Args:
            agent: (M,) the authors; those of trajectories that are not fitted on are not looked at.
            num_agents: N.
            fit: (M,) trajectories to learn from.
            read: (M,) trajectories to read.

        Returns:
            (read, N) float64 nats, each row up to a constant.
        """


@dataclass(eq=False)
class Counted(Reader):
    """Counts: how often each agent does what, in closed form.

    The law of an agent in a block is its counts plus `a` times the law of all agents together; `a`
    maximises the Dirichlet-multinomial likelihood of the agents' counts (Minka 2000, "Estimating a
    Dirichlet distribution"), so that agents who do not differ are not told apart by noise.

    Args:
        name: of the reader.
        part: what it looks at.
        counts: (M, C) how often each cell occurred in each trajectory.
        block: (C,) int64, rising from 0: cells of one block share a law, e.g. all actions after one
            observation.
    """

    name: str
    part: str
    counts: csr_array
    block: Ints64

    def evidence(self, agent: Ints64, num_agents: int, fit: Bools, read: Bools) -> Floats64:
        """As :meth:`Reader.evidence`.

        Args:
            agent: (M,) the authors; only those of trajectories to learn from are looked at.
            num_agents: N.
            fit: (M,) trajectories to learn from.
            read: (M,) trajectories to read.
        """
        own = self.of_agents(agent, num_agents, fit)  # (N, C)
        logs = self.log_laws(own)
        found: Floats64 = np.asarray(self.counts[np.flatnonzero(read)] @ logs.T)  # (read, N)
        return found

    def of_agents(self, agent: Ints64, num_agents: int, fit: Bools) -> Floats64:
        """(N, C) counts of each agent in the trajectories to learn from.

        Args:
            agent: (M,) the authors.
            num_agents: N.
            fit: (M,) trajectories to learn from.
        """
        rows = np.flatnonzero(fit)
        members = csr_array(
            (np.ones(len(rows)), (agent[rows], np.arange(len(rows)))), (num_agents, len(rows))
        )
        return np.asarray((members @ self.counts[rows]).todense(), np.float64)

    def log_laws(self, own: Floats64) -> Floats64:
        """(N, C) log law of each agent, from the agents' counts (N, C)."""
        pooled = own.sum(0) + 0.5  # (C,) 0.5: Krichevsky and Trofimov 1981
        pooled /= self._block_sums(pooled)[self.block]
        totals = self._block_sums(own)  # (N, blocks)
        strength = self._concentration(own, pooled, totals)
        laws = (own + strength * pooled) / (totals + strength)[:, self.block]
        logs: Floats64 = np.log(laws)
        return logs

    def _block_sums(self, cells: Floats64) -> Floats64:
        starts = np.flatnonzero(np.diff(self.block, prepend=-1))
        sums: Floats64 = np.add.reduceat(cells, starts, axis=-1)
        return sums

    def _concentration(self, own: Floats64, pooled: Floats64, totals: Floats64) -> float:
        used = pooled > 0
        best = [
            float(
                (gammaln(one) - gammaln(one + totals)).sum()
                + (gammaln(one * pooled + own) - gammaln(one * pooled))[:, used].sum()
            )
            for one in _CONCENTRATIONS
        ]
        return float(_CONCENTRATIONS[int(np.argmax(best))])
