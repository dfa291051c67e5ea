"""Goal agents take the mirror test in graph-v0: paths and plans, and what identity costs in steps.

Four agents, one map for all, learned by hindsight; eight goals in sequence, equal for all. Among
equally short ways a learned preference decides. With the mirror (weight 1) and without (weight 0),
last population, no best-of; weights between and above for the price of identity. Beside them: the
ceiling of top-1 for shortest paths only, computed from the number of shortest ways.

    python benchmarks/studies/goal_recognition.py --seeds 10 \\
        [--json benchmarks/results/goal_recognition.json]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np

from benchmarks.shared import grid
from benchmarks.shared.bare_grid import run_bare, trained
from mirrorenv.envs import make_batch
from mirrorenv.envs.worlds.graph import Graph
from mirrorenv.goals.picture import find
from mirrorenv.mirror import Belief, score_belief
from mirrorenv.population.neighbourhood import neighbourhoods_of
from mirrorenv.population.reading import (
    observer_evidence,
    play_held_out,
)

BASE = [
    *("world=mirrorenv/graph-v0", "population.actor=goals", "total_steps=250000"),
    *("learning.learning_rate=3e-3", "learning.entropy=0"),
]
CONDITIONS = {
    "weight 1": BASE,
    "weight 0": [*BASE, "mirror.weight=0"],
}
SMOKE = ["total_steps=6000", "learning.episodes_per_iteration=32"]
EPISODES = 256
SEED = 57_000_000


def measured(path: Path) -> dict[str, float]:
    """Figures of a run's last population, on held-out episodes."""
    population, settings = trained(path)
    world = make_batch(settings.world, EPISODES, **settings.world_options)
    assert isinstance(world, Graph)
    record = play_held_out(population, world, seed=SEED)
    lineups = neighbourhoods_of(population, record, run=SEED, episodes=record.episode)
    learned = observer_evidence(population, record, lineups)[:, -1].astype(np.float64)
    found = find(population, world, SEED)
    return {
        "success": found.success,
        "over_optimum": found.over_optimum,
        "top1": top1(learned, "independent"),
        "top1_joint": top1(learned, "marginals"),
        "limit_path": found.path,
        "limit_plan": found.plan,
        "limit_both": found.both,
        "ceiling": found.ceiling,
    }


def top1(evidence: np.ndarray, decode: str) -> float:
    """Top-1 of evidence (B, J, K, N) whose slots stand in author order."""
    belief = Belief(evidence)
    truth = np.broadcast_to(np.arange(evidence.shape[-1]), evidence.shape[:-1])
    found = score_belief(belief, truth, decode=decode).top1
    assert found is not None
    return float(found.value)


def main() -> None:
    """Run what is missing and print the table."""
    script = grid.GridScript(__doc__, seeds=10, out="goal_recognition")
    options = script.parse()
    content: dict[str, Any] = {}
    rows = []
    for name, paths in run_bare(CONDITIONS, options, SMOKE).items():
        if not paths:
            continue
        found = [measured(path) for path in paths]
        columns = {key: [one[key] for one in found] for key in found[0]}
        content[name] = {key: grid.summary(values) for key, values in columns.items()}
        content[name]["seeds"] = [int(path.name.removeprefix("seed")) for path in paths]
        for key in ("top1", "top1_joint"):
            content[name][f"{key}_at_least_0.9"] = sum(value >= 0.9 for value in columns[key])
        rows.append([name, str(len(paths)), *map(grid.interval, columns.values())])
    grid.print_table("graph-v0, 8 goals", ["condition", "seeds", *columns], rows)
    script.save(content)


if __name__ == "__main__":
    main()
