"""Identity: how far agents are told apart by what they did, with everything that belongs to it.

Identity in nats is log K plus the mean log belief in the true author, K being how many agents may
have made a trajectory; the belief is cross-fitted. It is a lower bound on the mutual information of
author and trajectory (Barber and Agakov 2003): 0 for agents that cannot be told apart, log K at
most.

Shape legend: M trajectories, N agents, R readers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mirrorenv.instrument.crossed import fitted_weights, log_belief
from mirrorenv.instrument.estimates import mean_nats, mean_share
from mirrorenv.instrument.readers.base import Reader
from mirrorenv.instrument.record import Lineups
from mirrorenv.mirror.arrays import Floats64, Ints64
from mirrorenv.mirror.intervals import Estimate
from mirrorenv.mirror.verdicts import row_verdicts

__all__ = ["Part", "Reading", "limit_reading", "parts", "reading_of"]


@dataclass(frozen=True, eq=False)
class Reading:
    """What trajectories tell of their authors, each by itself.

    Args:
        identity: nats per trajectory.
        recognised: share of trajectories whose most believed agent is the author; ties share.
        most: nats at most, the mean of log K.
        chance: of being recognised, the mean of 1 / K.
        matrix: (N, N) mean belief: row is the author, column who is believed to be it.
        nats: (M,) log K + log belief in the true author.
        log_belief: (M, N).
    """

    identity: Estimate
    recognised: Estimate
    most: float
    chance: float
    matrix: Floats64
    nats: Floats64
    log_belief: Floats64


@dataclass(frozen=True)
class Part:
    """What one part of the trajectories tells by itself.

    Args:
        name: of the reader or column.
        part: what it is, for people.
        identity: nats, read from this alone.
    """

    name: str
    part: str
    identity: Estimate


def reading_of(belief: Floats64, lineups: Lineups, fitted: Floats64 | None = None) -> Reading:
    """Figures of a belief.

    Args:
        belief: (M, N) log probabilities.
        lineups: of the M trajectories.
        fitted: (M, N) log probabilities of the same readers fitted to the same episodes. What was
            fitted elsewhere knows too little, and this knows too much, so that the upper end of
            the interval is no lower than its mean.
    """
    rows = np.arange(len(lineups.agent))
    candidates = lineups.candidates().sum(1)  # (M,)
    shares = lineups.shares()
    nats = np.log(candidates) + belief[rows, lineups.agent]
    most = float(shares @ np.log(candidates))
    right = row_verdicts(belief[None, None])[0, 0][rows, lineups.agent]  # ties share
    matrix = np.zeros((lineups.num_agents, lineups.num_agents))
    np.add.at(matrix, lineups.agent, np.exp(belief))
    matrix /= np.bincount(lineups.agent, minlength=lineups.num_agents)[:, None]
    identity = mean_nats(nats, lineups, most)
    if fitted is not None:
        knows = float(shares @ (np.log(candidates) + fitted[rows, lineups.agent]))
        identity = replace(identity, high=max(identity.high, knows))
    return Reading(
        identity,
        mean_share(right, lineups),
        most,
        float(shares @ (1.0 / candidates)),
        matrix,
        nats,
        belief,
    )


def limit_reading(law: Floats64, trajectory: Ints64, lineups: Lineups) -> Reading:
    """The exact ceiling where the log says how likely every agent was to do what was done.

    It is that of each trajectory alone: what agents did to each other is not used.

    Args:
        law: (S, N) log probability of each step's action under every agent.
        trajectory: (S,) which trajectory a step belongs to.
        lineups: of the M trajectories.
    """
    starts = np.flatnonzero(np.diff(trajectory, prepend=-1))
    total = np.add.reduceat(law, starts, axis=0)  # (M, N)
    one = np.ones(1)
    return reading_of(log_belief(total[None], one, lineups.candidates()), lineups)


def parts(
    readers: Sequence[Reader], evidence: Floats64, lineups: Lineups, fold: Ints64
) -> list[Part]:
    """What each reader knows by itself, best first.

    Args:
        readers: R of them.
        evidence: (R, M, N), cross-fitted.
        lineups: of the M trajectories.
        fold: (M,) of each trajectory.
    """
    candidates = lineups.candidates()
    found = []
    for index, reader in enumerate(readers):
        own = evidence[index : index + 1]
        belief = np.zeros(own.shape[1:])
        for part in range(int(fold.max()) + 1):
            here = fold == part
            weight = fitted_weights(own, lineups, ~here)
            belief[here] = log_belief(own[:, here], weight, candidates[here])
        identity = reading_of(belief, lineups).identity
        found.append(Part(reader.name, reader.part, identity))
    return sorted(found, key=lambda one: -one.identity.value)
