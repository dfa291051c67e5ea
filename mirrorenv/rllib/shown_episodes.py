"""A run's episodes to look at, put into its folder."""

from __future__ import annotations

import logging
from pathlib import Path

from mirrorenv.envs import make_batch, spec
from mirrorenv.envs.base import ArrayWorld
from mirrorenv.population.population import Population
from mirrorenv.population.showing import show
from mirrorenv.results.report.shown import Time, write_shown
from mirrorenv.rllib.settings import RunSettings

__all__ = ["keep_episodes"]

logger = logging.getLogger(__name__)

_FEW = 6


def keep_episodes(
    run: Path, time: Time, population: Population, settings: RunSettings, env_steps: int
) -> None:
    """Play a few episodes and put them into a run folder.

    What goes wrong is said and stops nothing: a training is worth more than a picture of it.

    Args:
        run: the folder.
        time: before training or after it.
        population: who acts.
        settings: of the run.
        env_steps: trained so far.
    """
    worlds: list[ArrayWorld] = []
    try:
        worlds += [_drawing(settings), make_batch(settings.world, _FEW, **settings.world_options)]
        one, few = worlds
        known = spec(settings.world, **settings.world_options)
        shown = show(
            population,
            one,
            few,
            spec=known,
            seed=settings.seed,
            env_steps=env_steps,
            draws=settings.evaluation.draws,
        )
        if shown is not None:
            write_shown(run, time, shown)
    except Exception as error:  # a stranger's environment may raise anything
        logger.warning("no episodes were kept for the report (%s: %s)", type(error).__name__, error)
    finally:
        for world in worlds:
            world.close()


def _drawing(settings: RunSettings) -> ArrayWorld:
    """A single copy that draws itself where it can; somebody else's has to be made for it."""
    world = make_batch(settings.world, 1, **settings.world_options)
    if not getattr(world.unwrapped, "could_render", False):
        return world
    try:
        drawing = make_batch(
            settings.world, 1, **{**settings.world_options, "render_mode": "rgb_array"}
        )
    except Exception:  # it said that it could, and cannot
        return world
    world.close()
    return drawing
