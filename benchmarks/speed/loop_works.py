"""What `loop.py` measures, in the worker process of `before_after_worker.py`: not a benchmark
itself.

Each tree does the work as it would in a run of its own: the older one as it is, this one with
`learning.update = "fast"` and memory kept, where it has these.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

WORLD = "mirrorenv/ants-v0"
EPISODES = 64  # in an iteration of the works with N agents, and in its minibatches
Work = Callable[[], int]


def as_in_a_run() -> None:
    """Keep memory, if this tree's runs do."""
    with suppress(ImportError):
        from mirrorenv.population.allocator import keep_memory

        keep_memory()


def learning_settings(**given: Any) -> Any:
    """Settings of learning, with fast updates if this tree has them."""
    from mirrorenv.population.settings import LearningSettings

    if "update" in LearningSettings.model_fields:
        given["update"] = "fast"
    return LearningSettings(**given)


def iteration_work() -> Work:
    """Env-steps of whole iterations as `mirrorenv train` computes them, with default settings."""
    as_in_a_run()
    try:
        from mirrorenv.rllib.in_process import InProcess
    except ImportError:
        from before_after_worker import trainer_work

        return trainer_work()

    from mirrorenv import make_batch
    from mirrorenv.population import population_shape
    from mirrorenv.rllib.settings import load_settings

    settings = load_settings(WORLD, (), ["learning.update=fast"])
    world = make_batch(WORLD, 1)
    trainer = InProcess(settings, population_shape(world))
    steps = settings.learning.episodes_per_iteration * world.horizon

    def iteration() -> int:
        trainer.iterate()
        return int(steps)

    return iteration


def rollout_work(world_id: str) -> Work:
    """Env-steps of 256 copies that a new population plays to learn from."""
    import torch

    from mirrorenv import make_batch
    from mirrorenv.population import Population, population_shape
    from mirrorenv.population import experience as before
    from mirrorenv.population.settings import PopulationSettings

    as_in_a_run()
    world = make_batch(world_id, 256)
    population = Population(population_shape(world), PopulationSettings())
    play: Any = before.play
    with suppress(ImportError):
        from mirrorenv.population.rollouts import rollout

        population.fast = population.actor.fast = True
        play = rollout
    seeds = before.world_seeds(0, np.arange(256))
    generator = torch.Generator().manual_seed(0)

    def episode() -> int:
        play(world, population, seeds, generator)
        return int(256 * world.horizon)

    return episode


def pay_work(agents: int, neighbours: int, observers: int) -> Work:
    """Agent-steps that are paid for: lineups read, rewards, advantages."""
    import torch

    from mirrorenv import make_batch
    from mirrorenv.population import Population, population_shape
    from mirrorenv.population.experience import play, world_seeds
    from mirrorenv.population.settings import MirrorSettings
    from mirrorenv.population.train_batch import train_batch

    as_in_a_run()
    world = make_batch(WORLD, EPISODES, num_agents=agents, start="random")
    mirror = MirrorSettings(observers_per_author=observers)
    population = Population(population_shape(world), _settings(world, mirror, neighbours))
    with suppress(ImportError):  # who pays is an objective
        from mirrorenv.population.learning import set_objectives

        set_objectives(population, mirror, learning_settings())
    ids = np.arange(EPISODES)
    generator = torch.Generator().manual_seed(0)
    record = play(world, population, world_seeds(0, ids), generator)
    learning = learning_settings()

    def pay() -> int:
        rng = np.random.default_rng(0)
        train_batch(population, record, mirror, learning, run=0, episodes=ids, rng=rng)
        return int(EPISODES * world.horizon * agents)

    return pay


def whole_work(tree: Path, agents: int, neighbours: int) -> Work:
    """Agent-steps of whole iterations of the bare loop, 64 episodes and four passes over them."""
    from before_after_worker import bare_loop

    from mirrorenv import make_batch
    from mirrorenv.population.settings import MirrorSettings

    as_in_a_run()
    options = {"num_agents": agents, "start": "random"}
    world = make_batch(WORLD, 1, **options)
    rows = bare_loop(tree).train(
        WORLD,
        settings=_settings(world, MirrorSettings(), neighbours),
        learning=learning_settings(episodes_per_iteration=EPISODES, minibatch_episodes=EPISODES),
        world_options=options,
    )

    def iteration() -> int:
        next(rows)
        return int(EPISODES * world.horizon * agents)

    return iteration


def _settings(world: Any, mirror: Any, neighbours: int) -> Any:
    from mirrorenv.population.neighbourhood import settle_neighbours
    from mirrorenv.population.settings import ObserverSettings, PopulationSettings

    shown = PopulationSettings(observer=ObserverSettings(neighbours=neighbours))
    return settle_neighbours(shown, mirror, world)


def work_of(name: str, tree: Path) -> Work:
    """The work of a name: "iteration", "rollout ID", "pay N k m" or "whole N k"."""
    kind, *words = name.split()
    if kind == "iteration":
        return iteration_work()
    if kind == "rollout":
        return rollout_work(*words)
    numbers = [int(word) for word in words]
    return pay_work(*numbers) if kind == "pay" else whole_work(tree, *numbers)


KINDS = ("iteration", "rollout", "pay", "whole")
