"""Can evenness of system calls be learned by the policy gradient, and what is owed to shaping?

    python benchmarks/studies/bytes_evenness.py [--seeds 3] [--only shaped] [--table] [--smoke]

Agents of `bytes-v0` utter 64 bytes and are paid for the evenness of their calls, H / log 16, from
a nearly uniform start, without a macro action and without the mirror. `shaped` is also paid for
the bytes of a call and for the first eight calls; `sparse` is not; `random search` draws as
many uniform programs as `shaped` was trained on, and keeps the best.

Printed: evenness of what the trained agents say, mean and best over programs, and how many reach a
call at all, with 95 % intervals over seeds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np

from benchmarks.shared.bare_grid import run_bare, trained
from benchmarks.shared.grid import GridScript
from benchmarks.shared.runner import machine
from mirrorenv.bytes.world import ByteMeditation
from mirrorenv.envs import make_batch
from mirrorenv.mirror.intervals import t_interval
from mirrorenv.population.reading import play_held_out

WORLD = "mirrorenv/bytes-v0"
COMMON = (
    f"world={WORLD}",
    "world_options.num_agents=2",
    "world_options.length=64",
    "world_options.horizon=1",
    "mirror.weight=0.0",
    "learning.entropy=0.001",
    "learning.learning_rate=0.003",
    "learning.episodes_per_iteration=1024",
    "learning.minibatch_episodes=256",
    "total_steps=400000",
)
SMOKE = ("total_steps=16", "learning.episodes_per_iteration=16", "learning.minibatch_episodes=16")
CONDITIONS = {
    "shaped": [*COMMON, "world_options.rewards={evenness: 1.0, shaping: 1.0}"],
    "sparse": [*COMMON, "world_options.rewards={evenness: 1.0}"],
}


def figures(world: ByteMeditation) -> dict[str, float]:
    """Of the step that a batch of worlds has just made."""
    even = world.components["evenness"]
    calls = world.effects.calls.sum(-1)
    return {
        "mean": float(even.mean()),
        "best": float(even.max()),
        "reach a call": float((calls > 0).mean()),
    }


def measured(folder: Path, episodes: int) -> dict[str, float]:
    """Evenness of a trained population."""
    population, settings = trained(folder)
    world = make_batch(settings.world, episodes, **settings.world_options)
    assert isinstance(world, ByteMeditation)
    play_held_out(population, world, seed=settings.seed)
    found = figures(world)
    world.close()
    return found


def random_search(programs: int, seed: int) -> dict[str, float]:
    """The best of uniform programs."""
    world = make_batch(WORLD, 512, num_agents=2, horizon=1, rewards={"evenness": 1.0})
    assert isinstance(world, ByteMeditation)
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(max(1, programs // 1024)):
        world.reset(range(512))
        world.step(rng.integers(0, 256, (512, 2, 64)))
        found.append(figures(world))
    world.close()
    return {
        "mean": float(np.mean([one["mean"] for one in found])),
        "best": max(one["best"] for one in found),
        "reach a call": float(np.mean([one["reach a call"] for one in found])),
    }


def main() -> None:
    """Train, measure, print."""
    script = GridScript(__doc__, seeds=3, out="bytes-evenness")
    options = script.parse()
    folders = run_bare(CONDITIONS, options, SMOKE)
    found = {
        name: [measured(path, 16 if options.smoke else 512) for path in paths]
        for name, paths in folders.items()
    }
    searched = 1024 if options.smoke else 800_000
    if options.only in "random search":
        found["random search"] = [random_search(searched, 0)]
    rows: dict[str, Any] = {}
    for name, each in found.items():
        if not each:
            continue
        rows[name] = {"seeds": len(each)}
        for figure in each[0]:
            values = np.array([one[figure] for one in each])
            shown = t_interval(values) if len(values) > 1 else float(values[0])
            rows[name][figure] = float(values.mean())
            print(f"{name:14s} {figure:14s} {shown}")
    script.save({"benchmark": "bytes_evenness", **machine(), "rows": rows})


if __name__ == "__main__":
    main()
