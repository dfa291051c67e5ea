"""What reading a neighbourhood costs beside reading everybody: one update of the observers, and a
whole iteration.

    python benchmarks/speed/neighbourhood_cost.py [--agents 16 32] [--neighbours 3 7] [--repeats 7]
    [--json] [--smoke]

Both read the same B episodes of N agents over T steps with the default head and learn from the
names; all slots, all prefixes. The two take turns; each pair gives one ratio, and the median is
printed with the smallest and the largest. Choosing the neighbours and shuffling are part of the
neighbourhood's time. CPU time; start it with OMP_NUM_THREADS=1.

A whole iteration plays B episodes of ants, pays the mirror reward and goes over them once, in
minibatches, with default settings: with everybody shown, an update reads two random slots of each
lineup (`slots_per_update`).
"""

from __future__ import annotations

import itertools
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import _root  # noqa: F401
import numpy as np
import torch

from benchmarks.shared.runner import Script
from mirrorenv.envs import make_batch
from mirrorenv.mirror import (
    lineup_permutations,
    mean_distance,
    nearest_agents,
    neighbourhood_permutations,
)
from mirrorenv.population.actions import Choice
from mirrorenv.population.experience import play, population_shape, world_seeds
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.neighbourhood import (
    settle_neighbours,
)
from mirrorenv.population.objectives import observer_loss, ppo_loss, read_minibatch
from mirrorenv.population.population import Population, lineup_tensors
from mirrorenv.population.settings import (
    LearningSettings,
    MirrorSettings,
    ObserverSettings,
    PopulationSettings,
    PopulationShape,
)
from mirrorenv.population.train_batch import combine_advantages, train_batch

SEEN = 8
CHOICES = 5


def measure(
    agents: int, neighbours: int, episodes: int, steps: int, repeats: int
) -> dict[str, Any]:
    """Seconds of both, and their ratio."""
    rng = np.random.default_rng(0)
    shape = PopulationShape(
        num_agents=agents, observation_size=SEEN, actions=Choice(choices=CHOICES)
    )
    population = Population(shape, PopulationSettings())
    ids = np.arange(episodes)
    places = rng.normal(size=(episodes, steps, agents, 2)).cumsum(axis=1)
    alive = np.ones((episodes, steps, agents), bool)
    seen = torch.from_numpy(rng.normal(size=(episodes, steps, agents, SEEN)).astype(np.float32))
    done = torch.from_numpy(rng.integers(CHOICES, size=(episodes, steps, agents)))
    mask = torch.from_numpy(alive)

    def everybody() -> torch.Tensor:
        order = torch.from_numpy(lineup_permutations(0, ids, "training", agents))[:, None]
        lineup = lineup_tensors(population, seen, done, mask, order)
        return population.observers.loss(population.evidence(lineup), order, lineup.slot_mask())

    def neighbourhood() -> torch.Tensor:
        whom = nearest_agents(mean_distance(places, alive), neighbours, run=0, episodes=ids)
        order = neighbourhood_permutations(whom, run=0, episodes=ids)
        authors = torch.from_numpy(np.take_along_axis(whom, order, axis=2))
        near = torch.from_numpy(whom)
        lineup = lineup_tensors(population, seen, done, mask, authors, near)
        evidence = population.evidence(lineup)
        target = torch.from_numpy(order)
        return population.observers.loss(evidence, target, lineup.slot_mask())

    def update(loss: Any) -> None:
        population.zero_grad()
        loss().backward()

    return _row(
        "update",
        agents,
        neighbours,
        repeats,
        lambda: update(everybody),
        lambda: update(neighbourhood),
    )


def measure_iteration(
    agents: int, neighbours: int, episodes: int, steps: int, repeats: int
) -> dict[str, Any]:
    """Seconds of a whole iteration of both, and their ratio."""
    world = make_batch(
        "mirrorenv/ants-v0", episodes, num_agents=agents, horizon=steps, start="random"
    )
    learning = LearningSettings()
    mirror = MirrorSettings()
    ids = np.arange(episodes)

    def iteration(shown: int) -> Any:
        settings = PopulationSettings(observer=ObserverSettings(neighbours=shown))
        population = Population(population_shape(world), settle_neighbours(settings, mirror, world))
        set_objectives(population, mirror, learning)
        rates = (
            (population.actor, learning.learning_rate),
            (population.observers, settings.observer.learning_rate),
        )
        optimizers = [torch.optim.Adam(part.parameters(), lr=rate) for part, rate in rates]
        generator = torch.Generator().manual_seed(0)
        rng = np.random.default_rng(0)

        def run() -> None:
            record = play(world, population, world_seeds(0, ids), generator)
            columns = train_batch(
                population, record, mirror, learning, run=0, episodes=ids, rng=rng
            )
            columns["advantage"] = combine_advantages(columns, 1.0)
            batch = {
                name: torch.from_numpy(np.ascontiguousarray(column))
                for name, column in columns.items()
            }
            for rows in torch.split(
                torch.randperm(episodes, generator=generator), learning.minibatch_episodes
            ):
                part = {name: column[rows] for name, column in batch.items()}
                loss, _ = ppo_loss(population.actor.sequence(part["observations"]), part, learning)
                reading = read_minibatch(population, part, population.settings.observer, generator)
                population.zero_grad()
                total: Any = loss + observer_loss(population, reading)[0]
                total.backward()
                for optimizer in optimizers:
                    optimizer.step()

        return run

    return _row("iteration", agents, neighbours, repeats, iteration(0), iteration(neighbours))


def _row(
    what: str,
    agents: int,
    neighbours: int,
    repeats: int,
    everybody: Callable[[], None],
    near: Callable[[], None],
) -> dict[str, Any]:
    def seconds(work: Callable[[], None]) -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    seconds(everybody), seconds(near)  # the first of each pays for memory
    pairs = [(seconds(everybody), seconds(near)) for _ in range(repeats)]
    ratios = sorted(one / other for one, other in pairs)
    return {
        "what": what,
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
    smoke = {"agents": [8], "neighbours": [3], "episodes": 4, "steps": 4, "repeats": 2}
    script = Script(__doc__, json=True, smoke=smoke)
    script.add_argument("--agents", type=int, nargs="+", default=[16, 32])
    script.add_argument("--neighbours", type=int, nargs="+", default=[3, 7])
    script.add_argument("--episodes", type=int, default=32)
    script.add_argument("--steps", type=int, default=32)
    script.add_argument("--repeats", type=int, default=7)
    options = script.parse()
    cases = [(n, k) for n in options.agents for k in options.neighbours]
    sizes = (options.episodes, options.steps, options.repeats)
    print(f"{options.episodes} episodes of {options.steps} steps; {platform.machine()}")
    rows = []
    for work, (n, k) in itertools.product((measure, measure_iteration), cases):
        rows.append(row := work(n, k, *sizes))
        print(
            f"{row['what']:9}  N = {n:2}, k = {k}: all pairs {row['everybody']:.3f} s, "
            f"neighbourhood {row['neighbourhood']:.3f} s, "
            f"{row['ratio']:.1f} times as fast ({row['low']:.1f} to {row['high']:.1f})",
            flush=True,
        )
    script.save({"rows": rows})


if __name__ == "__main__":
    main()
