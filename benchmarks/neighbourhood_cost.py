"""What reading a neighbourhood costs beside reading everybody: one update of the observers, forwards and backwards.

    python benchmarks/neighbourhood_cost.py [--agents 16 32] [--neighbours 3 7] [--repeats 7] [--json] [--smoke]

Both read the same B episodes of N agents over T steps with the default head and learn from the names; all slots, all
prefixes. The two take turns; each pair gives one ratio, and the median is printed with the smallest and the largest.
Choosing the neighbours and shuffling are part of the neighbourhood's time. CPU time; start it with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from typing import Any

import numpy as np
import torch

from mirrorenv.mirror import lineup_permutations, mean_distance, nearest_agents, neighbourhood_permutations
from mirrorenv.population.neighbourhood import neighbourhood_loss, read_neighbourhood
from mirrorenv.population.population import Population, lineup_tensors
from mirrorenv.population.settings import PopulationSettings, PopulationShape

SEEN, CHOICES = 8, 5


def measure(agents: int, neighbours: int, episodes: int, steps: int, repeats: int) -> dict[str, Any]:
    """Seconds of both, and their ratio."""
    rng = np.random.default_rng(0)
    shape = PopulationShape(num_agents=agents, observation_size=SEEN, num_actions=CHOICES, action_size=0)
    population = Population(shape, PopulationSettings())
    ids = np.arange(episodes)
    places = rng.normal(size=(episodes, steps, agents, 2)).cumsum(axis=1)
    alive = np.ones((episodes, steps, agents), bool)
    seen = torch.from_numpy(rng.normal(size=(episodes, steps, agents, SEEN)).astype(np.float32))
    done, mask = torch.from_numpy(rng.integers(CHOICES, size=(episodes, steps, agents))), torch.from_numpy(alive)

    def everybody() -> torch.Tensor:
        order = torch.from_numpy(lineup_permutations(0, ids, "training", agents))
        lineup = lineup_tensors(population, seen, done, mask, order)
        return population.head.loss(population.evidence(lineup), order, lineup.mask)

    def neighbourhood() -> torch.Tensor:
        whom = nearest_agents(mean_distance(places, alive), neighbours, run=0, episodes=ids)
        order = neighbourhood_permutations(whom, run=0, episodes=ids)
        authors = torch.from_numpy(np.take_along_axis(whom, order, axis=2))
        evidence = read_neighbourhood(population, seen, done, mask, authors, torch.from_numpy(whom))
        return neighbourhood_loss(evidence, torch.from_numpy(order), torch.ones(evidence.shape[:4]))

    def seconds(loss: Any) -> float:
        population.zero_grad()
        start = time.process_time()
        loss().backward()
        return time.process_time() - start

    seconds(everybody), seconds(neighbourhood)  # the first of each pays for memory
    pairs = [(seconds(everybody), seconds(neighbourhood)) for _ in range(repeats)]
    ratios = sorted(one / other for one, other in pairs)
    return {
        "agents": agents,
        "neighbours": neighbours,
        "trajectories": f"{agents * agents} / {agents * (neighbours + 1)}",
        "everybody": statistics.median(one for one, _ in pairs),
        "neighbourhood": statistics.median(other for _, other in pairs),
        "ratio": statistics.median(ratios),
        "low": ratios[0],
        "high": ratios[-1],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, nargs="+", default=[16, 32])
    parser.add_argument("--neighbours", type=int, nargs="+", default=[3, 7])
    parser.add_argument("--episodes", type=int, default=32)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--smoke", action="store_true", help="small and quick, to see that it runs")
    options = parser.parse_args()
    if options.smoke:
        options.agents, options.neighbours, options.episodes, options.steps, options.repeats = [8], [3], 4, 4, 2
    torch.set_num_threads(1)
    cases = [(n, k) for n in options.agents for k in options.neighbours]
    rows = [measure(n, k, options.episodes, options.steps, options.repeats) for n, k in cases]
    print(f"{options.episodes} episodes of {options.steps} steps, one update of the observers; {platform.machine()}")
    for row in rows:
        print(
            f"N = {row['agents']:2}, k = {row['neighbours']}: all pairs {row['everybody']:.3f} s, neighbourhood "
            f"{row['neighbourhood']:.3f} s, {row['ratio']:.1f} times as fast ({row['low']:.1f} to {row['high']:.1f})"
        )
    if options.json:
        print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
