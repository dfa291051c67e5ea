"""Programs executed in a second: the supervised machine, a fresh emulator for each, strace with
bash.

The machine runs distinct programs of uniform bytes with its cache off. The fresh emulator is what
is right by construction, in this process. strace with bash is what the origin did, with the bytes
as a script; here the script is empty, so that nothing generated is handed to a shell, and what is
measured is the floor of that way. It is left out where strace is not installed.

    python benchmarks/speed/byte_machine.py [--programs 20000] [--smoke] [--json FILE]
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import _root  # noqa: F401
import numpy as np

from benchmarks.shared.runner import Script, machine
from mirrorenv.bytes.machine.emulator import Emulator
from mirrorenv.bytes.machine.execution import Limits
from mirrorenv.bytes.machine.kernel import fresh_state
from mirrorenv.bytes.machine.supervisor import Machine


def rate(count: int, work: Callable[[], object]) -> float:
    """Things done in a second of wall clock."""
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)


def in_fresh_emulators(programs: list[bytes], limits: Limits) -> list[str]:
    """Each result, of an emulator made for it."""
    return [str(Emulator(limits).run(program, fresh_state())) for program in programs]


def traced_shells(count: int) -> None:
    """Start bash under strace on an empty script, as often as asked for."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "empty.sh"
        script.write_text("#!/bin/bash\n")
        for _ in range(count):
            command = ["strace", "-f", "-c", "-o", f"{folder}/calls", "bash", str(script)]
            subprocess.run(command, check=False, capture_output=True)


def main() -> None:
    """Measure, compare, print."""
    script = Script(__doc__, json=True, seed=0, smoke={"programs": 300, "fresh": 60, "shells": 2})
    script.add_argument("--programs", type=int, default=20_000, help="for the machine")
    script.add_argument("--fresh", type=int, default=20_000, help="of these in fresh emulators")
    script.add_argument("--shells", type=int, default=50, help="shells under strace")
    options = script.parse()
    rng = np.random.default_rng(options.seed)
    programs = [rng.bytes(64) for _ in range(options.programs)]
    limits = Limits(instructions=1000)
    results: list[str] = []
    with Machine(limits, cache=0) as box:
        box.run(programs[:32])  # everything is loaded
        supervised = rate(
            len(programs), lambda: results.extend(str(one) for one, _ in box.run(programs))
        )
        confined = box.confined
    expected: list[str] = []
    few = programs[: options.fresh]
    fresh = rate(len(few), lambda: expected.extend(in_fresh_emulators(few, limits)))
    different = sum(a != b for a, b in zip(results, expected, strict=False))
    shells = None
    if shutil.which("strace") and shutil.which("bash"):
        shells = rate(options.shells, lambda: traced_shells(options.shells))
    print(f"supervised machine      {supervised:8.0f} programs/s (allow-list in force: {confined})")
    print(f"fresh emulator for each {fresh:8.0f} programs/s")
    print(f"strace with bash        {'not installed' if shells is None else f'{shells:8.0f}/s'}")
    print(f"results that differ     {different:8d} of {len(expected)}")
    script.save(
        {
            "benchmark": "byte_machine",
            **machine(),
            "programs": len(programs),
            "supervised_per_s": supervised,
            "fresh_per_s": fresh,
            "strace_bash_per_s": shells,
            "compared": len(expected),
            "different": different,
            "confined": confined,
        }
    )


if __name__ == "__main__":
    main()
