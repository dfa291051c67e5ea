"""The page of what goal agents plan, put into their run folder."""

from __future__ import annotations

from pathlib import Path

from mirrorenv.envs import make_batch
from mirrorenv.envs.worlds.graph import Graph
from mirrorenv.errors import ConfigError
from mirrorenv.goals.picture import page
from mirrorenv.population.checkpoint import load_population, world_of
from mirrorenv.results.runs.files import atomic_write_text
from mirrorenv.results.runs.run_folder import PLANS, checkpoint_folder

__all__ = ["write_plans"]


def write_plans(run: Path, *, episodes: int = 256, seed: int = 0) -> Path:
    """Write `plans.html`.

    Args:
        run: a run folder with goal agents in graph-v0, or a checkpoint.
        episodes: held-out episodes to measure on.
        seed: of these.

    Raises:
        ConfigError: for other agents, or another world.
        MirrorError: if the folder is missing or damaged.
    """
    population, about = load_population(checkpoint_folder(run))
    name, arguments = world_of(about)
    if ":" in name:
        raise ConfigError(f"{run} is a run in {name}: plans are drawn in graph-v0")
    world = make_batch(name, episodes, **arguments)
    if not isinstance(world, Graph):
        raise ConfigError(f"{run} is a run in {name}: plans are drawn in graph-v0")
    return atomic_write_text(run / PLANS, page(population, world, seed))
