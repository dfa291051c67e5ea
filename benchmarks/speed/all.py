"""The table of speed: another tree, this one, and what is aimed at, measured side by side.

    python benchmarks/speed/all.py --against PATH [--rounds 3] [--only job] [--json FILE] [--smoke]

Each row is measured in fresh processes of both trees, which take turns; what is compared is CPU
time (user and system, of the process and of those it waited for), and the middle of the rounds is
printed with the smallest and largest ratio. The rates of `before_after.py` are rows here, too. Rows
of the aim that nothing here measures are printed as not measured.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import _root  # noqa: F401

from benchmarks.shared.runner import ROOT, Script, machine
from benchmarks.speed.before_after import Tree

# The first evaluation ends where training begins; says where a default job's time went.
_JOB = """
import json, sys, time
from pathlib import Path
from mirrorenv.rllib.run import Progress, train
from mirrorenv.rllib.settings import load_settings

marks = []
settings = load_settings("mirrorenv/ants-v0", (), sys.argv[2:])
seen = Progress(
    iteration=lambda row: marks.append(("train", time.process_time())),
    evaluation=lambda found: marks.append(("evaluate", time.process_time())),
)
train(settings, Path(sys.argv[1]), progress=seen)
spent = {"train": 0.0, "evaluate": 0.0}
before = marks[0][1]
for kind, now in marks[1:]:
    spent[kind] += now - before
    before = now
print(json.dumps({"start": marks[0][1], **spent, "all": time.process_time()}))
"""
_SMALL = ("total_steps=8192", "evaluation.episodes=8", "evaluation.checkpoints=1")


class Row(NamedTuple):
    """One line of the table; lower is better where `cost`, else higher."""

    name: str
    target: str
    cost: bool
    measure: Callable[[Path], float]


def child(tree: Path, *words: str) -> tuple[float, str]:
    """CPU seconds of a Python process with this tree on its path, and what it printed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *words],
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, done.stdout


class Jobs:
    """Default jobs, each of which answers several rows.

    Args:
        small: a run of two iterations in place of the default one.
    """

    def __init__(self, small: bool) -> None:
        self._changes = _SMALL if small else ()
        self._runs: dict[Path, list[dict[str, float]]] = {}
        self._asked: dict[tuple[Path, str], int] = {}

    def part(self, tree: Path, name: str) -> float:
        """CPU seconds of one part of the next job that this row has not seen."""
        number = self._asked.get((tree, name), 0)
        self._asked[tree, name] = number + 1
        runs = self._runs.setdefault(tree, [])
        while len(runs) <= number:
            with tempfile.TemporaryDirectory() as place:
                _, said = child(tree, "-c", _JOB, str(Path(place) / "run"), *self._changes)
            runs.append(json.loads(said.splitlines()[-1]))
        return runs[number][name]


def command(*words: str) -> Callable[[Path], float]:
    """CPU seconds of a command line."""
    return lambda tree: child(tree, "-m", "mirrorenv", *words)[0]


def rows_of(small: bool, seconds: float, trees: dict[Path, Tree]) -> list[Row]:
    """What is measured, in the order of the table."""
    jobs = Jobs(small)

    def rate(work: str) -> Callable[[Path], float]:
        def measure(tree: Path) -> float:
            if tree not in trees:
                trees[tree] = Tree(tree, seconds)
            return trees[tree].rate(work)

        return measure

    return [
        Row("help", "-", True, command("--help")),
        Row("mistyped world", "-", True, command("train", "mirrorenv/antz-v0")),
        Row("job: until training begins", "6 s", True, lambda tree: jobs.part(tree, "start")),
        Row("job: training", "0.5 x", True, lambda tree: jobs.part(tree, "train")),
        Row("job: evaluation", "-", True, lambda tree: jobs.part(tree, "evaluate")),
        Row("job: all of it", "0.6 x", True, lambda tree: jobs.part(tree, "all")),
        Row("rate: MirrorPPO on RLlib", "2 x", False, rate("trainer ants")),
        Row("rate: bare loop", "2 x", False, rate("bare ants")),
    ]


NOT_MEASURED = (
    "jitted JAX loop of the same work (at least 0.8 of it): benchmarks/speed/jax_ants.py",
    "fast iterations, rollouts, pay at N = 64, N = 64 with k = 3: benchmarks/speed/loop.py",
    "beside stock RLlib: benchmarks/speed/trainer_speed.py",
    "observer evidence at N = 16: benchmarks/speed/evidence.py",
    "local debate reading: benchmarks/speed/debate_throughput.py",
    "TorchRL: benchmarks/speed/torchrl_ants.py; BenchMARL and PufferLib: nowhere",
)


def main() -> None:
    """Measure and print."""
    script = Script(__doc__, json=True, smoke={"rounds": 1, "seconds": 0.1, "small": True})
    script.add_argument("--against", type=Path, required=True, help="root of the other tree")
    script.add_argument("--rounds", type=int, default=3, help="turns of each (default 3)")
    script.add_argument("--seconds", type=float, default=2.0, help="of a rate (default 2)")
    script.add_argument("--only", default="", help="rows whose name contains this")
    script.add_argument("--small", action="store_true", help="jobs of one iteration")
    options = script.parse()
    before = options.against.resolve()
    trees: dict[Path, Tree] = {}
    found: dict[str, Any] = {}
    print(f"{'what':28} {'before':>11} {'now':>11}  {'now / before':23} target")
    for row in rows_of(options.small, options.seconds, trees):
        if options.only not in row.name:
            continue
        values: dict[Path, list[float]] = {before: [], ROOT: []}
        for turn in range(options.rounds):
            for tree in (before, ROOT) if turn % 2 == 0 else (ROOT, before):
                values[tree].append(row.measure(tree))
        pairs = zip(values[before], values[ROOT], strict=True)
        ratios = [now / then for then, now in pairs]
        middle = {tree: statistics.median(several) for tree, several in values.items()}
        ratio = f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"
        digits = 2 if row.cost else 0
        print(
            f"{row.name:28} {middle[before]:11,.{digits}f} {middle[ROOT]:11,.{digits}f}  "
            f"{ratio:23} {row.target}",
            flush=True,
        )
        found[row.name] = {"before": values[before], "now": values[ROOT], "target": row.target}
    for line in NOT_MEASURED:
        print(f"not measured here: {line}")
    for tree in trees.values():
        tree.close()
    script.save({"benchmark": "all", **machine(), "rows": found})


if __name__ == "__main__":
    main()
