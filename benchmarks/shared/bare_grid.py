"""Conditions x seeds trained in this process by `training/bare_loop.py`, resumable: for runs of
seconds.

Not a benchmark itself. The same settings, functions and order as `mirrorenv train`, without Ray,
whose start would take longer than such a run. A run is a folder with the population and what it was
trained with; one that was cut short starts over.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.shared.runner import load_recipe, say
from mirrorenv.envs import make_batch
from mirrorenv.population import Population, population_shape
from mirrorenv.population.checkpoint import load_population, save_population
from mirrorenv.population.migration import read_run
from mirrorenv.rllib.settings import RunSettings, load_settings

__all__ = ["run_bare", "trained", "training"]


def run_bare(
    conditions: Mapping[str, Sequence[str]],
    options: argparse.Namespace,
    smoke: Sequence[str],
    earlier: Sequence[float] = (),
) -> dict[str, list[Path]]:
    """Train every condition with every seed.

    Args:
        conditions: name -> overrides of `mirrorenv train --set`, `world` among them.
        options: of a `GridScript`.
        smoke: further overrides of a smoke run.
        earlier: shares of the run after which the population is kept, too: `RUN/after-0.25`.

    Returns:
        folders of finished runs by condition, in order of seeds.
    """
    torch.set_num_threads(1)
    chosen = {name: list(sets) for name, sets in conditions.items() if options.only in name}
    seeds = range(options.first_seed, options.first_seed + (1 if options.smoke else options.seeds))
    out = options.out / "smoke" if options.smoke else options.out
    # Seeds outside, conditions inside: whatever is there when time runs out is balanced.
    for seed in () if options.table else seeds:
        for name, sets in chosen.items():
            path = out / name / f"seed{seed}"
            if not _finished(path):
                begun = time.monotonic()
                settings = load_settings(
                    overrides=[*sets, *(smoke if options.smoke else ()), f"seed={seed}"]
                )
                _train(path, settings, earlier)
                say(f"{name}, seed {seed}: {time.monotonic() - begun:.0f} s")
    found = {}
    for name in chosen:
        folders = [out / name / f"seed{seed}" for seed in seeds]
        found[name] = [folder for folder in folders if _finished(folder)]
    return found


def trained(path: Path) -> tuple[Population, RunSettings]:
    """The population of a run and its settings."""
    population, about = load_population(path)
    return population, RunSettings.checked(read_run(about))


def _finished(path: Path) -> bool:
    return (path / "manifest.json").is_file()  # written last


def training(settings: RunSettings, population: Population) -> Iterator[dict[str, Any]]:
    """Train a population by the bare loop; a row after each iteration, with its `env_steps`."""
    bare_loop: Any = load_recipe("bare_loop")
    rows: Iterator[dict[str, Any]] = bare_loop.train(
        settings.world,
        seed=settings.seed,
        mirror=settings.mirror,
        learning=settings.learning,
        total_steps=settings.total_steps,
        world_options=settings.world_options,
        population=population,
    )
    return rows


def _train(path: Path, settings: RunSettings, earlier: Sequence[float]) -> None:
    shape = population_shape(make_batch(settings.world, 1, **settings.world_options))
    population = Population(shape, settings.population, settings.seed)
    rows = training(settings, population)
    for share in sorted(earlier):
        next(row for row in rows if row["env_steps"] >= share * settings.total_steps)
        save_population(path / f"after-{share:g}", population, settings.model_dump(mode="json"))
    next(row for row in rows if row["env_steps"] >= settings.total_steps)
    save_population(path, population, settings.model_dump(mode="json"))
