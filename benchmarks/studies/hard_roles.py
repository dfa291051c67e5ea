"""A world in which separate networks fall into one role, and divide the labour with the mirror:
chain-v0.

Six agents, six jobs; only gleaning is paid until all six are done. The divided fraction is (return
- crowd) / (divided - crowd): 0 is a crowd of gleaners, 1 one agent on each job, and uniform play is
below 0. Same budget for every condition, last population, no best-of. World and conditions were
chosen on seeds 100 to 103.

    python benchmarks/studies/hard_roles.py --seeds 10 [--json benchmarks/results/hard_roles.json]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np

from benchmarks.shared import grid
from benchmarks.shared.bare_grid import run_bare, trained
from mirrorenv.envs import make_batch
from mirrorenv.envs.worlds.chain import Chain
from mirrorenv.mirror.intervals import Estimate
from mirrorenv.population.neighbourhood import neighbourhoods_of
from mirrorenv.population.reading import observer_evidence, play_held_out
from mirrorenv.results import compare_with, probability_of_improvement

WORLD = Chain()
BASE = [
    *("world=mirrorenv/chain-v0", "total_steps=65536"),
    *("learning.episodes_per_iteration=64", "learning.minibatch_episodes=16"),
]
OURS = "mirror"
CONDITIONS = {
    OURS: BASE,
    "no mirror": [*BASE, "mirror.weight=0"],
    "random reward": [*BASE, "mirror.control=random_reward"],
    "shuffled names": [*BASE, "mirror.control=shuffled_labels"],
    "entropy 0.05": [*BASE, "mirror.weight=0", "learning.entropy=0.05"],
    "entropy 0.1": [*BASE, "mirror.weight=0", "learning.entropy=0.1"],
}
SMOKE = ["total_steps=2048"]
# held out
EPISODES = 128
SEED = 55_000_000


def fraction(earned: float) -> float:
    """Divided fraction of a return."""
    return (earned - WORLD.crowd_return) / (WORLD.divided_return - WORLD.crowd_return)


def measured(path: Path) -> tuple[float, float]:
    """Divided fraction and top-1 of a run's last population, on held-out episodes."""
    population, settings = trained(path)
    world = make_batch(settings.world, EPISODES, **settings.world_options)
    held_out = play_held_out(population, world, seed=SEED, draws="common")  # as recorded
    # (B, J, K, N), slots in author order
    lineups = neighbourhoods_of(population, held_out, run=SEED, episodes=held_out.episode)
    evidence = observer_evidence(population, held_out, lineups)[:, -1]
    right = evidence.argmax(axis=-1) == np.arange(world.num_agents)
    return fraction(float(held_out.rewards.sum(axis=1).mean())), float(right.mean())


def main() -> None:
    """Run what is missing and print the tables."""
    script = grid.GridScript(__doc__, seeds=10, out="hard_roles")
    options = script.parse()
    runs = {name: paths for name, paths in run_bare(CONDITIONS, options, SMOKE).items() if paths}
    anchors = {
        "chance": WORLD.chance_return,
        "crowd": WORLD.crowd_return,
        "divided": WORLD.divided_return,
    }
    shown = ", ".join(
        f"{name} {value:.2f} ({fraction(value):.3f})" for name, value in anchors.items()
    )
    print(f"returns (and divided fractions): {shown}; critical weight {WORLD.critical_weight:.3f}")
    content: dict[str, Any] = {"anchors": anchors}
    found: dict[str, dict[int, float]] = {}
    rows = []
    for name, paths in runs.items():
        seeds = [int(path.name.removeprefix("seed")) for path in paths]
        values, top1 = (list(column) for column in zip(*map(measured, paths), strict=True))
        found[name] = dict(zip(seeds, values, strict=True))
        by_seed = " ".join(f"{value:.2f}" for value in values)
        rows.append([name, str(len(values)), grid.interval(values), by_seed, grid.interval(top1)])
        content[name] = {
            "seeds": seeds,
            "divided_fraction": grid.summary(values),
            "top1": grid.summary(top1),
        }
    columns = ["condition", "seeds", "divided fraction (t interval)", "by seed", "top-1"]
    grid.print_table("chain-v0, separate weights, last population", columns, rows)
    if len(found.get(OURS, {})) > 1:
        content["against"] = _against(found)
    script.save(content)


def _against(found: dict[str, dict[int, float]]) -> dict[str, Any]:
    """The mirror against every other condition: by seed, and whether a run of the one beats a run
    of the other."""
    ours = found[OURS]
    others = {name: values for name, values in found.items() if name != OURS and len(values) > 1}
    content: dict[str, Any] = {}
    rows = []
    for row in compare_with(OURS, {OURS: ours, **others}) if others else []:
        better = probability_of_improvement(
            list(ours.values()), list(others[row.condition].values())
        )
        less = -np.array(
            [
                row.difference.estimate.value,
                row.difference.estimate.high,
                row.difference.estimate.low,
            ]
        )
        value, low, high = less
        rows.append(
            [
                row.condition,
                str(Estimate(value, low, high)),
                f"{row.corrected:.2g}",
                str(better),
            ]
        )
        content[row.condition] = {
            "difference": {"value": value, "low": low, "high": high},
            "p": row.corrected,
            "probability_of_improvement": better.to_dict(),
        }
    columns = [
        "mirror against",
        "difference, seed by seed",
        "p (Holm)",
        "probability of improvement",
    ]
    grid.print_table("the mirror, weight 1, against the others", columns, rows)
    return content


if __name__ == "__main__":
    main()
