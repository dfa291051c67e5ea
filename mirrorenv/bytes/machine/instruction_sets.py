"""What differs between the instruction sets that programs may be written in.

Names and numbers only, so that neither the emulator nor the disassembler is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mirrorenv.errors import unknown_name

__all__ = ["INSTRUCTION_SETS", "InstructionSet", "instruction_set", "register_instruction_set"]

Arguments = tuple[str, str, str]


@dataclass(frozen=True)
class InstructionSet:
    """A language that programs are in.

    Attributes:
        name: as users type it.
        unicorn: architecture, mode, and the module of its constants in the emulator.
        capstone: architecture and modes in the disassembler.
        registers: the sixteen whose values are kept, in order.
        stack: registers that begin in the middle of the stack.
        data: registers that begin at the data.
        number: the register with the number of a call.
        answer: the register that takes its result.
        arguments: the registers with its first three arguments.
        calls: number of a call -> its number on x86-64 and where its arguments are. A call that is
            not here keeps its number if there are none at all, and else counts as unknown.
        call_bytes: the encoding of a call.
        padding: what lies behind the last byte.
        interrupt_of_call: the exception that a call is seen as; None if it has a hook of its own.
        not_repeatable: mnemonics of time, chance and whatever else the host knows.
        kernel_only: mnemonics that only a kernel may execute.
    """

    name: str
    unicorn: tuple[str, str, str]
    capstone: tuple[str, tuple[str, ...]]
    registers: tuple[str, ...]
    stack: tuple[str, ...]
    data: tuple[str, ...]
    number: str
    answer: str
    arguments: Arguments
    calls: Mapping[int, tuple[int, Arguments]]
    call_bytes: bytes
    padding: bytes
    interrupt_of_call: int | None
    not_repeatable: frozenset[str]
    kernel_only: frozenset[str]


INSTRUCTION_SETS: dict[str, InstructionSet] = {}


def register_instruction_set(made: InstructionSet) -> InstructionSet:
    """Make an instruction set available by its name."""
    INSTRUCTION_SETS[made.name] = made
    return made


def instruction_set(name: str) -> InstructionSet:
    """The instruction set of a name.

    Raises:
        UnknownNameError: if there is none; it names the closest.
    """
    if name not in INSTRUCTION_SETS:
        raise unknown_name("instruction set", name, INSTRUCTION_SETS)
    return INSTRUCTION_SETS[name]


_OLD = ("RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI")
_NEW = ("R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15")
# The host's time, chance, processor number or performance counters.
_HOST = frozenset({"rdtsc", "rdtscp", "rdrand", "rdseed", "rdpid", "rdpmc", "xgetbv"})
# The emulator runs in ring 0, where a real program's ports would be an error.
_PORTS = frozenset({"in", "out", "insb", "insd", "insw", "outsb", "outsd", "outsw"})
_RETURNS = frozenset({"sysret", "sysretq", "sysexit", "sysenter", "iret", "iretd", "iretq"})

X86_64 = register_instruction_set(
    InstructionSet(
        name="x86-64",
        unicorn=("UC_ARCH_X86", "UC_MODE_64", "x86"),
        capstone=("CS_ARCH_X86", ("CS_MODE_64",)),
        registers=_OLD + _NEW,
        stack=("RSP", "RBP"),
        data=("RSI", "RDI"),
        number="RAX",
        answer="RAX",
        arguments=("RDI", "RSI", "RDX"),
        calls={},
        call_bytes=b"\x0f\x05",
        padding=b"\xf4",
        interrupt_of_call=None,
        not_repeatable=_HOST,
        kernel_only=_PORTS | _RETURNS,
    )
)

_PLAIN: Arguments = ("A0", "A1", "A2")
_AFTER_FOLDER: Arguments = ("A1", "A2", "A3")  # calls that take a folder's descriptor first
_COUNTERS = ("cycle", "time", "instret", "cycleh", "timeh", "instreth")
_CSR = ("", "r", "w", "s", "c", "wi", "si", "ci", "rw", "rs", "rc", "rwi", "rsi", "rci")

RISCV64 = register_instruction_set(
    InstructionSet(
        name="riscv64",
        unicorn=("UC_ARCH_RISCV", "UC_MODE_RISCV64", "riscv"),
        capstone=("CS_ARCH_RISCV", ("CS_MODE_RISCV64", "CS_MODE_RISCVC")),
        registers=(
            *("RA", "SP", "T0", "T1", "T2", "S0", "S1"),
            *(f"A{number}" for number in range(8)),
            "T3",
        ),
        stack=("SP", "S0"),
        data=("A0", "A1"),
        number="A7",
        answer="A0",
        arguments=_PLAIN,
        # the generic table of Linux, which RISC-V uses
        calls={
            63: (0, _PLAIN),  # read
            64: (1, _PLAIN),  # write
            56: (2, _AFTER_FOLDER),  # openat
            57: (3, _PLAIN),  # close
            59: (22, _PLAIN),  # pipe2
            23: (32, _PLAIN),  # dup
            172: (39, _PLAIN),  # getpid
            220: (57, _PLAIN),  # clone, as fork
            93: (60, _PLAIN),  # exit
            129: (62, _PLAIN),  # kill
            17: (79, _PLAIN),  # getcwd
            49: (80, _PLAIN),  # chdir
            276: (82, ("A1", "A3", "A4")),  # renameat2
            34: (83, _AFTER_FOLDER),  # mkdirat
            35: (87, _AFTER_FOLDER),  # unlinkat
            53: (90, _AFTER_FOLDER),  # fchmodat
        },
        call_bytes=b"\x73\x00\x00\x00",
        padding=b"\x00",
        interrupt_of_call=8,
        # every read of a control register: counters are the host's, the others a kernel's
        not_repeatable=frozenset(
            [f"rd{name}" for name in _COUNTERS] + [f"csr{form}" for form in _CSR]
        ),
        kernel_only=frozenset({"mret", "sret", "uret", "dret", "wfi", "sfence.vma"}),
    )
)
