"""Which instructions a program may execute: those that mean the same on every machine and run.

Judged by what is executed and not by what the program contains: an instruction may be prefixed or
misaligned. What the disassembler does not know, or reads with another length than the emulator
executes, is void, too: one VEX form (c5 13 31) executes as rdtsc and is no instruction to a
disassembler.
"""

from __future__ import annotations

from typing import Literal

import capstone

from mirrorenv.bytes.machine.instruction_sets import InstructionSet

__all__ = ["Guard", "Judgement", "reader_of"]

Judgement = Literal["fine", "void", "privileged"]

_KNOWN_AT_MOST = 200_000


def reader_of(chosen: InstructionSet) -> capstone.Cs:
    """A disassembler."""
    architecture, modes = chosen.capstone
    mode = sum(getattr(capstone, one) for one in modes)
    return capstone.Cs(getattr(capstone, architecture), mode)


class Guard:
    """Judges instructions by their bytes; each is disassembled once.

    Args:
        chosen: which language they are in.
    """

    def __init__(self, chosen: InstructionSet) -> None:
        self._set = chosen
        self._reader = reader_of(chosen)
        self._reader.detail = True
        self._known: dict[bytes, Judgement] = {}

    def judge(self, code: bytes) -> Judgement:
        """Whether an instruction may be executed.

        Args:
            code: the bytes that the emulator is about to execute as one instruction.
        """
        found = self._known.get(code)
        if found is None:
            if len(self._known) >= _KNOWN_AT_MOST:
                self._known.clear()
            found = self._known[code] = self._read(code)
        return found

    def _read(self, code: bytes) -> Judgement:
        instruction = next(self._reader.disasm(code, 0, 1), None)
        if instruction is None or instruction.size != len(code):
            return "void"
        name = instruction.mnemonic.split()[-1]  # without a prefix such as "rep"
        if name in self._set.not_repeatable:
            return "void"
        if name in self._set.kernel_only:
            return "privileged"
        if instruction.group(capstone.CS_GRP_PRIVILEGE):
            return "privileged"
        return "fine"
