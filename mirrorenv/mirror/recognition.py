"""What one shown lineup pays: an observer's evidence, slot by agent, scored when the names are
revealed.

Both scores are proper (Gneiting and Raftery 2007, "Strictly proper scoring rules, prediction, and
estimation"): in expectation nothing pays better than the belief one has. Both are shifted to 0 at
chance, so that a coin earns nothing.

====================  ==============================================================================
score                 worth of belief q in a slot whose author is n
====================  ==============================================================================
`log`                 log N + max(log q(n), log floor): nats, at most log N, at least log N + log
                      floor. The floor bounds what a single confident mistake costs; below it the
                      score no longer tells beliefs apart
`brier`               (1 - 1/N) - sum over m of (q(m) - [m = n])^2: at most 1 - 1/N, at least -(1 +
                      1/N), no floor needed (Brier 1950)
====================  ==============================================================================

Shape legend: J observers, K lineup slots, N agents (K = N).
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror._checks import square
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.mirror.belief import Belief, Decode
from mirrorenv.mirror.permutations import permutation_array
from mirrorenv.mirror.verdicts import in_author_order

__all__ = [
    "EVIDENCE_BOUND",
    "RecognitionScore",
    "bounded_evidence",
    "check_recognition_score",
    "recognition_worth",
]

RecognitionScore = Literal["log", "brier"]
"""Which proper score an answer is paid by."""

EVIDENCE_BOUND = 10.0
"""Nats: evidence that is given as an action lies between minus and plus this. Two agents can be 20
nats apart, beyond any floor in use; stock libraries want bounds that are finite."""


def bounded_evidence(given: object, num_agents: int) -> Floats64:
    """One observer's evidence as it was given by an agent, checked.

    Args:
        given: what should be (N, N) numbers, slot by agent, within :data:`EVIDENCE_BOUND`.
        num_agents: N.

    Returns:
        (N, N) float64 nats.

    Raises:
        ShapeError: if it is something else; the message names the problem, not the agent.
    """
    try:
        evidence = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"the evidence is not numbers: {error}") from error
    shape = (num_agents, num_agents)
    # also false for NaN
    if evidence.shape != shape or not (np.abs(evidence) <= EVIDENCE_BOUND).all():
        raise ShapeError(
            f"the evidence must be {shape} numbers between -{EVIDENCE_BOUND} and {EVIDENCE_BOUND}"
        )
    return evidence


def check_recognition_score(score: str, floor: float, num_agents: int) -> None:
    """Refuse a score that is unknown or a floor that a coin would fall below.

    Args:
        score: name of a recognition score.
        floor: smallest probability that counts, so that a log score is bounded.
        num_agents: N.

    Raises:
        ConfigError: unless `score` is known and `floor` lies in (0, 1/N].
    """
    if score not in get_args(RecognitionScore):
        raise ConfigError(
            f"score must be one of {', '.join(get_args(RecognitionScore))}, got {score!r}"
        )
    if not 0.0 < floor <= 1.0 / num_agents:
        raise ConfigError(f"floor must be in (0, 1/N] = (0, {1.0 / num_agents:.4g}], got {floor}")


def recognition_worth(
    evidence: npt.ArrayLike,
    permutations: npt.ArrayLike,
    *,
    score: RecognitionScore = "log",
    floor: float = 1e-4,
    decode: Decode = "independent",
) -> Floats64:
    """What each observer's belief about each agent's trajectory is worth once the names are known.

    The mean over authors (last axis) is what an observer earns for recognising, the mean over
    observers what an author earns for being recognised: the credits `observer` and `author` of
    :mod:`mirrorenv.mirror.reward`.

    Args:
        evidence: (..., J, K, N) nats, each row up to a constant of its own; K = N.
        permutations: (..., J, K) ints, slot k of observer j's lineup was made by agent
            `permutations[..., j, k]`.
        score: see the module.
        floor: smallest belief that still counts for `log`, in (0, 1/N].
        decode: `independent` reads each slot alone, `marginals` knows that each name occurs
            once (N <= 16).

    Returns:
        (..., J, N) float64, zero at chance.

    Raises:
        ShapeError: if shapes disagree, the evidence holds NaN or +inf, or a permutation is none.
        ConfigError: for an unknown score or decode, or a floor out of range.
    """
    belief = Belief(np.asarray(evidence, np.float64))
    agents = square("recognition_worth: evidence", belief.evidence)
    if belief.evidence.ndim < 3:
        raise ShapeError(
            f"recognition_worth: evidence must be (..., J, K, N), got {belief.evidence.shape}"
        )
    check_recognition_score(score, floor, agents)
    truth = permutation_array("permutations", permutations, belief.evidence.shape[:-1])
    logs = in_author_order(belief.log_belief(decode), truth)  # (..., J, N author, N believed)
    of_author = np.einsum("...nn->...n", logs)  # (..., J, N)
    if score == "log":
        worth: Floats64 = np.log(agents) + np.clip(of_author, np.log(floor), 0.0)
        return worth
    # sum of (q - [m = n])^2
    squares = np.exp(2.0 * logs).sum(axis=-1) - 2.0 * np.exp(of_author) + 1.0
    brier: Floats64 = 1.0 - 1.0 / agents - squares
    return brier
