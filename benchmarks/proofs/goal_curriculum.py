"""Interruptible training of goal agents, proved: killed with SIGKILL at random moments, started
again with the same command, and compared byte for byte with a run that nobody killed.

    python benchmarks/proofs/goal_curriculum.py [--kills 20] [--seed 0] [--json FILE]

Every moment of the run's wall-clock time is as likely, start-up included. Exit code 1 if the
states differ.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _root  # noqa: F401
import numpy as np

from benchmarks.shared.runner import Script, machine

SETTINGS = ["--steps", "20000", "--course-steps", "500", "--share", "0.5", "--episodes", "2"]


def main() -> int:
    """Run the proof and print it."""
    script = Script(__doc__, json=True, seed=0, smoke={"kills": 2})
    script.add_argument("--kills", type=int, default=20)
    options = script.parse()
    rng = np.random.default_rng(options.seed)
    kills = 0
    runs = 0
    differing = 0
    with tempfile.TemporaryDirectory() as place:
        began = time.monotonic()
        subprocess.run(command(Path(place, "whole")), capture_output=True, check=True)
        whole = time.monotonic() - began
        expected = Path(place, "whole/curriculum.npz").read_bytes()
        while kills < options.kills:
            folder = Path(place, f"killed{runs}")
            for _ in range(5):  # at most so many kills in one run
                child = subprocess.Popen(
                    command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
                try:
                    child.wait(rng.uniform(0, whole))
                    break
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
                    kills += 1
            subprocess.run(command(folder), capture_output=True, check=True)
            differing += (folder / "curriculum.npz").read_bytes() != expected
            runs += 1
    print(f"{kills} kills in {runs} runs of {whole:.1f} s; runs that differ: {differing}")
    script.save(
        {
            "benchmark": "goal_curriculum",
            **machine(),
            "kills": kills,
            "runs": runs,
            "differing": differing,
        }
    )
    return int(differing > 0)


def command(folder: Path) -> list[str]:
    """As it would be typed."""
    return [sys.executable, "-m", "mirrorenv.goals", "poles", str(folder), *SETTINGS, "--json"]


if __name__ == "__main__":
    sys.exit(main())
