"""How much faster the vectorised table hierarchy learns than the same in plain loops.

G(32, .2), 5,000 self-avoiding walks, three levels, skip 4, best so far. Both are given the same
walks and end in the same tables, which is checked. Times are the best of the repeats, taken in
turn, of learning alone, and of walks and learning together.

    python benchmarks/speed/goal_table.py [--json benchmarks/results/goal_table.json]
"""

from __future__ import annotations

import time

import _root  # noqa: F401
import numpy as np

from benchmarks.shared.plain_goals import plain_tables, plain_walks
from benchmarks.shared.runner import Script, machine
from mirrorenv.envs.worlds.graph import Graph
from mirrorenv.goals.hierarchy import Hierarchy, HierarchySettings
from mirrorenv.goals.walks import wander


def main() -> None:
    """Measure and print."""
    script = Script(__doc__, json=True, smoke={"walks": 200, "repeats": 1})
    script.add_argument("--walks", type=int, default=5000, help="how many walks")
    script.add_argument("--repeats", type=int, default=5, help="how often each is timed")
    options = script.parse()
    world = Graph()
    times: dict[str, list[float]] = {
        name: [] for name in ("walks", "table", "plain walks", "plain table")
    }
    steps = 0
    for repeat in range(options.repeats):
        begun = time.perf_counter()
        walks = wander(world.edges, options.walks, np.random.default_rng(repeat))
        walked = time.perf_counter()
        made = Hierarchy(world.num_nodes, HierarchySettings())
        made.learn(walks)
        times["walks"].append(walked - begun)
        times["table"].append(time.perf_counter() - walked)
        begun = time.perf_counter()
        plain_walks(world.edges, options.walks, np.random.default_rng(repeat))
        times["plain walks"].append(time.perf_counter() - begun)
        same = [nodes[:n].tolist() for nodes, n in zip(walks.nodes, walks.lengths, strict=True)]
        begun = time.perf_counter()
        expected, _ = plain_tables(same, world.num_nodes)
        times["plain table"].append(time.perf_counter() - begun)
        for level, kernel in enumerate(made.kernels):
            assert (kernel.state()["subgoals"] == expected[level].ravel()).all(), "tables differ"
        steps = int((walks.lengths - 1).sum())
    best = {name: min(found) for name, found in times.items()}
    learning = best["plain table"] / best["table"]
    together = (best["plain table"] + best["plain walks"]) / (best["table"] + best["walks"])
    for name, found in best.items():
        print(f"{name:12} {found:.3f} s, {steps / found:,.0f} steps of walks a second")
    print(f"learning {learning:.1f} times as fast, walks and learning {together:.1f} times")
    script.save(
        {
            "benchmark": "goal_table",
            **machine(),
            "walks": options.walks,
            "seconds": best,
            "learning_ratio": learning,
            "together_ratio": together,
        }
    )


if __name__ == "__main__":
    main()
