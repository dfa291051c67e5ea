"""`mirrorenv evaluate`: a saved population, measured again on held-out episodes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from mirrorenv.cli import next_steps
from mirrorenv.cli._common import (
    COMMON_DRAWS,
    EPISODE_SEED,
    Code,
    Json,
    Quiet,
    World,
    console,
    name_all,
    print_json,
    require_all,
    say,
)
from mirrorenv.cli.scores import TRAINING, print_scores, summary
from mirrorenv.cli.waiting import Waiting
from mirrorenv.errors import CheckpointError, ConfigError
from mirrorenv.results.runs.limits import received

if TYPE_CHECKING:
    from mirrorenv.envs.base import ArrayWorld

__all__ = ["evaluate"]

LARGEST_RECORD = 1 << 29  # bytes


@received
def evaluate(
    run: Annotated[
        Path, typer.Argument(help="A run folder (its last checkpoint), or a checkpoint folder.")
    ],
    episodes: Annotated[int, typer.Option(min=8, help="Held-out episodes.")] = 256,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=2**31 - 1,
            help=EPISODE_SEED,
        ),
    ] = 1_000_000,
    world_name: World = None,
    code: Code = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure a saved population again, on held-out episodes, against the exact limit and the
    baselines."""
    name_all(world_name, code=code)
    require_all(*TRAINING)
    from mirrorenv.results.runs.run_folder import checkpoint_folder

    folder = checkpoint_folder(run)  # what was mistyped is said before torch is loaded

    from mirrorenv.envs import make_batch, spec
    from mirrorenv.population.checkpoint import check_fits, load_population, world_of
    from mirrorenv.population.evaluate import evaluate as measure
    from mirrorenv.population.migration import read_draws
    from mirrorenv.population.settings import MirrorSettings

    population, about = load_population(folder)
    id, options = world_of(about, world_name)
    world = make_batch(id, episodes, **options)
    check_fits(population, world, folder)
    _check_room(world)
    world_spec = spec(id, **options)
    learns = about.get("mirror")
    if not isinstance(learns, dict):
        raise CheckpointError(f"{folder} is damaged: it does not say what was paid (run.mirror)")
    mirror = MirrorSettings.checked(learns, "run.mirror")
    draws = read_draws(about)
    if draws == "common":
        say(COMMON_DRAWS)
    with Waiting(f"playing and reading {episodes:,} episodes"):
        row = measure(
            population,
            world,
            world_spec=world_spec,
            seed=seed,
            mirror=mirror,
            baselines=True,
            draws=draws,
        )
    if not quiet:
        print_scores(row)
        pictures = bool(world.render_modes) or getattr(world, "could_render", False)
        again = next_steps.play(run, id, pictures=pictures, code=code)
        next_steps.print_next(console, again)
    if as_json:
        print_json(summary(row, checkpoint=folder))


def _check_room(world: ArrayWorld) -> None:
    """A checkpoint from anybody says how long its world lasts: what cannot be held is not begun."""
    numbers = int(np.prod(world.observation_space.shape or ())) + 8  # a step beside it
    size = 4 * world.num_envs * world.horizon * len(world.agents) * numbers
    if size > LARGEST_RECORD:
        raise ConfigError(
            f"{world.num_envs} episodes of {world.horizon:,} steps and {len(world.agents)} agents "
            f"take {size:,} bytes, and {LARGEST_RECORD:,} are given: ask for fewer --episodes"
        )
