"""Cross-fitted belief: what every trajectory's author would be taken for, by readers that were
fitted on other episodes.

The episodes are dealt into folds. Each reader is fitted on all folds but one and reads that one.
How much each reader's word counts is fitted on the folds that are not read; the weights are at
least 0, so that a reader that knows nothing is not listened to.

Shape legend: M trajectories, R readers, N agents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from mirrorenv.instrument.readers.base import Reader
from mirrorenv.instrument.record import Lineups
from mirrorenv.mirror.arrays import Bools, Floats64, Ints64
from mirrorenv.mirror.belief import log_softmax

__all__ = ["Crossed", "crossed", "deal", "fitted_weights", "log_belief", "out_of_fold"]

_MOST = 20_000  # trajectories that weights are fitted to
_PULL = 3.0  # a squared weight counts as so many nats in all


@dataclass(frozen=True, eq=False)
class Crossed:
    """Beliefs about every trajectory.

    Args:
        evidence: (R, M, N) nats of each reader.
        log_belief: (M, N) log probabilities over the trajectory's candidates, -inf for others.
        weights: (folds, R) how much each reader's word counted.
        fitted: (M, N) log probabilities by readers that were fitted on the same episodes: more than
            can be known, an upper end for what more episodes would bring.
    """

    evidence: Floats64
    log_belief: Floats64
    weights: Floats64
    fitted: Floats64


def deal(lineups: Lineups, folds: int, seed: int) -> Ints64:
    """(M,) fold of each trajectory, by episode; where agents play alone each agent's episodes are
    dealt by themselves, so that each fold has some of everybody's.

    Args:
        lineups: of M trajectories.
        folds: number of parts.
        seed: of the order.
    """
    rng = np.random.default_rng(seed)
    fold = np.zeros(len(lineups.agent), np.int64)
    if lineups.together:
        order = rng.permutation(lineups.num_episodes)
        return (order % folds)[lineups.episode]
    for agent in range(lineups.num_agents):
        own = np.flatnonzero(lineups.agent == agent)
        fold[own] = rng.permutation(len(own)) % folds
    return fold


def crossed(readers: Sequence[Reader], lineups: Lineups, fold: Ints64) -> Crossed:
    """Beliefs about every trajectory by readers that never saw its episode.

    Args:
        readers: R of them.
        lineups: of M trajectories.
        fold: (M,) from :func:`deal`.
    """
    folds = int(fold.max()) + 1
    evidence = out_of_fold(readers, lineups, fold)
    candidates = lineups.candidates()
    belief = np.zeros(evidence.shape[1:])
    weights = np.zeros((folds, len(readers)))
    for part in range(folds):
        here = fold == part
        weights[part] = fitted_weights(evidence, lineups, ~here)
        belief[here] = log_belief(evidence[:, here], weights[part], candidates[here])
    everywhere = np.ones(len(fold), bool)
    again = [
        reader.evidence(lineups.agent, lineups.num_agents, everywhere, everywhere)
        for reader in readers
    ]
    all_weights = fitted_weights(evidence, lineups, everywhere)
    fitted = log_belief(np.stack(again), all_weights, candidates)
    return Crossed(evidence, belief, weights, fitted)


def out_of_fold(readers: Sequence[Reader], lineups: Lineups, fold: Ints64) -> Floats64:
    """(R, M, N) evidence of readers, each fitted on all folds but the one that it reads.

    Args:
        readers: R of them.
        lineups: of M trajectories.
        fold: (M,) from :func:`deal`.
    """
    evidence = np.zeros((len(readers), len(fold), lineups.num_agents))
    for part in range(int(fold.max()) + 1):
        here = fold == part
        for index, reader in enumerate(readers):
            evidence[index, here] = reader.evidence(lineups.agent, lineups.num_agents, ~here, here)
    return evidence


def log_belief(evidence: Floats64, weights: Floats64, candidates: Bools) -> Floats64:
    """(M, N) log probabilities from weighted evidence.

    Args:
        evidence: (R, M, N).
        weights: (R,).
        candidates: (M, N) who may have made it.
    """
    total = np.tensordot(weights, evidence, axes=1)  # (M, N)
    return log_softmax(np.where(candidates, total, -np.inf))


def fitted_weights(evidence: Floats64, lineups: Lineups, fit: Bools) -> Floats64:
    """(R,) weights at least 0 that maximise the mean log belief in the true author.

    Args:
        evidence: (R, M, N) by readers that were not fitted on what they read.
        lineups: of the M trajectories.
        fit: (M,) trajectories to look at.
    """
    rows = np.flatnonzero(fit)
    rows = rows[:: -(-len(rows) // _MOST)]
    agent = lineups.agent[rows]
    candidates = lineups.candidates()[rows]
    here = evidence[:, rows]  # (R, rows, N)
    scale = np.maximum(here.std(axis=(1, 2)), 1e-12)
    here = here / scale[:, None, None]
    true = here[:, np.arange(len(rows)), agent]  # (R, rows)
    counts = lineups.shares()[rows]
    counts = counts * (len(rows) / counts.sum())  # (rows,)

    def objective(weights: Floats64) -> tuple[float, Floats64]:
        logs = log_belief(here, weights, candidates)
        loss = -counts @ logs[np.arange(len(rows)), agent] + _PULL * np.square(weights).sum()
        expected = np.einsum("mn,rmn->rm", np.exp(logs), here)
        slope = (expected - true) @ counts + 2 * _PULL * weights
        return float(loss), slope

    found = minimize(
        objective,
        np.zeros(len(here)),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * len(here),
        options={"maxiter": 200},
    )
    weights: Floats64 = found.x / scale
    return weights
