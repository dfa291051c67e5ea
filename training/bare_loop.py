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
from mirrorenv.errors import ConfigError
from mirrorenv.population import Population, population_shape
from mirrorenv.population.columns import as_read
from mirrorenv.population.experience import world_seeds
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.neighbourhood import settle_neighbours
from mirrorenv.population.objectives.updates import (
    after_update,
    clip_gradients,
    learn_from,
    optimiser_of,
)
from mirrorenv.population.rollouts import rollout
from mirrorenv.population.settings import LearningSettings, MirrorSettings, PopulationSettings
from mirrorenv.population.train_batch import check_reward, learner_columns, train_batch


def train(
    world_id: str,
    *,
    seed: int = 0,
    mirror: MirrorSettings | None = None,
    settings: PopulationSettings | None = None,
    learning: LearningSettings | None = None,
    total_steps: int | None = None,
    world_options: dict[str, object] | None = None,
    population: Population | None = None,
) -> Iterator[dict[str, float]]:
    """Train for ever; yields the numbers of each iteration, metrics of all objectives among them.

    A given population is trained in place. `total_steps` is when `mirror.final_weight` is reached.
    """
    mirror = mirror or MirrorSettings()
    learning = learning or LearningSettings()
    batch_size = learning.episodes_per_iteration
    world = make_batch(world_id, batch_size, **(world_options or {}))
    if mirror.final_weight is not None and not total_steps:
        raise ConfigError("mirror.final_weight is reached after total_steps: give that, too")
    check_reward(mirror, world.num_agents)
    if population is None:
        settled = settle_neighbours(settings or PopulationSettings(), mirror, world)
        population = Population(population_shape(world), settled, seed)

    # What it learns from: PPO, the names, whatever else is paid or asked for.
    set_objectives(population, mirror, learning, seed=seed)
    objectives = population.objectives
    optimiser = optimiser_of(objectives)
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    if population.observers_paid:
        objectives["recognition"].draws = generator  # as in recorded runs; unpaid has its own
    first = done = 0
    while True:
        # Worlds -> trajectories. Each episode's world follows from its id.
        episodes = np.arange(first, first + batch_size)
        experience = rollout(world, population, world_seeds(seed, episodes), generator)
        first += batch_size

        # Trajectories -> lineups -> observers (as they are now) -> beliefs -> mirror reward ->
        # advantages, weighed as the schedule has it.
        columns = train_batch(
            population, experience, mirror, learning, run=seed, episodes=episodes, rng=rng
        )
        weight = mirror.weight_at(min(1.0, done / total_steps) if total_steps else 0.0)
        done += experience.env_steps
        data = {
            name: torch.from_numpy(np.ascontiguousarray(column))
            for name, column in learner_columns(columns, weight).items()
        }
        learn_from(objectives, data)

        # Who acts learns from the rewards; who recognises learns from the names.
        found: list[dict[str, torch.Tensor]] = []
        for _ in range(learning.epochs):
            for rows in torch.randperm(batch_size, generator=generator).split(
                learning.minibatch_episodes
            ):
                minibatch = as_read({name: column[rows] for name, column in data.items()})
                output = population.output(minibatch)
                loss, metrics = population.loss(minibatch, output)
                optimiser.zero_grad()
                loss.backward()
                clip_gradients(objectives, population)
                optimiser.step()
                after_update(objectives, output, minibatch)
                found.append(metrics)
        yield {
            "env_steps": float(first * world.horizon),
            "return": float(columns["environment_return"].mean()),
            "mirror_return": float(columns["mirror_return"].mean()),
            "mirror_weight": weight,
            **{name: float(np.mean([float(one[name]) for one in found])) for name in found[0]},
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
            f"{row['observer_accuracy']:.2f}  "
            f"mirror return {row['mirror_return']:.2f} of {ceiling:.2f} nats  return "
            f"{row['return']:.2f}"
        )
