"""Ants: environment steps until nine of ten trajectories are named right, by RLlib's stock PPO with
a mirror attached and by MirrorPPO.

Stock PPO as in training/rllib_attach.py, MirrorPPO with its defaults. Both are measured after every
iteration, slot by slot, on episodes that no observer has learned from: the attached heads on the
batch before they learn from it, MirrorPPO's on held-out episodes. Its iterations have 8,192 steps,
the other's 4,096, so that a lead of less than an iteration is no lead.
"""

from __future__ import annotations

import math

import _root  # noqa: F401
import numpy as np

from benchmarks.shared.runner import Script, load_recipe, machine, say
from mirrorenv.envs import make_batch
from mirrorenv.mirror import t_interval
from mirrorenv.population.held_out import measure
from mirrorenv.rllib import MirrorPPOConfig

GOAL = 0.9
WORLD = "mirrorenv/ants-v0"


def attached(seed: int, iterations: int) -> list[tuple[int, float]]:
    """Steps and share named right of stock PPO, by iteration until the goal."""
    recipe = load_recipe("rllib_attach")
    words = ["--seed", str(seed), "--iterations", str(iterations), "--until", str(GOAL)]
    rows: list[tuple[int, float]] = recipe.main(words)
    return rows


def mirror_ppo(seed: int, iterations: int) -> list[tuple[int, float]]:
    """The same of MirrorPPO."""
    world = make_batch(WORLD, 256)
    algorithm = MirrorPPOConfig().environment(WORLD).debugging(seed=seed).build_algo()
    rows: list[tuple[int, float]] = []
    try:
        while len(rows) < iterations and (not rows or rows[-1][1] <= GOAL):
            algorithm.train()
            found = measure(algorithm.population, world, slot_exchangeable=True, seed=seed)
            top1 = found.learned_score().top1
            assert top1 is not None  # every lineup was read
            rows.append((algorithm.steps_done, top1.value))
            say(f"{rows[-1][0]:>9,} steps  named right {rows[-1][1]:.2f}  MirrorPPO")
    finally:
        algorithm.stop()
    return rows


def first_above(rows: list[tuple[int, float]]) -> float:
    """Steps of the first row above the goal; infinite if there is none."""
    return float(min((steps for steps, top1 in rows if top1 > GOAL), default=math.inf))


def main() -> None:
    """Run both for every seed and print steps and their ratio."""
    script = Script(__doc__, json=True, seeds=10, smoke={"iterations": 1, "seeds": 1})
    script.add_argument("--iterations", type=int, default=36, help="of 4,096 steps at most")
    options = script.parse()
    stock: list[float] = []
    ours: list[float] = []
    for seed in range(options.seeds):
        stock.append(first_above(attached(seed, options.iterations)))
        ours.append(first_above(mirror_ppo(seed, max(1, options.iterations // 2))))
        say(f"seed {seed}: stock PPO {stock[-1]:,.0f} steps, MirrorPPO {ours[-1]:,.0f}")
    reached = {"attached": np.isfinite(stock).sum(), "mirror_ppo": np.isfinite(ours).sum()}
    for name, steps in (("stock PPO with the mirror", stock), ("MirrorPPO", ours)):
        print(f"{name:26} {np.isfinite(steps).sum()} of {len(steps)}  mean {np.mean(steps):,.0f}")
    ratio = None
    if all(count == options.seeds > 1 for count in reached.values()):
        found = t_interval(np.array(stock) / np.array(ours))
        ratio = {"value": found.value, "low": found.low, "high": found.high}
        print(f"ratio, seed by seed: {found}")
    counts = {name: int(count) for name, count in reached.items()}
    script.save(
        {
            "benchmark": "attach_ants",
            **machine(),
            "attached": stock,
            "mirror_ppo": ours,
            "reached": counts,
            "ratio": ratio,
        }
    )


if __name__ == "__main__":
    main()
