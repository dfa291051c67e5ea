"""Machines that wait for the next world: to start a child process takes a second.

A world leases a machine when it first executes something and gives it back when it is closed or
gone. What a program does depends on the program and its kernel alone, so it makes no difference
which machine executes it.
"""

from __future__ import annotations

import atexit
import os

from mirrorenv.bytes.machine.execution import Limits
from mirrorenv.bytes.machine.supervisor import Machine

__all__ = ["give_back", "lease", "waiting"]

_MOST_WAITING = 2
_WAITING: list[tuple[int, Machine]] = []  # with the process that started each


def lease(limits: Limits, instruction_set: str = "x86-64") -> Machine:
    """A machine with these limits: one that waits, or a new one.

    Args:
        limits: of each program.
        instruction_set: which language programs are in, by name.

    Raises:
        MissingExtraError: if unicorn or capstone is not installed.
        WorldError: if no child comes up.
    """
    for place, (process, machine) in enumerate(_WAITING):
        same = machine.limits == limits and machine.instruction_set == instruction_set
        if process == os.getpid() and same:
            del _WAITING[place]
            return machine
    return Machine(limits, instruction_set=instruction_set)


def give_back(machine: Machine) -> None:
    """Let the next world have it; the one that has waited longest is closed if there are too
    many."""
    _WAITING.append((os.getpid(), machine))
    while len(_WAITING) > _MOST_WAITING:
        _WAITING.pop(0)[1].close()


def waiting() -> int:
    """How many machines wait."""
    return len(_WAITING)


@atexit.register
def _close_all() -> None:
    while _WAITING:
        process, machine = _WAITING.pop()
        if process == os.getpid():
            machine.close()
