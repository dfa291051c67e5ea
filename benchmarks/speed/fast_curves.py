"""Do fast updates learn what plain ones learn? Learning curves of both, over seeds.

    python benchmarks/speed/fast_curves.py [--seeds 10] [--worlds ants conformity chain]
        [--iterations 20] [--join FILE ...] [--json FILE] [--smoke]

Each seed is trained twice by `training/bare_loop.py` with default settings, once with
`learning.update = "plain"` and once with `"fast"`. Both play other episodes, since fast
rollouts draw from another stream, so they can agree in distribution only. Compared are means over
seeds of two figures, each over the whole curve and over its last quarter: the environment's return,
and what the mirror paid.

Declared before any run: the margin is a tenth of the largest mirror return, log N, and a tenth of
the range that the plain path's mean return goes through. "equal" if the 95 % interval of the
difference (Welch's t, over seeds) lies within the margin, "different" if it lies outside of it,
else "open". `--join` adds the seeds of earlier results to these (`--seeds 0`: only those).
"""

from __future__ import annotations

import json
import math
from itertools import islice
from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import ttest_ind

from benchmarks.shared.runner import Progress, Script, load_recipe, machine
from mirrorenv.envs import make_batch
from mirrorenv.population.allocator import keep_memory
from mirrorenv.population.settings import LearningSettings

MARGIN = 0.1
WAYS = ("plain", "fast")
FIGURES = ("return", "mirror_return")
Curves = NDArray[np.float64]


def curve(world: str, seed: int, update: str, iterations: int, episodes: int) -> Curves:
    """Both figures after every iteration, (2, iterations)."""
    learning = LearningSettings(
        episodes_per_iteration=episodes, minibatch_episodes=episodes // 4, update=update
    )
    rows = load_recipe("bare_loop").train(f"mirrorenv/{world}-v0", seed=seed, learning=learning)
    found = [[row[name] for name in FIGURES] for row in islice(rows, iterations)]
    return np.array(found).T


def compared(plain: Curves, fast: Curves, margin: float) -> dict[str, Any]:
    """Difference of means over seeds, fast minus plain.

    Args:
        plain: (seeds,) one number for each.
        fast: likewise.
        margin: within which they count as equal.
    """
    difference = float(fast.mean() - plain.mean())
    low = high = difference
    if len(plain) > 1 and (plain.std() or fast.std()):
        interval = ttest_ind(fast, plain, equal_var=False).confidence_interval(0.95)
        low = float(interval.low)
        high = float(interval.high)
    if max(abs(low), abs(high)) <= margin:
        verdict = "equal"
    elif low > margin or high < -margin:
        verdict = "different"
    else:
        verdict = "open"
    return {
        "plain": float(plain.mean()),
        "fast": float(fast.mean()),
        "difference": difference,
        "low": low,
        "high": high,
        "margin": margin,
        "verdict": verdict,
    }


def judged(world: str, curves: dict[str, Curves]) -> list[dict[str, Any]]:
    """The comparisons of one world.

    Args:
        world: its short name.
        curves: by way, (seeds, 2, iterations).
    """
    agents = make_batch(f"mirrorenv/{world}-v0", 1).num_agents
    rows = []
    for number, figure in enumerate(FIGURES):
        plain = curves["plain"][:, number]
        fast = curves["fast"][:, number]
        mean = plain.mean(0)
        largest = math.log(agents) if figure == "mirror_return" else float(np.ptp(mean))
        last = -max(1, mean.shape[0] // 4)
        for part, columns in (("whole curve", slice(None)), ("last quarter", slice(last, None))):
            row = compared(plain[:, columns].mean(1), fast[:, columns].mean(1), MARGIN * largest)
            rows.append({"world": world, "figure": figure, "part": part, **row})
    return rows


def main() -> None:
    """Train, compare, print."""
    small = {"seeds": 2, "iterations": 2, "episodes": 16, "worlds": ["ants"]}
    script = Script(__doc__, json=True, seeds=10, smoke=small)
    script.add_argument("--worlds", nargs="+", default=["ants", "conformity", "chain"])
    script.add_argument("--iterations", type=int, default=20)
    script.add_argument("--episodes", type=int, default=256)
    script.add_argument("--first-seed", type=int, default=0)
    script.add_argument("--join", type=Path, nargs="+", default=[], help="earlier results")
    options = script.parse()
    earlier = [json.loads(file.read_text())["curves"] for file in options.join]
    torch.set_num_threads(1)
    keep_memory()
    progress = Progress(len(options.worlds) * options.seeds)
    rows: list[dict[str, Any]] = []
    every: dict[str, Any] = {}
    for world in options.worlds:
        found: dict[str, list[Curves]] = {way: [] for way in WAYS}
        for curves_by_way in (one[world] for one in earlier if world in one):
            for way in WAYS:
                found[way] += [np.array(one) for one in curves_by_way[way]]
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            for way in WAYS:
                found[way].append(curve(world, seed, way, options.iterations, options.episodes))
            progress.done(f"{world}, seed {seed}")
        curves = {way: np.array(several) for way, several in found.items()}
        every[world] = {way: several.tolist() for way, several in curves.items()}
        rows += judged(world, curves)
        for row in rows[-4:]:
            print(
                f"{row['world']:10} {row['figure']:13} {row['part']:12} plain {row['plain']:8.3f} "
                f"fast {row['fast']:8.3f} difference {row['difference']:+.3f} "
                f"[{row['low']:+.3f}, {row['high']:+.3f}], margin {row['margin']:.3f}: "
                f"{row['verdict']}",
                flush=True,
            )
        script.save({"benchmark": "fast_curves", **machine(), "rows": rows, "curves": every})


if __name__ == "__main__":
    main()
