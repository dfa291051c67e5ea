"""What it costs that every training run looks at everything its worlds answer.

    python benchmarks/speed/validation_overhead.py [--iterations 9] [--worlds ants-v0 ...] [--json]
    [--smoke]

Two runs of MirrorPPO with default settings, `validate_world` off and on, take turns in one process,
iteration by iteration: episodes are sampled, observers read them, everybody learns. Time is the
main thread's CPU time; medians are printed with quartiles.

"on / off - 1" compares the two, turn by turn: noisy where the cost is small. "of the iteration" and
"of sampling" are the time spent looking, measured inside the run with validation, over the rest of
its iteration, or of its sampling alone. The former is what validation adds to training, and the
column to compare with 5 %.

Somebody else's environment is looked at by its adapter in any case: in that row the adapter's looks
at numbers are cut out by force on one side, its looks at dictionaries are part of both. Start it
with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import importlib.util
import logging
import statistics
import time
from typing import Any

import _root  # noqa: F401

import mirrorenv
from benchmarks.shared.runner import Script, machine
from mirrorenv.envs.adapters.third_party import ThirdPartyWorld
from mirrorenv.mirror.intervals import Estimate, TextStyle
from mirrorenv.rllib.on_ray import algorithm_config, start_ray
from mirrorenv.rllib.settings import RunSettings, load_settings

LIMIT = 0.05
SPREAD = "mpe2.simple_spread_v3:parallel_env"


class Stopwatch:
    """A function, and the CPU time spent in it."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.seconds = 0.0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function."""
        start = time.thread_time()
        result = self.function(*arguments, **named)
        self.seconds += time.thread_time() - start
        return result


def watch(place: Any, *names: str) -> list[Stopwatch]:
    """Put stopwatches in the place of methods."""
    watches = [Stopwatch(getattr(place, name)) for name in names]
    for name, one in zip(names, watches, strict=True):
        setattr(place, name, one)
    return watches


def settings_of(id: str, validate: bool, small: bool) -> RunSettings:
    """Default settings, but fewer episodes for an environment that is stepped in Python."""
    episodes = 4 if small else 16 if ":" in id else 256
    some = [
        f"validate_world={str(validate).lower()}",
        f"learning.episodes_per_iteration={episodes}",
    ]
    return load_settings(id, (), [*some, f"learning.minibatch_episodes={max(2, episodes // 4)}"])


def world_of(algorithm: Any) -> Any:
    """The world that the algorithm samples in, without the wrapper that watches the clock."""
    return algorithm.env_runner._world(
        algorithm.config.learning_settings.episodes_per_iteration
    ).world


def measure(id: str, iterations: int, small: bool) -> dict[str, Any]:
    """One row of the table; times in milliseconds for each iteration."""
    pair = [
        algorithm_config(settings_of(id, validate, small)).build_algo()
        for validate in (False, True)
    ]
    without, having = (world_of(algorithm) for algorithm in pair)
    if isinstance(without, ThirdPartyWorld):
        looks = watch(having, "_check_numbers", "_warn_outside")
        for name in ("_check_numbers", "_warn_outside"):
            setattr(without, name, lambda *_: None)
    else:
        looks = watch(having.guard, "reset", "step")
    [sampling] = watch(pair[1].env_runner, "sample")
    for algorithm in pair:  # the first iteration fills caches
        algorithm.train()
    rows = []
    for _ in range(iterations):
        looked = sum(one.seconds for one in looks)
        sampled = sampling.seconds
        times = []
        for algorithm in pair:
            start = time.thread_time()
            algorithm.train()
            times.append(time.thread_time() - start)
        looked = sum(one.seconds for one in looks) - looked
        sampled = sampling.seconds - sampled
        rows.append(
            (
                *times,
                times[1] / times[0] - 1,
                looked / (times[1] - looked),
                looked / (sampled - looked),
            )
        )
    for algorithm in pair:
        algorithm.stop()
    off, on, paired, of_iteration, of_sampling = (
        _spread(column) for column in zip(*rows, strict=True)
    )
    row = {
        "world": id,
        "episodes": world_of(pair[0]).num_envs,
        "off_ms": 1e3 * off["median"],
        "on_ms": 1e3 * on["median"],
    }
    return {**row, "paired": paired, "of_iteration": of_iteration, "of_sampling": of_sampling}


def _spread(values: tuple[float, ...]) -> dict[str, float]:
    low, median, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return {"median": median, "low": low, "high": high}


def _percent(spread: dict[str, float]) -> str:
    middle = Estimate(spread["median"], spread["low"], spread["high"])
    return middle.text(TextStyle("{:.2%}".format))


def main() -> None:
    """Print the table, or JSON; exit code 1 if a share is above the limit."""
    script = Script(__doc__, json=True, smoke={"iterations": 1})
    script.add_argument("--iterations", type=int, default=9, help="pairs of iterations")
    script.add_argument(
        "--worlds",
        nargs="*",
        help="these only (default: every array world, and mpe2's simple_spread)",
    )
    options = script.parse()
    ids = [id for id, spec in mirrorenv.registry().items() if spec.kind == "array"]
    ids += [SPREAD] if importlib.util.find_spec("mpe2") is not None else []
    if options.worlds:
        ids = [id if "/" in id or ":" in id else f"mirrorenv/{id}" for id in options.worlds]
    start_ray(settings_of(ids[0], True, True))
    logging.getLogger("ray.rllib").setLevel(logging.ERROR)
    rows = [measure(id, options.iterations, options.smoke) for id in ids]
    worst = max(rows, key=lambda row: float(row["of_iteration"]["median"]))
    largest = worst["of_iteration"]["median"]
    script.save({"benchmark": "validation_overhead", **machine(), "limit": LIMIT, "rows": rows})
    print("milliseconds of CPU time for each training iteration")
    print(f"{'world':36} {'episodes':>8} {'off':>7} {'on':>7} {'on / off - 1':>25}", end=" ")
    print(f"{'of the iteration':>22} {'of sampling':>22}")
    for row in rows:
        times = f"{row['off_ms']:7.0f} {row['on_ms']:7.0f} {_percent(row['paired']):>25}"
        shares = f"{_percent(row['of_iteration']):>22} {_percent(row['of_sampling']):>22}"
        print(f"{row['world']:36} {row['episodes']:8} {times} {shares}")
    print(f"at most {largest:.2%} of an iteration, in {worst['world']}; the limit is {LIMIT:.0%}")
    if largest > LIMIT and not options.smoke:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
