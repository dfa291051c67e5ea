"""What bytes say about who uttered them, and about where they came from.

Shape legend: U utterances, L bytes, N agents.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mirrorenv.bytes.entropy import byte_counts
from mirrorenv.mirror.arrays import Floats64, Ints64

__all__ = ["Tested", "byte_information", "byte_information_test", "identity_bytes", "source_test"]

Octets = npt.NDArray[np.uint8]
_DRAWS = 199


class Tested(NamedTuple):
    """A figure against what shuffling gives."""

    value: float
    """As measured."""
    null: float
    """Its mean where names, or sources, are shuffled."""
    p_value: float
    """(1 + shuffles at least as large) / (1 + shuffles), Phipson and Smyth 2010."""


def byte_information(counts: Floats64) -> float:
    """Mutual information of agent and byte in nats: (N, 256) counts.

    The plug-in estimate, which is above zero by chance alone: compare it with shuffles.
    """
    joint = counts / max(counts.sum(), 1e-300)
    alone = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    ratio = np.where(joint > 0, joint / np.maximum(alone, 1e-300), 1.0)
    return float((joint * np.log(ratio)).sum())


def byte_information_test(said: Octets, rng: np.random.Generator, draws: int = _DRAWS) -> Tested:
    """Whether bytes tell agents apart: whole utterances change their names in a shuffle.

    Args:
        said: (U, N, L), utterance u of every agent.
        rng: source of the shuffles.
        draws: how many.
    """
    each = byte_counts(said)  # (U, N, 256)
    return _tested(each, rng, draws)


def source_test(
    said: Octets, source: Octets, rng: np.random.Generator, draws: int = _DRAWS
) -> Tested:
    """Whether an agent's bytes differ from those of the source of chance.

    Utterance and chance of one step change places in a shuffle; a small p-value says that the
    output is not what the source gives, and nothing more.

    Args:
        said: (U, L) utterances.
        source: (U, L) bytes of the source, as many.
        rng: source of the shuffles.
        draws: how many.
    """
    each = np.stack([byte_counts(said), byte_counts(source)], axis=1)  # (U, 2, 256)
    return _tested(each, rng, draws)


def identity_bytes(said: Octets, most: int = 4) -> list[list[tuple[int, float]]]:
    """The bytes that speak most for each agent.

    Args:
        said: (U, N, L).
        most: how many for each agent.

    Returns:
        for each agent bytes and their log ratio to the average agent, the largest first; counts
        are smoothed by one half.
    """
    counts = byte_counts(said).sum(0) + 0.5  # (N, 256)
    share = counts / counts.sum(1, keepdims=True)
    ratio = np.log(share / share.mean(0))
    order = np.argsort(-ratio, axis=1, kind="stable")[:, :most]
    return [_named(row, places) for row, places in zip(ratio, order, strict=True)]


def _tested(each: Floats64, rng: np.random.Generator, draws: int) -> Tested:
    """Information of (U, N, 256) counts against counts whose agents are shuffled in every u."""
    value = byte_information(each.sum(0))
    shuffled = []
    for _ in range(draws):
        order = np.argsort(rng.random(each.shape[:2]), axis=1)
        shuffled.append(byte_information(np.take_along_axis(each, order[:, :, None], 1).sum(0)))
    larger = sum(one >= value - 1e-12 for one in shuffled)
    return Tested(value, float(np.mean(shuffled)), (1 + larger) / (1 + draws))


def _named(ratio: Floats64, places: Ints64) -> list[tuple[int, float]]:
    """Bytes of an agent with their log ratio."""
    return [(int(byte), float(ratio[byte])) for byte in places]
