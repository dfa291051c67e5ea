"""What executing the utterances of a batch of worlds did, as arrays.

Shape legend: B rows, N agents, L bytes, K kinds of call, E endings, R registers.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mirrorenv.bytes.machine.execution import ENDINGS, Execution, Limits
from mirrorenv.bytes.machine.kernel import (
    CALLS,
    MOST_CHILDREN,
    MOST_FILES,
    MOST_OPEN,
    KernelState,
    fresh_state,
)
from mirrorenv.bytes.machine.lease import give_back, lease
from mirrorenv.bytes.machine.supervisor import Machine
from mirrorenv.bytes.machine.wire import Result
from mirrorenv.mirror.arrays import Floats32, Ints64

__all__ = ["KERNEL_PARTS", "Effects", "Executor", "MachineExecutor", "nothing_happened"]

KERNEL_PARTS = ("files", "folders", "open descriptors", "children", "bytes kept")
"""What an agent is told of its kernel, each as a share of the most there can be."""
_CALL_PLACE = {number: place for place, number in enumerate(sorted(CALLS))}
_ENDING_PLACE = {ending: place for place, ending in enumerate(ENDINGS)}


class Executor(Protocol):
    """Executes programs, each on the state of a kernel."""

    def run(self, programs: Sequence[bytes], states: Sequence[KernelState]) -> list[Result]:
        """For each program what became of it, and the kernel after it."""

    def close(self) -> None:
        """Let go of whatever executes."""


class MachineExecutor:
    """A supervised child process, started when it is first needed.

    Args:
        limits: of each program.
        instruction_set: which language programs are in, by name.
    """

    def __init__(self, limits: Limits, instruction_set: str = "x86-64") -> None:
        self.limits = limits
        self.instruction_set = instruction_set
        self._machine: Machine | None = None
        self._gone: weakref.finalize[[Machine], MachineExecutor] | None = None

    def run(self, programs: Sequence[bytes], states: Sequence[KernelState]) -> list[Result]:
        """See :meth:`Executor.run`."""
        if self._machine is None:
            self._machine = lease(self.limits, self.instruction_set)
            self._gone = weakref.finalize(self, give_back, self._machine)
        return self._machine.run(programs, states)

    def close(self) -> None:
        """Give the child process back."""
        if self._gone is not None:
            self._gone()
        self._machine = None
        self._gone = None

    def __getstate__(self) -> dict[str, Any]:
        """A copy starts a child of its own."""
        return {**vars(self), "_machine": None, "_gone": None}


@dataclass
class Effects:
    """What became of the last utterance of every agent."""

    calls: Ints64
    """(B, N, K) emulated system calls of each kind."""
    endings: Ints64
    """(B, N) place in :data:`ENDINGS`; -1 where nothing was executed."""
    instructions: Ints64
    """(B, N) executed."""
    registers: npt.NDArray[np.uint64]
    """(B, N, R) at the end."""
    kernels: Floats32
    """(B, N, 5) :data:`KERNEL_PARTS`, 0 to 1."""
    traces: npt.NDArray[np.int16]
    """(B, N, 64) places of the first executed instructions in the utterance; -1 after the last."""

    def put(self, row: int, agent: int, execution: Execution, state: KernelState) -> None:
        """Note what became of one program.

        Args:
            row: of the batch.
            agent: who uttered it.
            execution: how it ended, with its calls and registers.
            state: of the kernel after it.
        """
        self.calls[row, agent] = 0
        for call in execution.calls:
            if call.number in _CALL_PLACE:
                self.calls[row, agent, _CALL_PLACE[call.number]] += 1
        self.endings[row, agent] = _ENDING_PLACE[execution.ending]
        self.instructions[row, agent] = execution.instructions
        self.registers[row, agent] = execution.registers
        self.kernels[row, agent] = _summary(state)
        self.traces[row, agent] = -1
        self.traces[row, agent, : len(execution.trace)] = execution.trace


def nothing_happened(rows: int, agents: int) -> Effects:
    """Before the first utterance."""
    none = _summary(fresh_state())
    return Effects(
        np.zeros((rows, agents, len(CALLS)), np.int64),
        np.full((rows, agents), -1, np.int64),
        np.zeros((rows, agents), np.int64),
        np.zeros((rows, agents, 16), np.uint64),
        np.tile(np.asarray(none, np.float32), (rows, agents, 1)),
        np.full((rows, agents, 64), -1, np.int16),
    )


def _summary(state: KernelState) -> list[float]:
    folders = sum(one["kind"] == "folder" for one in state["files"].values())
    kept = sum(len(one["data"]) // 2 for one in state["files"].values())
    return [
        (len(state["files"]) - folders) / MOST_FILES,
        folders / MOST_FILES,
        len(state["open"]) / MOST_OPEN,
        len(state["children"]) / MOST_CHILDREN,
        min(kept / 1024, 1.0),
    ]
