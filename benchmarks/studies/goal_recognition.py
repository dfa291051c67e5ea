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
from mirrorenv.goals.actor import GoalActor
from mirrorenv.goals.plans import ceiling, counted_ways, plan_evidence, step_laws, think_plans
from mirrorenv.mirror import Belief, score_belief
from mirrorenv.population.neighbourhood import neighbourhoods_of
from mirrorenv.population.reading import (
    observer_evidence,
    play_held_out,
    policy_log_probabilities,
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
    actor = population.actor
    assert isinstance(world, Graph) and isinstance(actor, GoalActor)
    held_out = play_held_out(population, world, seed=SEED)
    episodes = held_out.experience
    lineups = neighbourhoods_of(population, episodes, run=SEED, episodes=held_out.episodes)
    learned = observer_evidence(population, episodes, lineups)[:, -1].astype(np.float64)
    log_p = policy_log_probabilities(population, episodes)  # (B, T, K, N)
    paths = (log_p * episodes.mask[..., None]).sum(1)  # (B, K, N)
    done = episodes.rewards.sum(1) > 1 - 1e-6  # (B, N)
    steps = episodes.mask.sum(1)
    starts, goals = world.starts(), world.goals
    laws = step_laws(actor)
    plans = plan_evidence(laws, think_plans(laws, starts, goals, np.random.default_rng(0)))
    tasks = np.concatenate([starts[:, :1], goals[:, 0]], 1)
    most = ceiling(counted_ways(world.edges, world.lengths), tasks, world.num_agents)
    return {
        "success": float(done.mean()),
        "over_optimum": float(steps[done].sum() / world.shortest()[done].sum()),
        "top1": top1(learned, "independent"),
        "top1_joint": top1(learned, "marginals"),
        "limit_path": top1(paths[:, None], "marginals"),
        "limit_plan": top1(plans[:, None], "marginals"),
        "limit_both": top1((plans + paths)[:, None], "marginals"),
        "ceiling": float(most.mean()),
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
        content[name]["at_least_0.9"] = sum(value >= 0.9 for value in columns["top1"])
        rows.append([name, str(len(paths)), *map(grid.interval, columns.values())])
    grid.print_table("graph-v0, 8 goals", ["condition", "seeds", *columns], rows)
    script.save(content)


if __name__ == "__main__":
    main()
