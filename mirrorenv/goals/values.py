"""What places are worth on average, and goals that are made of it.

A world without a goal of its own gives a reward. Then the goal is a value: every place has one, the
average of what came after it, and each level asks the level below for a place that is worth more.

Shapes: V nodes, A actions, M steps, Q queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import Bools, Floats64, Ints64

__all__ = ["Cells", "Outcomes"]

_SWEEPS = 2000
_CLOSE = 1e-3


class Cells:
    """A grid over continuous states: which node a state lies in.

    Args:
        borders: for each coordinate, where cells meet, ascending.

    Raises:
        ConfigError: if borders do not ascend.
    """

    def __init__(self, borders: Sequence[npt.ArrayLike]) -> None:
        self.borders = [np.asarray(row, np.float64) for row in borders]
        if any((np.diff(row) <= 0).any() for row in self.borders):
            raise ConfigError("cells: the borders of each coordinate must ascend")

    @property
    def nodes(self) -> int:
        """V."""
        return int(np.prod([len(row) + 1 for row in self.borders]))

    def index(self, states: npt.ArrayLike) -> Ints64:
        """(...) node of states (..., P)."""
        seen = np.asarray(states, np.float64)
        found = np.zeros(seen.shape[:-1], np.int64)
        for place, row in enumerate(self.borders):
            found = found * (len(row) + 1) + np.searchsorted(row, seen[..., place])
        return found


class Outcomes:
    """Where each action led from each node, counted, and what follows from it.

    Args:
        nodes: V.
        actions: A.
        gamma: discount of a step; each step that does not end an episode is worth 1.
        curiosity: what an action never tried is taken to be worth, as a share of the most that is
            possible.
    """

    def __init__(
        self, nodes: int, actions: int, gamma: float = 0.99, curiosity: float = 0.5
    ) -> None:
        self.nodes = nodes
        self.actions = actions
        self.gamma = gamma
        self.curiosity = curiosity
        self.keys = np.zeros(0, np.int64)
        """(U,) what was seen, as one number: (node A + action) (V + 1) + next node, V if none."""
        self.counts = np.zeros(0, np.int64)
        """(U,) how often."""
        self.worth = np.zeros(nodes)  # (V,)
        self._share()

    def learn(self, here: Ints64, actions: Ints64, there: Ints64, ended: Bools) -> None:
        """Count M steps, and find what every node is worth on average (value iteration over what
        was seen).

        Args:
            here: (M,) nodes.
            actions: (M,).
            there: (M,) nodes the steps led to.
            ended: (M,) whether they ended an episode, which is worth nothing.
        """
        led = np.where(ended, self.nodes, there)
        new = (here * self.actions + actions) * (self.nodes + 1) + led
        keys, place = np.unique(np.concatenate([self.keys, new]), return_inverse=True)
        weight = np.concatenate([self.counts, np.ones(len(new), np.int64)])
        self.counts = np.bincount(place, weight, len(keys)).astype(np.int64)
        self.keys = keys
        self._share()
        for _ in range(_SWEEPS):
            better = self.by_action().max(axis=1)
            change = float(np.abs(better - self.worth).max())
            self.worth = better
            if change < _CLOSE:
                break

    def _share(self) -> None:
        pairs, led = np.divmod(self.keys, self.nodes + 1)
        size = self.nodes * self.actions
        total = np.bincount(pairs, self.counts, size)
        live = led < self.nodes
        share = self.counts[live] / total[pairs[live]]
        self._leads = sparse.csr_matrix(
            (share, (pairs[live], led[live])), shape=(size, self.nodes)
        )  # (V A, V)
        self._unknown = total == 0

    def by_action(self) -> Floats64:
        """(V, A) what each action is worth on average: the steps it is still going to last,
        discounted."""
        found = 1.0 + self.gamma * np.asarray(self._leads @ self.worth)
        most = 1.0 / (1.0 - self.gamma)
        found[self._unknown] = self.curiosity * most
        return np.asarray(found.reshape(self.nodes, self.actions), np.float64)

    def subgoals(self, least: float = 0.0) -> Ints64:
        """(V,) the upper level: from each node, the next place that is worth most on average; -1
        where none was seen.

        Args:
            least: share of the steps from a node and with an action that must have led to a place,
                for it to be a goal from there.
        """
        pairs, led = np.nonzero(self._leads.toarray() > least)
        best = np.full(self.nodes, -1)
        order = np.argsort(self.worth[led], kind="stable")
        best[(pairs // self.actions)[order]] = led[order]  # the last assignment stays
        return best

    def sub_actions(self, nodes: Ints64, goals: Ints64) -> Ints64:
        """(Q,) the lower level: the action that most often led from a node to a goal; -1 where
        none did."""
        rows = nodes[:, None] * self.actions + np.arange(self.actions)  # (Q, A)
        column = np.maximum(goals, 0)[:, None]
        picked = self._leads[rows, np.broadcast_to(column, rows.shape)]
        share = sparse.csr_matrix(picked).toarray()  # (Q, A)
        chosen: Ints64 = np.where((share > 0).any(axis=1) & (goals >= 0), share.argmax(axis=1), -1)
        return chosen

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Arrays by name: everything `restore` needs to go on bit for bit."""
        return {"keys": self.keys, "counts": self.counts, "worth": self.worth}

    def restore(self, state: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go on from what `state` gave."""
        self.keys = state["keys"].astype(np.int64)
        self.counts = state["counts"].astype(np.int64)
        self.worth = state["worth"].astype(np.float64)
        self._share()
