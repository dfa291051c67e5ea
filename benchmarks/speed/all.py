"""The table of speed: every aim with what is measured here, and whether it is reached.

    python benchmarks/speed/all.py --against PATH [--rounds 3] [--only job] [--quick] [--tests]
    [--json FILE] [--smoke]

PATH is the tree before these aims were set (commit cf89143). Without it, rows that compare with it
are printed as not measured. Jobs run in fresh processes of both trees, which take turns; what is
compared is CPU time (user and system, of the process and of those it waited for), the middle of the
rounds. Other rows are read from the benchmarks beside this one, each started as a command.
`--quick` takes one round of each and leaves out what takes minutes; `--tests` also times
`make test`. A busy machine moves every figure: the load is printed first.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import _root  # noqa: F401

from benchmarks.shared.runner import ROOT, Script, machine

HERE = Path(__file__).parent
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
_AS_BEFORE = ("evaluation.episodes_before_last=0",)
# a processor without bfloat16 units, such as the one of the aims' table
_AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}


class NotMeasured(Exception):
    """Why a row has no figure here."""


class Row(NamedTuple):
    """One line of the table."""

    name: str
    target: str
    measure: Callable[[], tuple[float, str]]
    """The figure, and how it is printed."""
    reached: Callable[[float], bool]
    minutes: bool = False
    """Whether it takes minutes, and `--quick` leaves it out."""


def child(tree: Path, *words: str, **variables: str) -> tuple[float, str]:
    """CPU seconds of a Python process with this tree on its path, and what it printed.

    Raises:
        NotMeasured: if it fails.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        **variables,
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *words],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise NotMeasured(last[:100])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, done.stdout


class Table:
    """All rows, and what they are measured from, each source once.

    Args:
        options: of the command line.
    """

    def __init__(self, options: Any) -> None:
        self.options = options
        self._known: dict[Any, Any] = {}

    def rows(self) -> list[Row]:
        """In the order of the aims' table."""
        return [
            Row("default job, evaluated as before", "<= 0.6 x", self._job(_AS_BEFORE), below(0.6)),
            Row("default job, with the schedule", "<= 0.5 x", self._job(()), below(0.5)),
            Row("evaluation and start, share of it", "<= 30 %", self._share, below(0.3)),
            Row("time to the first training step", "<= 6 CPU s", self._start, below(6.0)),
            Row("`make demo`, installed", "<= 45 CPU s", self._demo, below(45.0)),
            Row("MirrorPPO, whole iteration", ">= 2 x", self._loop("iteration"), above(2.0)),
            Row("beside a jitted JAX loop", ">= 0.8 x", self._rival("jax"), above(0.8), True),
            Row("rollouts", ">= 3 x", self._loop("rollout mirrorenv/ants-v0"), above(3.0)),
            Row("pay, time at N = 64 over N = 32", "<= 4 x", self._pay, below(4.0), True),
            Row("agent-steps/s, N = 64, k = 3", ">= 25,000", self._whole, above(25_000), True),
            Row("evidence in evaluation, N = 16", ">= 15 x", self._evidence, above(15.0)),
            Row("beside stock RLlib", ">= 35 x", self._stock, above(35.0), True),
            Row("local reading, without bf16 units", ">= 3 x", self._reading, above(3.0)),
            Row("`make test`", "<= 360 s", self._tests, below(360.0)),
            Row("TorchRL's IPPO", "> 1 x", self._rival("torchrl"), above(1.0), True),
            Row("PufferLib", "> 1 x", self._never("not built here"), above(1.0)),
            Row("host waits in an iteration on a device", "0", self._device("waits"), below(0)),
            Row("kernels of a minibatch, no graph", "<= 60", self._device("kernels"), below(60)),
            Row("agent-steps/s on a GPU", ">= 5,000,000", self._never("no GPU here"), above(5e6)),
        ]

    # -- jobs ------------------------------------------------------------------------------------

    def _job(self, changes: tuple[str, ...]) -> Callable[[], tuple[float, str]]:
        def measure() -> tuple[float, str]:
            against = self._against()
            small = _SMALL if self.options.small else ()
            pairs = []
            for number in range(self.options.rounds):
                before = self._ran(against, small, number)["all"]
                pairs.append((before, self._ran(ROOT, (*small, *changes), number)["all"]))
            ratio = statistics.median(now / before for before, now in pairs)
            before, now = (statistics.median(side) for side in zip(*pairs, strict=True))
            return ratio, f"{ratio:.2f} x ({before:.1f} -> {now:.1f} CPU s)"

        return measure

    def _default(self) -> list[dict[str, float]]:
        small = _SMALL if self.options.small else ()
        return [self._ran(ROOT, small, number) for number in range(self.options.rounds)]

    def _share(self) -> tuple[float, str]:
        shares = [(one["start"] + one["evaluate"]) / one["all"] for one in self._default()]
        share = statistics.median(shares)
        return share, f"{share:.0%}"

    def _start(self) -> tuple[float, str]:
        seconds = statistics.median(one["start"] for one in self._default())
        return seconds, f"{seconds:.1f} CPU s"

    def _ran(self, tree: Path, changes: tuple[str, ...], number: int) -> dict[str, float]:
        """CPU seconds of the parts of one job."""

        def job() -> dict[str, float]:
            with tempfile.TemporaryDirectory() as place:
                _, said = child(tree, "-c", _JOB, str(Path(place) / "run"), *changes)
            found: dict[str, float] = json.loads(said.splitlines()[-1])
            return found

        found: dict[str, float] = self._once(("job", tree, changes, number), job)
        return found

    def _demo(self) -> tuple[float, str]:
        small = [word for change in _SMALL for word in ("--set", change)]
        changes = small if self.options.small else []
        with tempfile.TemporaryDirectory() as place:
            run = str(Path(place) / "run")
            words = ("-m", "mirrorenv", "train", "mirrorenv/ants-v0", "--run", run, *changes)
            seconds, _ = child(ROOT, *words)
        return seconds, f"{seconds:.1f} CPU s"

    # -- benchmarks beside this one --------------------------------------------------------------

    def _said(self, script: str, *words: str, **variables: str) -> dict[str, Any]:
        """What a script writes with `--json`, run once."""

        def run() -> dict[str, Any]:
            with tempfile.TemporaryDirectory() as place:
                file = Path(place) / "found.json"
                smoke = ("--smoke",) if self.options.small else ()
                child(ROOT, str(HERE / script), *words, *smoke, "--json", str(file), **variables)
                found: dict[str, Any] = json.loads(file.read_text())
                return found

        found: dict[str, Any] = self._once((script, words), run)
        return found

    def _loop_rates(self, name: str) -> dict[str, list[float]]:
        rounds = ("--rounds", str(self.options.rounds), "--only", name)
        found = self._said("loop.py", "--against", str(self._against()), *rounds)["rows"]
        if name not in found:
            raise NotMeasured("left out of a smoke run")
        rates: dict[str, list[float]] = found[name]
        return rates

    def _loop(self, name: str) -> Callable[[], tuple[float, str]]:
        def measure() -> tuple[float, str]:
            rates = self._loop_rates(name)
            pairs = zip(rates["before"], rates["now"], strict=True)
            ratio = statistics.median(now / before for before, now in pairs)
            return ratio, f"{ratio:.2f} x ({statistics.median(rates['now']):,.0f}/CPU s)"

        return measure

    def _pay(self) -> tuple[float, str]:
        many, few = (
            statistics.median(self._loop_rates(f"pay {agents} 0 0")["now"]) for agents in (64, 32)
        )
        growth = 2 * few / many  # rates are agent-steps: twice the agents are twice the units
        return growth, f"{growth:.1f} x"

    def _whole(self) -> tuple[float, str]:
        rate = statistics.median(self._loop_rates("whole 64 3")["now"])
        return rate, f"{rate:,.0f}"

    def _rival(self, name: str) -> Callable[[], tuple[float, str]]:
        def measure() -> tuple[float, str]:
            rates = self._said(f"{name}_ants.py", "--rounds", str(self.options.rounds))["rates"]
            pairs = zip(rates["ours"], rates[name], strict=True)
            ratio = statistics.median(ours / theirs for ours, theirs in pairs)
            return ratio, f"{ratio:.2f} x ({statistics.median(rates[name]):,.0f} theirs)"

        return measure

    def _evidence(self) -> tuple[float, str]:
        words = ("--agents", "16", "--heads", "additive", "--repeats", str(self.options.rounds))
        found = self._said("evidence.py", *words)["rows"]
        ratio = float(next(row["ratio"] for row in found if row["what"] == "evidence"))
        return ratio, f"{ratio:.1f} x"

    def _stock(self) -> tuple[float, str]:
        found = self._said("trainer_speed.py", "--rounds", str(self.options.rounds))
        ratio = statistics.median(found["mirror_ppo_over_stock_ppo"])
        return ratio, f"{ratio:.1f} x"

    def _reading(self) -> tuple[float, str]:
        words = ("--rounds", str(self.options.rounds))
        ratio = float(self._said("local_reading.py", *words, **_AVX2)["ratio"])
        return ratio, f"{ratio:.1f} x"

    def _device(self, what: str) -> Callable[[], tuple[float, str]]:
        def measure() -> tuple[float, str]:
            words = ("--device", "cpu", "--worlds", "ants", "--episodes", "8", "--iterations", "1")
            (row,) = self._said("device.py", *words)["rows"]
            return float(row[what]), f"{row[what]}"

        return measure

    def _tests(self) -> tuple[float, str]:
        if not self.options.tests:
            raise NotMeasured("--tests times it")
        begun = time.perf_counter()
        done = subprocess.run(["make", "test"], cwd=ROOT, capture_output=True, check=False)
        took = time.perf_counter() - begun
        return took, f"{took:.0f} s{'' if done.returncode == 0 else ', and it failed'}"

    # -- what all need ---------------------------------------------------------------------------

    def _against(self) -> Path:
        if self.options.against is None:
            raise NotMeasured("--against is not given")
        against: Path = self.options.against.resolve()
        return against

    def _never(self, why: str) -> Callable[[], tuple[float, str]]:
        def measure() -> tuple[float, str]:
            raise NotMeasured(why)

        return measure

    def _once(self, key: Any, work: Callable[[], Any]) -> Any:
        if key not in self._known:
            self._known[key] = work()
        return self._known[key]


def below(most: float) -> Callable[[float], bool]:
    """Reached by at most this."""
    return lambda found: found <= most


def above(least: float) -> Callable[[float], bool]:
    """Reached by at least this."""
    return lambda found: found >= least


def main() -> None:
    """Measure and print."""
    script = Script(__doc__, json=True, smoke={"rounds": 1, "small": True, "quick": True})
    script.add_argument("--against", type=Path, help="root of the tree before")
    script.add_argument("--rounds", type=int, default=3, help="turns of each (default 3)")
    script.add_argument("--only", default="", help="rows whose name contains this")
    script.add_argument(
        "--quick", action="store_true", help="one round, nothing that takes minutes"
    )
    script.add_argument("--tests", action="store_true", help="time `make test`, too")
    script.add_argument("--small", action="store_true", help="everything as small as can be")
    options = script.parse()
    if options.quick:
        options.rounds = 1
    print(f"load {os.getloadavg()[0]:.1f}")
    print(f"{'what':40} {'target':13} {'measured':34} reached")
    found: dict[str, Any] = {}
    for row in Table(options).rows():
        if options.only not in row.name:
            continue
        value = None
        try:
            if row.minutes and options.quick:
                raise NotMeasured("--quick leaves it out")
            value, measured = row.measure()
            reached = "yes" if row.reached(value) else "no"
        except NotMeasured as error:
            measured = f"not measured: {error}"
            reached = "-"
        print(f"{row.name:40} {row.target:13} {measured:34} {reached}", flush=True)
        found[row.name] = {"target": row.target, "value": value, "reached": reached}
        script.save({"benchmark": "all", **machine(), "rows": found}, so_far=True)
    script.save({"benchmark": "all", **machine(), "rows": found})


if __name__ == "__main__":
    main()
