"""The second instruction set: the same kernel, the same walls, the same repeatability."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("unicorn")
pytest.importorskip("capstone")

import mirrorenv
from mirrorenv.bytes.account import disassembly
from mirrorenv.bytes.machine.instruction_sets import RISCV64
from mirrorenv.bytes.machine.kernel import CALLS
from mirrorenv.bytes.machine.supervisor import Machine
from mirrorenv.errors import UnknownNameError

ECALL = RISCV64.call_bytes


def word(value: int) -> bytes:
    return struct.pack("<I", value)


def numbered(number: int) -> bytes:
    """addi a7, zero, number."""
    return word(number << 20 | 17 << 7 | 0x13)


ENDS = {
    "jumps to itself": (word(0x6F), "limit"),
    "writes to its own code": (word(0x0000_0297) + word(0x0002_A023), "access"),
    "jumps into its data": (word(0x0005_0067), "access"),
    "reads nowhere": (word(0x0000_3503), "access"),
    "floods calls": (ECALL + word(0xFFDF_F06F), "limit"),
    "asks for the time": (word(0xC010_2573), "void"),
    "asks for a control register": (word(0xB000_2573), "void"),
    "returns to a user": (word(0x3020_0073), "privileged"),
    "waits for an interrupt": (word(0x1050_0073), "privileged"),
    "breaks": (word(0x0010_0073), "invalid"),
}


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with Machine(cache=0, instruction_set="riscv64") as made:
        yield made


def test_every_call_acts_on_the_same_kernel(machine: Machine) -> None:
    order = sorted(RISCV64.calls, key=lambda own: CALLS[RISCV64.calls[own][0]] in ("exit", "kill"))
    program = b"".join(numbered(own) + ECALL for own in order)
    ((found, _),) = machine.run([program])
    seen = {call.number for call in found.calls}
    assert seen >= set(CALLS) - {60, 62}
    assert machine.confined or machine.started == 1


def test_a_call_that_the_kernel_does_not_know_is_unknown_whatever_its_number(
    machine: Machine,
) -> None:
    ((found, _),) = machine.run([numbered(39) + ECALL])  # 39 is getpid on the other one
    assert [(call.number, call.result) for call in found.calls] == [(-1, -38)]


@pytest.mark.parametrize("name", ENDS)
def test_programs_that_go_too_far_end(machine: Machine, name: str) -> None:
    program, ending = ENDS[name]
    ((found, _),) = machine.run([program])
    assert found.ending == ending
    assert machine.lost == 0


def test_random_programs_repeat_themselves(machine: Machine) -> None:
    source = random.Random(3)
    pieces = [ECALL, numbered(172), *(program for program, _ in ENDS.values())]
    programs = []
    for _ in range(400):
        parts = [source.choice([source.choice(pieces), source.randbytes(4)]) for _ in range(12)]
        programs.append(b"".join(parts))
    first = machine.run(programs)
    assert machine.run(programs[::-1])[::-1] == first
    assert sum(len(found.calls) for found, _ in first) > 50


def test_the_world_executes_what_its_option_says() -> None:
    world = mirrorenv.make_batch(
        "mirrorenv/bytes-v0",
        1,
        num_agents=2,
        length=8,
        instruction_set="riscv64",
        rewards={"shaping": 1.0},
    )
    world.reset([0])
    said = np.frombuffer(numbered(172) + ECALL, np.uint8)
    world.step(np.broadcast_to(said, (1, 2, 8)).astype(np.int64))
    assert world.effects.calls.sum() == 2
    assert world.components["shaping"].min() > 0.5  # a call is written, and one is made
    told = world.account()[0]
    assert "ecall" in told.rows[0][2]
    world.close()
    with pytest.raises(UnknownNameError, match="riscv64"):
        Machine(instruction_set="riscv")


def test_instructions_are_shown_in_their_own_language() -> None:
    assert disassembly(ECALL, chosen=RISCV64) == "ecall"
