"""The lineup: K trajectories of one episode in a shuffled order, and the reveal that is kept apart
from it.

The order is derived from (run, episode, observer) by a keyed hash, so it is the same on every
machine, independent of any random state, and different for every observer. A lineup holds copies
laid out in slot order; nothing reachable from it (attributes, array bases, referents, addresses)
leads to the order. It is not a sandbox: code in the same process that is handed the run's name, or
that searches the heap, can recompute or find anything.

Shape legend: B batch (episodes), T time, K lineup slots.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ShapeError
from mirrorenv.mirror._checks import frozen
from mirrorenv.mirror.arrays import AnyArray, Ints64
from mirrorenv.mirror.trajectory import Trajectory

__all__ = ["Lineup", "Reveal", "lineup_permutations", "shuffle_lineup"]

_KEYS_PER_BLOCK = 8  # a blake2b digest holds 64 bytes: eight 64-bit sort keys


@dataclass(frozen=True, eq=False)
class Lineup:
    """K trajectories without names: all an observer is given.

    Args:
        trajectories: K trajectories, slot by slot; read-only copies.
    """

    trajectories: tuple[Trajectory, ...]

    def __len__(self) -> int:
        return len(self.trajectories)

    def __getitem__(self, slot: int) -> Trajectory:
        return self.trajectories[slot]


@dataclass(frozen=True, eq=False)
class Reveal:
    """Who made what: kept by the experimenter until the beliefs are in.

    Args:
        permutation: (K,) int64, slot k holds the trajectory of agent `permutation[k]`.
    """

    permutation: Ints64  # (K,)

    def author(self, slot: int) -> int:
        """The agent whose trajectory stands in the slot."""
        return int(self.permutation[slot])

    def slot(self, agent: int) -> int:
        """The slot that holds the agent's trajectory."""
        return int(np.flatnonzero(self.permutation == agent)[0])


def _encode(part: int | str) -> bytes:
    # Type and length go first, so that no two different tuples share an encoding.
    kind, text = ("s", part) if isinstance(part, str) else ("i", str(int(part)))
    data = text.encode()
    return kind.encode() + struct.pack("<q", len(data)) + data


def lineup_permutations(
    run: int | str, episodes: npt.ArrayLike, observer: int | str, num_agents: int
) -> Ints64:
    """The order of the lineups of many episodes, for one observer.

    Slot k of episode b holds agent `permutation[b, k]`. Each permutation sorts 64-bit keys drawn
    from blake2b(key = run; episode, observer, block): uniform over all orders up to ties of
    probability 2**-64.

    Args:
        run: name or seed of the run.
        episodes: (B,) integer ids of the episodes, any range.
        observer: name or index of the observer.
        num_agents: K = N, at least 1.

    Returns:
        (B, K) int64.

    Raises:
        ShapeError: if `episodes` is not a 1-D array of integers or `num_agents` is below 1.
    """
    ids = np.asarray(episodes)
    if ids.ndim != 1 or not (np.issubdtype(ids.dtype, np.integer) or ids.size == 0):
        raise ShapeError(
            f"lineup_permutations: episodes must be 1-D integers, got {ids.dtype} of shape "
            f"{ids.shape}"
        )
    if num_agents < 1:
        raise ShapeError(f"lineup_permutations: num_agents must be at least 1, got {num_agents}")
    keyed = blake2b(
        key=blake2b(_encode(run), digest_size=32).digest(), digest_size=8 * _KEYS_PER_BLOCK
    )
    tail = _encode(observer)
    blocks = -(-num_agents // _KEYS_PER_BLOCK)
    digests = bytearray()
    for episode in ids.tolist():
        head = _encode(episode) + tail
        for block in range(blocks):
            state = keyed.copy()
            state.update(head + struct.pack("<I", block))
            digests += state.digest()
    # (B, >= K)
    keys = np.frombuffer(bytes(digests), dtype="<u8").reshape(len(ids), blocks * _KEYS_PER_BLOCK)
    return np.argsort(keys[:, :num_agents], axis=1, kind="stable").astype(np.int64)


def shuffle_lineup(
    trajectories: Sequence[Trajectory], *, run: int | str, episode: int, observer: int | str
) -> tuple[Lineup, Reveal]:
    """Take the names off: copy the trajectories of one episode into a shuffled order.

    Args:
        trajectories: N trajectories in author order.
        run: name or seed of the run.
        episode: id of the episode within the run.
        observer: name or index of the observer the lineup is for.

    Returns:
        the lineup for the observer, and the reveal for the experimenter.

    Raises:
        ShapeError: if there is no trajectory, or their arrays differ in more than length.
    """
    if not trajectories:
        raise ShapeError("shuffle_lineup needs at least one trajectory")
    permutation = lineup_permutations(run, [episode], observer, len(trajectories))[0]
    chosen = [trajectories[agent] for agent in permutation]
    observations = _copies_in_order(
        "observations", [trajectory.observations for trajectory in chosen]
    )
    actions = _copies_in_order("actions", [trajectory.actions for trajectory in chosen])
    lineup = Lineup(
        tuple(Trajectory(seen, done) for seen, done in zip(observations, actions, strict=True))
    )
    return lineup, Reveal(frozen(permutation))


def _copies_in_order(name: str, arrays: list[AnyArray]) -> list[AnyArray]:
    # One buffer in slot order, then slices of it: dtype, strides and addresses are the same whoever
    # the authors are.
    if len({(array.shape[1:], array.dtype.kind) for array in arrays}) != 1:
        raise ShapeError(
            f"shuffle_lineup: the {name} differ in shape or kind, and would name the authors"
        )
    buffer = frozen(np.concatenate(arrays))
    stops = np.cumsum([len(array) for array in arrays])
    return [buffer[stop - len(array) : stop] for array, stop in zip(arrays, stops, strict=True)]
