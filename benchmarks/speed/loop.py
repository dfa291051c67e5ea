"""The training loop of another tree and of this one, side by side: whole iterations, rollouts, pay.

    python benchmarks/speed/loop.py --against PATH [--rounds 5] [--seconds 2] [--only pay]
        [--json FILE] [--smoke]

Each tree has a process of its own; the two take turns, in changing order. A rate is units of work
for each second of processor time: environment steps (ants, four agents, default settings) of whole
iterations as `mirrorenv train` computes them, and of rollouts alone; agent-steps of pay ("pay N k
m": N agents, k neighbours, 0 for everybody, m observers for each author, 0 for all) and of whole
iterations ("whole N k") of 64 episodes with one minibatch and four passes. The other tree does it
as it is; this one with `learning.update = "fast"`.

Printed are medians, the median ratio with its smallest and largest, and what is aimed at. The load
of the machine at the start and at the end is printed with them.
"""

from __future__ import annotations

import os
import statistics
from pathlib import Path
from typing import Any, NamedTuple

import _root  # noqa: F401

from benchmarks.shared.runner import ROOT, Script, machine
from benchmarks.speed.before_after import Tree


class Row(NamedTuple):
    """A line of the table."""

    name: str
    target: str


ROWS = (
    Row("iteration", "2 x"),
    Row("rollout mirrorenv/ants-v0", "3 x"),
    Row("rollout mirrorenv/pacmen-v0", "-"),
    Row("pay 4 0 0", "-"),
    Row("pay 16 0 0", "-"),
    Row("pay 32 0 0", "-"),
    Row("pay 64 0 0", "-"),
    Row("pay 16 0 4", "-"),
    Row("pay 64 0 4", "at most N squared"),
    Row("pay 16 3 0", "-"),
    Row("pay 64 3 0", "at most N squared"),
    Row("whole 16 0", "-"),
    Row("whole 16 3", "as fast as 16 0"),
    Row("whole 64 3", "25,000"),
)


def main() -> None:
    """Measure and print."""
    smoke = {"rounds": 1, "seconds": 0.1, "only": "rollout mirrorenv/ants"}
    script = Script(__doc__, json=True, smoke=smoke)
    script.add_argument("--against", type=Path, required=True, help="root of the other tree")
    script.add_argument("--rounds", type=int, default=5, help="turns of each (default 5)")
    script.add_argument("--seconds", type=float, default=2.0, help="of one turn (default 2)")
    script.add_argument("--only", default="", help="rows whose name contains this")
    options = script.parse()
    trees = {"before": Tree(options.against, options.seconds), "now": Tree(ROOT, options.seconds)}
    print(f"load {os.getloadavg()[0]:.1f}")
    print(f"{'units for each CPU second':28} {'before':>11} {'now':>11}  now / before")
    found: dict[str, Any] = {}
    for row in ROWS:
        if options.only not in row.name:
            continue
        rates: dict[str, list[float]] = {"before": [], "now": []}
        for turn in range(options.rounds):
            for tree in ("before", "now") if turn % 2 == 0 else ("now", "before"):
                rate = trees[tree].rate(row.name)
                assert rate is not None
                rates[tree].append(rate)
        pairs = zip(rates["before"], rates["now"], strict=True)
        ratios = [now / then for then, now in pairs]
        middle = {tree: statistics.median(several) for tree, several in rates.items()}
        ratio = f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"
        print(
            f"{row.name:28} {middle['before']:11,.0f} {middle['now']:11,.0f}  {ratio:22} "
            f"{row.target}",
            flush=True,
        )
        found[row.name] = {**rates, "target": row.target}
        script.save({"benchmark": "loop", **machine(), "rows": found}, so_far=True)
    print(f"load {os.getloadavg()[0]:.1f}")
    for process in trees.values():
        process.close()
    script.save({"benchmark": "loop", **machine(), "rows": found})


if __name__ == "__main__":
    main()
