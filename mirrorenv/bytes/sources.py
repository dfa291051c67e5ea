"""Where the bytes come from that no agent uttered: chance, and the network.

No socket is opened here. What is called the network is what the agents sent each other in the last
step, or a file in the pcap format that somebody recorded before.

Shape legend: B rows, N agents, L bytes of an utterance, E bytes asked for.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mirrorenv.bytes.pcap import read_packets
from mirrorenv.envs.random import BatchRandom

__all__ = ["ByteSource", "Exchanged", "FromCapture", "Live", "Seeded"]

Octets = npt.NDArray[np.uint8]


class ByteSource(Protocol):
    """Gives every agent some bytes in every step."""

    def draw(self, said: Octets, count: int, step: int, random: BatchRandom) -> Octets:
        """Bytes for every agent.

        Args:
            said: (B, N, L) last utterances.
            count: E.
            step: how many steps are done.
            random: of the rows.

        Returns:
            (B, N, E).
        """


class Seeded:
    """Uniform bytes that follow from the seed of each row."""

    def draw(self, said: Octets, count: int, step: int, random: BatchRandom) -> Octets:
        """See :meth:`ByteSource.draw`."""
        return random.integers(256, (said.shape[1], count)).astype(np.uint8)


class Live:
    """Bytes of the operating system: a run with them never repeats itself."""

    def draw(self, said: Octets, count: int, step: int, random: BatchRandom) -> Octets:
        """See :meth:`ByteSource.draw`."""
        rows, agents, _ = said.shape
        drawn = np.frombuffer(os.getrandom(rows * agents * count), np.uint8)
        return drawn.reshape(rows, agents, count).copy()


class Exchanged:
    """Bytes out of what the others said last, from any of them and any place.

    Each agent draws for itself among its peers, so that no agent's place in an order shows.
    """

    def draw(self, said: Octets, count: int, step: int, random: BatchRandom) -> Octets:
        """See :meth:`ByteSource.draw`."""
        rows, agents, length = said.shape
        if agents == 1:
            return np.zeros((rows, 1, count), np.uint8)
        gaps = 1 + random.integers(agents - 1, (agents, count))  # (B, N, E)
        peers = (np.arange(agents)[None, :, None] + gaps) % agents
        places = random.integers(length, (agents, count))
        heard: Octets = said[np.arange(rows)[:, None, None], peers, places]
        return heard


class FromCapture:
    """Payloads of a recorded file, one after the other, from a place that each row draws.

    Args:
        path: a pcap file; read once, within bounds.

    Raises:
        StoreError: if it cannot be read or is no pcap file.
    """

    def __init__(self, path: Path) -> None:
        self._stream = np.frombuffer(b"".join(read_packets(path)), np.uint8)

    def draw(self, said: Octets, count: int, step: int, random: BatchRandom) -> Octets:
        """See :meth:`ByteSource.draw`: the same bytes for all agents of a row."""
        agents = said.shape[1]
        starts = random.integers(len(self._stream))  # (B,)
        places = (starts[:, None] + np.arange(count)) % len(self._stream)  # (B, E)
        return np.repeat(self._stream[places][:, None], agents, axis=1)
