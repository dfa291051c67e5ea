"""``python -m mirrorenv.goals RUN``: what the goal agents of a training run plan, as a page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mirrorenv.envs import make_batch
from mirrorenv.envs.worlds.graph import Graph
from mirrorenv.errors import ConfigError, MirrorError
from mirrorenv.goals.picture import page
from mirrorenv.population.checkpoint import load_population, world_of
from mirrorenv.results.runs.files import atomic_write_text
from mirrorenv.results.runs.run_folder import checkpoint_folder


def main() -> int:
    """Write ``plans.html`` into a run folder, and say where it is."""
    words = argparse.ArgumentParser(prog="python -m mirrorenv.goals", description=__doc__)
    words.add_argument("run", type=Path, help="run folder of mirrorenv train, or a checkpoint")
    words.add_argument("--episodes", type=int, default=256, help="held-out episodes")
    words.add_argument("--seed", type=int, default=0, help="of the held-out episodes")
    options = words.parse_args()
    try:
        population, about = load_population(checkpoint_folder(options.run))
        name, arguments = world_of(about)
        world = make_batch(name, options.episodes, **arguments)
        if not isinstance(world, Graph):
            raise ConfigError(f"{options.run} is a run in {name}: plans are drawn in graph-v0")
        print(atomic_write_text(options.run / "plans.html", page(population, world, options.seed)))
    except MirrorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
