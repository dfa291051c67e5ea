"""The whole method on one page: worlds -> trajectories -> lineup -> observer -> belief -> reward ->
policy, no RLlib.

    python training/bare_loop.py mirrorenv/ants-v0 --iterations 10

The same functions as MirrorPPO uses, in the same order, in one process. Read this first, then
change it.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator

import numpy as np
import torch

from mirrorenv import make_batch
from mirrorenv.population import Population, population_shape
from mirrorenv.population.experience import play, world_seeds
from mirrorenv.population.objectives import observer_loss, ppo_loss, read_minibatch
from mirrorenv.population.settings import LearningSettings, MirrorSettings, PopulationSettings
from mirrorenv.population.train_batch import train_batch, weigh_advantages


def train(
    world_id: str,
    *,
    seed: int = 0,
    mirror: MirrorSettings | None = None,
    settings: PopulationSettings | None = None,
    learning: LearningSettings | None = None,
    world_options: dict[str, object] | None = None,
    population: Population | None = None,
) -> Iterator[dict[str, float]]:
    """Train for ever; yields the numbers of each iteration. A given population is trained in
    place."""
    mirror = mirror or MirrorSettings()
    learning = learning or LearningSettings()
    batch_size = learning.episodes_per_iteration
    world = make_batch(world_id, batch_size, **(world_options or {}))
    population = population or Population(
        population_shape(world), settings or PopulationSettings(), seed
    )
    observer = population.settings.observer
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(
        [
            {"params": population.actor.parameters(), "lr": learning.learning_rate},
            {"params": population.observers.parameters(), "lr": observer.learning_rate},
        ],
        eps=1e-5,
    )
    first = 0
    while True:
        # Worlds -> trajectories. Each episode's world follows from its id.
        episodes = np.arange(first, first + batch_size)
        first += batch_size
        experience = play(world, population, world_seeds(seed, episodes), generator)

        # Trajectories -> lineups -> observers (as they are now) -> beliefs -> mirror reward ->
        # advantages.
        columns = train_batch(
            population, experience, mirror, learning, run=seed, episodes=episodes, rng=rng
        )
        columns["advantage"] = weigh_advantages(columns, mirror.weight)
        data = {
            name: torch.from_numpy(np.ascontiguousarray(column)) for name, column in columns.items()
        }

        # Who acts learns from the rewards; who recognises learns from the names.
        right = []
        for _ in range(learning.epochs):
            for rows in torch.randperm(batch_size, generator=generator).split(
                learning.minibatch_episodes
            ):
                minibatch = {name: column[rows] for name, column in data.items()}
                acting, _ = ppo_loss(
                    population.actor.sequence(minibatch["observations"]), minibatch, learning
                )
                reading = read_minibatch(population, minibatch, observer, generator)
                recognising, metrics = observer_loss(population, reading)
                optimiser.zero_grad()
                (acting + recognising).backward()
                for part in (population.actor, population.observers):
                    torch.nn.utils.clip_grad_norm_(part.parameters(), learning.grad_norm)
                optimiser.step()
                right.append(float(metrics["observer_accuracy"]))
        yield {
            "env_steps": float(first * world.horizon),
            "return": float(columns["environment_return"].mean()),
            "mirror_return": float(columns["mirror_return"].mean()),
            "named_right": float(np.mean(right)),
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("world", nargs="?", default="mirrorenv/ants-v0")
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weight", type=float, default=1.0, help="mirror weight")
    options = parser.parse_args()
    torch.set_num_threads(1)
    run = train(options.world, seed=options.seed, mirror=MirrorSettings(weight=options.weight))
    for _, row in zip(range(options.iterations), run, strict=False):
        ceiling = math.log(make_batch(options.world, 1).num_agents)
        print(
            f"{row['env_steps']:>9,.0f} steps  named right at all prefixes "
            f"{row['named_right']:.2f}  "
            f"mirror return {row['mirror_return']:.2f} of {ceiling:.2f} nats  return "
            f"{row['return']:.2f}"
        )
