"""A world in which separate networks fall into one role, and divide the labour with the mirror: chain-v0.

Six agents, six jobs; only gleaning is paid until all six are done. The divided fraction is
(return - crowd) / (divided - crowd): 0 is a crowd of gleaners, 1 one agent on each job, and uniform play is below 0.
Same budget for every condition, final checkpoint, no best-of. World and conditions were chosen on seeds 100 to 103.

    python benchmarks/hard_roles.py --seeds 10 [--json benchmarks/results/hard_roles.json]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grid
import numpy as np

from mirrorenv.envs.chain import Chain
from mirrorenv.results import compare_with, probability_of_improvement

WORLD = Chain()
BASE = [
    *("mirrorenv/chain-v0", "--set", "total_steps=65536", "--set", "evaluation.checkpoints=4"),
    *("--set", "learning.episodes_per_iteration=64", "--set", "learning.minibatch_episodes=16"),
    *("--set", "evaluation.baselines=false"),
]
OURS = "mirror"
CONDITIONS = {
    OURS: [],
    "no mirror": ["mirror.weight=0"],
    "random reward": ["mirror.control=random_reward"],
    "shuffled names": ["mirror.control=shuffled_labels"],
    "entropy 0.05": ["mirror.weight=0", "learning.entropy=0.05"],
    "entropy 0.1": ["mirror.weight=0", "learning.entropy=0.1"],
}
SMOKE = ["--set", "total_steps=2048", "--set", "evaluation.checkpoints=1", "--set", "evaluation.episodes=16"]


def fraction(earned: float) -> float:
    """Divided fraction of a return."""
    return (earned - WORLD.crowd_return) / (WORLD.divided_return - WORLD.crowd_return)


def last_fractions(paths: list[Path]) -> dict[int, float]:
    """Seed -> divided fraction of the last checkpoint."""
    return {int(path.name.removeprefix("seed")): fraction(grid.figure(grid.rows_of(path)[-1], "return"))
            for path in paths}  # fmt: skip


def main() -> None:
    """Run what is missing and print the tables."""
    options = grid.arguments(__doc__ or "", seeds=10, out="hard_roles")
    arguments = {name: [*BASE, *(part for one in more for part in ("--set", one))] for name, more in CONDITIONS.items()}
    runs = {name: paths for name, paths in grid.run_grid(arguments, options, SMOKE).items() if paths}
    print(f"returns: chance {WORLD.chance_return:.2f} ({fraction(WORLD.chance_return):.3f} as a fraction), "
          f"crowd {WORLD.crowd_return:.2f} (0), divided {WORLD.divided_return:.2f} (1); "
          f"critical weight {WORLD.critical_weight:.3f}")  # fmt: skip
    content: dict[str, Any] = {"anchors": {"chance": WORLD.chance_return, "crowd": WORLD.crowd_return,
                                           "divided": WORLD.divided_return}}  # fmt: skip
    found = {name: last_fractions(paths) for name, paths in runs.items()}
    rows = []
    for name, paths in runs.items():
        values = list(found[name].values())
        top1 = [grid.figure(grid.rows_of(path)[-1], "learned.top1") for path in paths]
        by_seed = " ".join(f"{value:.2f}" for value in values)
        rows.append([name, str(len(values)), grid.interval(values), by_seed, grid.interval(top1)])
        content[name] = {"seeds": list(found[name]), "divided_fraction": grid.summary(values),
                         "top1": grid.summary(top1)}  # fmt: skip
    columns = ["condition", "seeds", "divided fraction (t interval)", "by seed", "top-1"]
    grid.print_table("chain-v0, separate weights, final checkpoint", columns, rows)
    if len(found.get(OURS, {})) > 1:
        content["against"] = _against(found)
    grid.save(options, content)


def _against(found: dict[str, dict[int, float]]) -> dict[str, Any]:
    """The mirror against every other condition: by seed, and whether a run of the one beats a run of the other."""
    ours, others = found[OURS], {name: values for name, values in found.items() if name != OURS and len(values) > 1}
    content: dict[str, Any] = {}
    rows = []
    for row in compare_with(OURS, {OURS: ours, **others}) if others else []:
        better = probability_of_improvement(list(ours.values()), list(others[row.condition].values()))
        less = -np.array([row.difference.estimate.value, row.difference.estimate.high, row.difference.estimate.low])
        value, low, high = less
        rows.append([row.condition, f"{value:.3f} [{low:.3f}, {high:.3f}]", f"{row.corrected:.2g}", str(better)])
        content[row.condition] = {"difference": {"value": value, "low": low, "high": high}, "p": row.corrected,
                                  "probability_of_improvement": better.to_dict()}  # fmt: skip
    columns = ["mirror against", "difference, seed by seed", "p (Holm)", "probability of improvement"]
    grid.print_table("the mirror, weight 1, against the others", columns, rows)
    return content


if __name__ == "__main__":
    main()
