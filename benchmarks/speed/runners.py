"""Several runners: MirrorPPO on RLlib with 0, 1 and 2 of them, in turns.

    python benchmarks/speed/runners.py [--rounds 5] [--runners 0 1 2] [--json FILE] [--smoke]

Whole iterations of ants-v0 with default settings and `learning.update = "fast"`, the learner in
the driver's process. Runners play and pay in processes of their own, so the clock on the wall
decides: environment steps a second, medians with smallest and largest. On two cores, two runners
and a learner share them. Beside each: how much of an iteration is waiting for episodes, and how
many times as fast it would be if episodes took no time at all: all that more runners can gain.
"""

from __future__ import annotations

import logging
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import _root  # noqa: F401
import torch

from benchmarks.shared.runner import Script, machine

WORLD = "mirrorenv/ants-v0"


def algorithm(runners: int, episodes: int) -> Any:
    """MirrorPPO with so many env runners."""
    from mirrorenv.rllib import MirrorPPOConfig

    config = MirrorPPOConfig().environment(WORLD).env_runners(num_env_runners=runners)
    config.learning(
        update="fast", episodes_per_iteration=episodes, minibatch_episodes=episodes // 4
    )
    return config.build_algo()


class Timed:
    """Calls a function, and adds up the seconds that it takes."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.seconds = 0.0

    def __call__(self) -> Any:
        """What the function answers."""
        begun = time.perf_counter()
        try:
            return self.function()
        finally:
            self.seconds += time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    import ray

    from mirrorenv import make_batch

    smoke = {"rounds": 1, "runners": [0, 1], "episodes": 16}
    script = Script(__doc__, json=True, smoke=smoke)
    script.add_argument("--rounds", type=int, default=5)
    script.add_argument("--runners", type=int, nargs="+", default=[0, 1, 2])
    script.add_argument("--episodes", type=int, default=256)
    options = script.parse()
    torch.set_num_threads(1)
    logging.getLogger("ray").setLevel(logging.ERROR)
    ray.init(
        address="local",
        num_cpus=4,
        include_dashboard=False,
        logging_level="ERROR",
        log_to_driver=False,
    )
    steps = options.episodes * make_batch(WORLD, 1).horizon
    trainers = {number: algorithm(number, options.episodes) for number in options.runners}
    for trainer in trainers.values():
        trainer.train()
        trainer._sample = Timed(trainer._sample)
    spent = dict.fromkeys(trainers, 0.0)
    rates: dict[int, list[float]] = {number: [] for number in trainers}
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    for _ in range(options.rounds):
        for number, trainer in trainers.items():
            begun = time.perf_counter()
            trainer.train()
            seconds = time.perf_counter() - begun
            spent[number] += seconds
            rates[number].append(steps / seconds)
    for number, several in rates.items():
        waiting = trainers[number]._sample.seconds
        print(
            f"{number} runners: {statistics.median(several):,.0f} environment steps a second "
            f"[{min(several):,.0f}, {max(several):,.0f}], {waiting / spent[number]:.0%} of it "
            f"waiting for episodes: at most {spent[number] / (spent[number] - waiting):.2f} times"
        )
    ray.shutdown()
    script.save({"benchmark": "runners", **machine(), "rates": rates})


if __name__ == "__main__":
    main()
