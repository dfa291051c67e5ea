"""What became of a program, and the limits it ran under."""

from __future__ import annotations

from dataclasses import dataclass

from mirrorenv.errors import ConfigError

__all__ = ["ENDINGS", "Call", "Execution", "Limits"]

ENDINGS = {
    "end": "ran past its last byte",
    "exit": "called exit",
    "limit": "reached the limit of instructions",
    "access": "touched memory it may not touch",
    "invalid": "came to bytes that are no instruction",
    "privileged": "came to an instruction that only a kernel may execute",
    "interrupt": "raised an interrupt or exception",
    "void": "asked for the time or for chance, or its result was lost: it counts for nothing",
}
"""Every way in which a program ends."""


@dataclass(frozen=True)
class Limits:
    """What a program may use.

    Attributes:
        instructions: executed at most, 1 or more; 1,000 by default.
        program_bytes: the longest program, 1 to 4096.
        calls: emulated system calls at most; further ones end the program at the limit.
    """

    instructions: int = 1000
    program_bytes: int = 4096
    calls: int = 64

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: naming the first value out of range.
        """
        largest = {"instructions": 1_000_000, "program_bytes": 4096, "calls": 10_000}
        for name, most in largest.items():
            value = getattr(self, name)
            if not 1 <= value <= most:
                raise ConfigError(f"Limits: {name} = {value}, not between 1 and {most}")


@dataclass(frozen=True)
class Call:
    """One emulated system call.

    Attributes:
        number: of the call, as in the x86-64 Linux table whatever the program is in; -1 for a call
            that is not there.
        arguments: the first three, as unsigned 64-bit numbers.
        result: what the emulated kernel answered; negative for its errors.
    """

    number: int
    arguments: tuple[int, int, int]
    result: int


@dataclass(frozen=True)
class Execution:
    """What became of one program.

    Attributes:
        ending: a key of :data:`ENDINGS`.
        instructions: how many were executed.
        calls: the emulated system calls, in order.
        registers: the sixteen general registers at the end, unsigned.
        trace: offsets of the executed instructions in the program, at most the first 64.
    """

    ending: str
    instructions: int
    calls: tuple[Call, ...]
    registers: tuple[int, ...]
    trace: tuple[int, ...]


VOID = Execution("void", 0, (), (0,) * 16, ())
