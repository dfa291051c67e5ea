"""Which instructions a program may execute: those that mean the same on every machine and run.

Judged by what is executed and not by what the program contains: an instruction may be prefixed or
misaligned. What the disassembler does not know, or reads with another length than the emulator
executes, is void, too: one VEX form (c5 13 31) executes as rdtsc and is no instruction to a
disassembler.
"""

from __future__ import annotations

from typing import Literal

import capstone

__all__ = ["Guard", "Judgement"]

Judgement = Literal["fine", "void", "privileged"]

# The host's time, chance, processor number or performance counters.
_NOT_REPEATABLE = frozenset({"rdtsc", "rdtscp", "rdrand", "rdseed", "rdpid", "rdpmc", "xgetbv"})
# The emulator runs in ring 0, where a real program's ports would be an error.
_PORTS = frozenset({"in", "out", "insb", "insd", "insw", "outsb", "outsd", "outsw"})
_KERNEL_ONLY = frozenset({"sysret", "sysretq", "sysexit", "sysenter", "iret", "iretd", "iretq"})
_KNOWN_AT_MOST = 200_000


class Guard:
    """Judges instructions by their bytes; each is disassembled once."""

    def __init__(self) -> None:
        self._reader = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
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
        if name in _NOT_REPEATABLE:
            return "void"
        if name in _PORTS or name in _KERNEL_ONLY:
            return "privileged"
        if instruction.group(capstone.x86.X86_GRP_PRIVILEGE):
            return "privileged"
        return "fine"
