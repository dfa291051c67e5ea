"""Unicorn: fixed memory, code that cannot be written, data that cannot be executed.

One engine serves all programs. Its translated blocks are flushed before each of them (without that,
1,467 of 1,500 results were wrong), its data and stack are wiped where they were written to. The
engine is not memory-safe against hostile programs whatever the mappings: only a child process runs
it (:mod:`mirrorenv.bytes.machine.worker`).
"""

from __future__ import annotations

from importlib import import_module

import unicorn

from mirrorenv.bytes.machine.execution import Call, Execution, Limits
from mirrorenv.bytes.machine.guard import Guard
from mirrorenv.bytes.machine.instruction_sets import X86_64, InstructionSet
from mirrorenv.bytes.machine.kernel import UNKNOWN, Kernel, KernelState

__all__ = ["Emulator"]

CODE = 0x10000
CODE_SIZE = 0x2000
DATA = 0x200000
DATA_SIZE = 0x1000
STACK = 0x300000
STACK_SIZE = 0x1000
_TRACE = 64
_ENDS = {
    unicorn.UC_ERR_INSN_INVALID: "invalid",
    unicorn.UC_ERR_EXCEPTION: "interrupt",
}


class Emulator:
    """Executes one program after another.

    Args:
        limits: of each program.
        chosen: the instruction set.
    """

    def __init__(self, limits: Limits, chosen: InstructionSet = X86_64) -> None:
        self.limits = limits
        self._set = chosen
        self._guard = Guard(chosen)
        architecture, mode, constants = chosen.unicorn
        self._constants = import_module(f"unicorn.{constants}_const")
        self._prefix = f"UC_{constants.upper()}_REG_"
        self._number = self._register(chosen.number)
        self._answer = self._register(chosen.answer)
        self._plain = tuple(map(self._register, chosen.arguments))
        self._known = {
            own: (number, tuple(map(self._register, arguments)))
            for own, (number, arguments) in chosen.calls.items()
        }
        self._registers = tuple(map(self._register, chosen.registers))
        self._starts = {
            **{self._register(name): STACK + STACK_SIZE // 2 for name in chosen.stack},
            **{self._register(name): DATA for name in chosen.data},
        }
        self._engine = engine = unicorn.Uc(getattr(unicorn, architecture), getattr(unicorn, mode))
        engine.mem_map(CODE, CODE_SIZE, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        engine.mem_map(DATA, DATA_SIZE, unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE)
        engine.mem_map(STACK, STACK_SIZE, unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE)
        engine.hook_add(unicorn.UC_HOOK_CODE, self._on_code)
        if chosen.interrupt_of_call is None:
            call = self._constants.UC_X86_INS_SYSCALL
            engine.hook_add(unicorn.UC_HOOK_INSN, self._on_call, None, 1, 0, call)
        engine.hook_add(unicorn.UC_HOOK_INTR, self._on_interrupt)
        engine.hook_add(unicorn.UC_HOOK_MEM_WRITE, self._on_write)
        self._clean = engine.context_save()
        self._written = True

    def run(self, program: bytes, state: KernelState) -> Execution:
        """Execute a program.

        Args:
            program: 1 to `limits.program_bytes` bytes, from the first on.
            state: of the kernel; changed in place, also by a program that ends badly.

        Returns:
            what became of it.
        """
        engine = self._engine
        engine.ctl_flush_tb()
        engine.context_restore(self._clean)
        if self._written:
            engine.mem_write(DATA, bytes(DATA_SIZE))
            engine.mem_write(STACK, bytes(STACK_SIZE))
            self._written = False
        engine.mem_write(CODE, program + self._set.padding * (CODE_SIZE - len(program)))
        for register, value in self._starts.items():
            engine.reg_write(register, value)
        self._program = program
        self._ending = ""
        self._count = 0
        self._calls: list[Call] = []
        self._trace: list[int] = []
        self._kernel = Kernel(state, self._peek, self._poke)
        try:
            engine.emu_start(CODE, CODE + len(program), count=self.limits.instructions + 1)
        except unicorn.UcError as error:
            self._ending = self._ending or _ENDS.get(error.errno, "access")
        if not self._ending:
            at_limit = self._count > self.limits.instructions
            self._ending = "limit" if at_limit else "end"
        registers = tuple(engine.reg_read(register) for register in self._registers)
        return Execution(
            self._ending,
            min(self._count, self.limits.instructions),
            tuple(self._calls),
            registers,
            tuple(self._trace),
        )

    # -- hooks ------------------------------------------------------------------------------------

    def _on_code(self, engine: unicorn.Uc, address: int, size: int, _: object) -> None:
        offset = address - CODE
        if offset >= len(self._program):  # the padding behind the last byte
            self._stop("end")
            return
        self._count += 1
        if self._count > self.limits.instructions:
            self._stop("limit")
            return
        code = self._program[offset : offset + size]
        if len(code) < size:  # its tail would be padding
            self._stop("invalid")
            return
        judgement = self._guard.judge(code)
        if judgement != "fine":
            self._stop(judgement)
            return
        if len(self._trace) < _TRACE:
            self._trace.append(offset)

    def _on_call(self, engine: unicorn.Uc, _: object) -> None:
        number = engine.reg_read(self._number)
        places = self._plain
        if self._known:
            number, places = self._known.get(number, (UNKNOWN, self._plain))
        first, second, third = (engine.reg_read(place) for place in places)
        result = self._kernel.call(number, first, second, third)
        self._calls.append(Call(number, (first, second, third), result))
        engine.reg_write(self._answer, result % 2**64)
        if self._kernel.ended:
            self._stop("exit")
        elif len(self._calls) >= self.limits.calls:
            self._stop("limit")

    def _on_interrupt(self, engine: unicorn.Uc, number: int, _: object) -> None:
        if number == self._set.interrupt_of_call:
            self._on_call(engine, None)
        else:
            self._stop("interrupt")

    def _on_write(self, *_: object) -> None:
        self._written = True

    def _stop(self, ending: str) -> None:
        self._ending = self._ending or ending
        self._engine.emu_stop()

    def _register(self, name: str) -> int:
        number: int = getattr(self._constants, self._prefix + name)
        return number

    # -- the program's memory, as the kernel sees it ----------------------------------------------

    def _peek(self, address: int, length: int) -> bytes | None:
        if not any(
            start <= address and address + length <= start + size
            for start, size in ((CODE, CODE_SIZE), (DATA, DATA_SIZE), (STACK, STACK_SIZE))
        ):
            return None
        return bytes(self._engine.mem_read(address, length))

    def _poke(self, address: int, data: bytes) -> bool:
        if not any(
            start <= address and address + len(data) <= start + size
            for start, size in ((DATA, DATA_SIZE), (STACK, STACK_SIZE))
        ):
            return False
        self._engine.mem_write(address, data)
        self._written = True
        return True
