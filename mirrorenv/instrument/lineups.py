"""All trajectories of an episode read together, knowing that each agent made exactly one.

Shape legend: M trajectories, N agents, K trajectories of an episode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mirrorenv.instrument.record import Lineups
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.mirror.belief import Belief
from mirrorenv.mirror.intervals import Estimate
from mirrorenv.mirror.score import score_belief

__all__ = ["LineupReading", "lineup_reading"]

LARGEST = 12
"""Trajectories of a lineup up to which exact marginals are taken."""


@dataclass(frozen=True)
class LineupReading:
    """What lineups tell.

    Args:
        size: K.
        identity: nats per trajectory.
        recognised: share of trajectories whose most believed agent is the author.
        exact: share of lineups with every name right.
    """

    size: int
    identity: Estimate
    recognised: Estimate
    exact: Estimate | None


def lineup_reading(log_belief: Floats64, lineups: Lineups) -> LineupReading | None:
    """Figures of whole lineups; None unless all episodes have the same number of agents, 2 to 12.

    Args:
        log_belief: (M, N) log probabilities of each trajectory alone.
        lineups: of the M trajectories.
    """
    sizes = np.bincount(lineups.episode)
    size = int(sizes[0])
    if not lineups.together or (sizes != size).any() or not 2 <= size <= LARGEST:
        return None
    order = np.lexsort((lineups.agent, lineups.episode)).reshape(-1, size)  # (E, K)
    present = lineups.agent[order]  # (E, K)
    evidence = np.take_along_axis(log_belief[order], present[:, None], axis=2)  # (E, K, K)
    truth = np.broadcast_to(np.arange(size), (len(order), 1, size))
    score = score_belief(Belief(evidence[:, None]), truth, decode="marginals")
    return LineupReading(size, score.information, score.top1, score.exact)
