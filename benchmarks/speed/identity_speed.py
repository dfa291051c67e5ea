"""How long `mirrorenv identity` takes, and how much memory: a spreadsheet of a million steps of
eight agents with ten numbers each, written, and read in a process of its own.

CPU seconds of that process: what else the machine does is left out. The targets are 2 minutes of
one core and 2 GiB.

    python benchmarks/speed/identity_speed.py
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import _root
import numpy as np

from benchmarks.shared.runner import Script, machine

AGENTS = 8
STEPS = 100
SEEN = 10


def write_log(path: Path, episodes: int, seed: int) -> int:
    """A log of agents with habits of their own; gives its rows."""
    rng = np.random.default_rng(seed)
    habits = rng.dirichlet(np.full(5, 50.0), AGENTS)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["agent", "episode", "step", "action", *(f"o{i}" for i in range(SEEN))])
        for episode in range(episodes):
            for agent in range(AGENTS):
                actions = rng.choice(5, size=STEPS, p=habits[agent])
                seen = rng.normal(size=(STEPS, SEEN)).cumsum(axis=0).round(4)
                for step in range(STEPS):
                    rows.writerow([agent, episode, step, actions[step], *seen[step]])
    return episodes * AGENTS * STEPS


def main() -> None:
    """Write the log, read it, and say what it took."""
    script = Script(__doc__, json=True, seed=0, smoke={"episodes": 10})
    script.add_argument("--episodes", type=int, default=1250, help="800 steps each")
    options = script.parse()
    with tempfile.TemporaryDirectory() as place:
        log = Path(place) / "log.csv"
        steps = write_log(log, options.episodes, options.seed)
        command = ["-m", "mirrorenv", "identity", str(log), "--out", f"{place}/page.html", "-q"]
        environment = {**os.environ, "PYTHONPATH": _root.ROOT, "OMP_NUM_THREADS": "1"}
        child = subprocess.Popen(
            [sys.executable, *command], env=environment, stdout=subprocess.DEVNULL
        )
        _, status, used = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"mirrorenv identity ended with {os.waitstatus_to_exitcode(status)}")
    seconds = used.ru_utime + used.ru_stime
    gigabytes = used.ru_maxrss / 1e6
    print(f"{steps:,} steps of {AGENTS} agents: {seconds:.1f} s of one core, {gigabytes:.2f} GB")
    row = {"steps": steps, "seconds": seconds, "gigabytes": gigabytes}
    script.save({"benchmark": "identity_speed", **machine(), "row": row})


if __name__ == "__main__":
    main()
