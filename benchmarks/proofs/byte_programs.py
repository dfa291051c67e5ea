"""Hostile and random programs: nothing crashes here, nothing hangs, everything repeats.

Every program runs twice, in two machines, in batches in another order, with the caches off. What is
counted: programs that ended their child (the machine says so and voids them), results that differ
between the two, and, where strace is installed, system calls of the child outside its allow-list
while it executed (a traced child runs without the allow-list, so that such a call is seen and not
stopped).

    python benchmarks/proofs/byte_programs.py [--programs 2000000] [--instruction-set riscv64]
        [--smoke] [--json FILE]
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import _root  # noqa: F401
import numpy as np

from benchmarks.shared.runner import ROOT, Script, machine
from mirrorenv.bytes.machine.confine import ALLOWED
from mirrorenv.bytes.machine.execution import Limits
from mirrorenv.bytes.machine.kernel import fresh_state
from mirrorenv.bytes.machine.supervisor import Machine
from tests.bytes.programs import HOSTILE

_BATCH = 2048


def batches(count: int, seed: int) -> Iterator[list[bytes]]:
    """Random programs of 16 to 256 bytes, every third one enriched with calls and hostile parts."""
    rng = np.random.default_rng(seed)
    parts = [*HOSTILE.values(), b"\x0f\x05", b"\x0f\x31", b"\xb0\x27\x0f\x05"]
    done = 0
    while done < count:
        programs = []
        for number in range(min(_BATCH, count - done)):
            program = rng.bytes(int(rng.choice([16, 64, 256])))
            if number % 3 == 0:
                part = parts[int(rng.integers(len(parts)))]
                place = int(rng.integers(len(program)))
                program = (program[:place] + part + program[place:])[:256]
            programs.append(program)
        done += len(programs)
        yield programs


def traced(programs: list[bytes], instruction_set: str) -> list[str] | None:
    """Names of calls outside the allow-list that a child made while it executed; None without
    strace."""
    if shutil.which("strace") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "calls"
        code = "from mirrorenv.bytes.machine.worker import main; main()"
        limits = {"instructions": 1000, "program_bytes": 4096, "calls": 64}
        options = json.dumps(
            {
                "limits": limits,
                "memory": 4 << 30,
                "confine": False,
                "instruction_set": instruction_set,
            }
        )
        work = json.dumps([[one.hex(), fresh_state()] for one in programs]).encode()
        subprocess.run(
            ["strace", "-f", "-o", str(log), sys.executable, "-c", code, options],
            input=len(work).to_bytes(4, "little") + work,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            check=False,
        )
        lines = log.read_text(errors="replace").splitlines()
    # the child's first message says that it is ready; the last lines end the process
    ready = next(i for i, line in enumerate(lines) if "confined" in line)
    names = [line.split(maxsplit=1)[1].partition("(")[0] for line in lines[ready + 1 :]]
    reading = [i for i, name in enumerate(names) if name == "write"]
    until = reading[-1] if reading else len(names)
    return sorted({name for name in names[:until] if name.isidentifier()} - set(ALLOWED))


def main() -> None:
    """Run everything, count what went wrong."""
    script = Script(__doc__, json=True, seed=0, smoke={"programs": 1024})
    script.add_argument("--programs", type=int, default=2_000_000)
    script.add_argument("--instruction-set", default="x86-64")
    options = script.parse()
    limits = Limits(instructions=1000)
    different = 0
    lost = 0
    endings: dict[str, int] = {}
    rng = np.random.default_rng(options.seed + 1)
    made = partial(Machine, limits, cache=0, instruction_set=options.instruction_set)
    with made() as one, made() as other:
        hostile = [list(HOSTILE.values())]
        for programs in itertools.chain(hostile, batches(options.programs, options.seed)):
            first = one.run(programs)
            order = rng.permutation(len(programs))
            second = other.run([programs[place] for place in order])
            for place, again in zip(order, second, strict=True):
                different += again != first[int(place)]
            for execution, _ in first:
                endings[execution.ending] = endings.get(execution.ending, 0) + 1
        lost = one.lost + other.lost
        children = one.started + other.started
    outside = traced(
        [*HOSTILE.values(), *next(batches(512, options.seed))], options.instruction_set
    )
    print(f"{sum(endings.values())} programs, each twice; the host is still here")
    print(f"ended their child {lost}; children started {children}")
    print(f"differ between two machines {different}")
    print(f"calls outside the allow-list: {'strace is missing' if outside is None else outside}")
    print(", ".join(f"{name} {count}" for name, count in sorted(endings.items())))
    script.save(
        {
            "benchmark": "byte_machine_proof",
            **machine(),
            "instruction_set": options.instruction_set,
            "programs": sum(endings.values()),
            "hostile": len(HOSTILE),
            "lost": lost,
            "children": children,
            "different": different,
            "outside_allow_list": outside,
            "endings": endings,
        }
    )


if __name__ == "__main__":
    main()
