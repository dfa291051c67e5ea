"""Scripted speakers of the byte world, from the weakest to the best."""

from __future__ import annotations

from functools import partial

import numpy as np

from mirrorenv.bytes.machine.kernel import CALLS
from mirrorenv.bytes.world import ByteMeditation
from mirrorenv.mirror.arrays import Floats32, Ints64

__all__ = ["PLAYERS", "Caller", "Silent"]


class Silent:
    """Utters zeros.

    Args:
        world: the world to act in.
    """

    def __init__(self, world: ByteMeditation) -> None:
        self.shape = (world.num_agents, world.length)

    def __call__(self, observations: Floats32, t: int) -> Ints64:
        """(B, N, L) int64 bytes."""
        return np.zeros((len(observations), *self.shape), np.int64)


# lea rsi, [rip + 7]; again: xor eax, eax; lodsb; syscall; jmp again; then the numbers of the calls
_LOOP = bytes.fromhex("488d350700000031c0ac0f05ebf9")


class Caller:
    """Makes each of the sixteen calls once: a loop of 14 bytes over their numbers.

    Args:
        world: the world to act in.
        signed: whether every agent begins with another call, so that it can be recognised.
    """

    def __init__(self, world: ByteMeditation, *, signed: bool) -> None:
        order = [number for number, name in sorted(CALLS.items()) if name != "exit"]
        exit_number = next(number for number, name in CALLS.items() if name == "exit")
        self.programs = np.zeros((world.num_agents, world.length), np.int64)
        for agent in range(world.num_agents):
            turn = agent % len(order) if signed else 0
            code = _LOOP + bytes([*order[turn:], *order[:turn], exit_number])
            fits = code[: world.length]
            self.programs[agent, : len(fits)] = np.frombuffer(fits, np.uint8)

    def __call__(self, observations: Floats32, t: int) -> Ints64:
        """(B, N, L) int64 bytes."""
        return np.repeat(self.programs[None], len(observations), axis=0)


PLAYERS = {
    "silent": Silent,
    "callers": partial(Caller, signed=False),
    "signed callers": partial(Caller, signed=True),
}
"""Scripted teams by name."""
