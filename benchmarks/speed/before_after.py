"""Is this tree as fast as another one? Worlds and trainer of both, side by side in one run.

    python benchmarks/speed/before_after.py --against PATH [--rounds 8] [--seconds 2] [--only ants]

Each tree has a process of its own, which loads everything once. The two take turns, in changing
order (A B, B A, ...), so that what slows the machine down slows both. A rate is units of work (an
agent's step, an environment's step) for each second of processor time. Each round gives one ratio,
this tree over the other; printed are the geometric mean and its t interval over rounds. The target
of issue 14 is 0.98: "yes" if the whole interval lies at or above it, "no" if all of it lies below,
else "open", which more rounds decide.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np

import mirrorenv
from benchmarks.shared.runner import ROOT, Progress, Script, machine
from mirrorenv.mirror import t_interval
from mirrorenv.mirror.intervals import Estimate

TARGET = 0.98
WORKER = "import before_after_worker as worker; worker.main()"


class Tree:
    """A process that measures one tree.

    Args:
        root: of the tree.
        seconds: processor time of one measurement, at least.
    """

    def __init__(self, root: Path, seconds: float) -> None:
        if not (root / "mirrorenv" / "__init__.py").is_file():
            raise SystemExit(f"{root} holds no package mirrorenv")
        environment = {
            **os.environ,
            # the tree first: the worker is this tree's, everything else is its own
            "PYTHONPATH": os.pathsep.join([str(root.resolve()), str(Path(__file__).parent)]),
            "OMP_NUM_THREADS": "1",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(root.resolve()), str(seconds)],
            cwd=root,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def rate(self, work: str) -> float | None:
        """Units of work for each second of processor time; None where the tree lacks the world."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(work + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"the process that measures '{work}' ended; see above")
        rate: float | None = json.loads(answer)
        return rate

    def close(self) -> None:
        """Let the process end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def workloads(only: str) -> list[str]:
    """Names of what is measured: the trainer, the bare loop and both faces of every world."""
    ids = [id for id, spec in mirrorenv.registry().items() if spec.kind == "array"]
    names = ["trainer ants", "bare ants"]
    names += [f"{face} {id}" for id in ids for face in ("array", "pettingzoo")]
    return [name for name in names if only in name]


def compare(rates: Mapping[str, list[float]]) -> dict[str, Any]:
    """Ratio of this tree over the other, with its interval.

    Args:
        rates: by tree, "before" and "now", one for each round.
    """
    logs = np.log(rates["now"]) - np.log(rates["before"])
    mean = float(np.exp(logs.mean()))
    low = 0.0
    high = math.inf
    if len(logs) > 1:
        over_rounds = t_interval(logs)
        low = float(np.exp(over_rounds.low))
        high = float(np.exp(over_rounds.high))
    held = "yes" if low >= TARGET else "no" if high < TARGET else "open"
    return {"ratio": mean, "low": low, "high": high, "held": held, **rates}


def main() -> None:
    """Measure and print."""
    script = Script(__doc__, json=True, smoke={"rounds": 1, "seconds": 0.1})
    script.add_argument("--against", type=Path, required=True, help="root of the other tree")
    script.add_argument("--rounds", type=int, default=8, help="turns of each (default 8)")
    script.add_argument(
        "--seconds", type=float, default=2.0, help="processor time of one turn (default 2)"
    )
    script.add_argument("--only", default="", help="workloads whose name contains this")
    options = script.parse()
    trees = {
        "before": Tree(options.against, options.seconds),
        "now": Tree(ROOT, options.seconds),
    }
    names = workloads(options.only)
    progress = Progress(len(names))
    found = {}
    print(f"{'work':34} {'before':>12} {'now':>12}  {'now / before':24} at least {TARGET}")
    for name in names:
        if trees["before"].rate(name) is None:
            print(f"{name:34} only in this tree", flush=True)
            progress.done(name)
            continue
        rates: dict[str, list[float]] = {"before": [], "now": []}
        for turn in range(options.rounds):
            order = ("before", "now") if turn % 2 == 0 else ("now", "before")
            for side in order:
                rate = trees[side].rate(name)
                assert rate is not None
                rates[side].append(rate)
        row = compare(rates)
        found[name] = row
        middle = {tree: statistics.median(values) for tree, values in rates.items()}
        ratio = Estimate(row["ratio"], row["low"], row["high"]).text()
        print(
            f"{name:34} {middle['before']:12,.0f} {middle['now']:12,.0f}  {ratio:24} {row['held']}",
            flush=True,
        )
        progress.done(name)
    for tree in trees.values():
        tree.close()
    script.save({"benchmark": "before_after", **machine(), "target": TARGET, "rows": found})


if __name__ == "__main__":
    main()
