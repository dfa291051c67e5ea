"""A result folder from a trained population: fresh episodes, what everybody made of them, and the
exact limit.

Shapes: B episodes, T time, N agents, K lineup slots.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mirrorenv.envs import make_batch, spec
from mirrorenv.errors import RunFolderError
from mirrorenv.mirror import EpisodeBatch
from mirrorenv.mirror.score import Score
from mirrorenv.population.checkpoint import check_fits, load_population, world_of
from mirrorenv.population.experience import to_world, world_seeds
from mirrorenv.population.held_out import Measured, measure
from mirrorenv.population.migration import read_draws
from mirrorenv.population.population import Population
from mirrorenv.population.settings import Draws
from mirrorenv.population.weight_file import this_machine, weight_bytes, weights_of
from mirrorenv.results.folders.neighbours import LIMIT, POLICIES
from mirrorenv.results.folders.result_folder import WEIGHTS, write_result
from mirrorenv.results.folders.schema import (
    Better,
    Entry,
    Figure,
    Neighbours,
    Reader,
    Reference,
    Result,
    SuiteMark,
)
from mirrorenv.results.folders.tables import Form, Table
from mirrorenv.results.folders.trajectories import population_tables
from mirrorenv.results.report.words import SCORES
from mirrorenv.results.runs.run_folder import RunFolder, checkpoint_folder
from mirrorenv.results.runs.versions import git_state, installed_versions

__all__ = ["ReadEpisodes", "export_run", "read_episodes"]

_SHARES = {
    "top1",
    "exact",
    "calibration_error",
}  # efficiency and handshake index are shown as such, but may leave [0, 1]
_LOW = {"calibration_error", "brier", "time_to_identify", "handshake_index"}


def export_run(
    run: str | Path,
    out: str | Path,
    *,
    episodes: int = 256,
    seed: int = 1_000_000,
    condition: str | None = None,
    references: Mapping[str, Reference] | None = None,
    suite: SuiteMark | None = None,
    over_time: bool = True,
    world: str | None = None,
    form: Form = "auto",
    overwrite: bool = False,
) -> Path:
    """Play fresh episodes with a run's last checkpoint and write them as a result folder.

    Args:
        run: run folder.
        out: where the result goes.
        episodes: B.
        seed: of the episodes, as in `mirrorenv evaluate`.
        condition: name of the line on a leaderboard; by default mirror weight, credit and weights.
        references: figure -> what it is compared with.
        suite: which row of a suite this is.
        over_time: also keep the learned evidence after every step; the time figures need it.
        world: the run's world, if that is `package.module:Env`: code is run only if it is named.
        form: of the tables.
        overwrite: replace a result in `out`.

    Raises:
        RunFolderError: if the run has not finished.
        ResultError: if `out` cannot be written.
    """
    source = RunFolder.open(run)
    folder = checkpoint_folder(Path(run))
    if source.status != "finished":
        raise RunFolderError(
            f"{run} is {source.status}, not finished; the same 'mirrorenv train' command goes on "
            "with it"
        )
    population, about = load_population(folder)
    id, options = world_of(about, world)
    read = read_episodes(
        population,
        id,
        options,
        episodes=episodes,
        seed=seed,
        over_time=over_time,
        draws=read_draws(source.config),
    )
    entry = Entry(
        condition=condition or _condition(source.config),
        agents="trained",
        references=dict(references or {}),
    )
    result = Result(
        kind="population",
        title=f"{id}, {entry.condition}, seed {source.info['seed']}",
        world=id,
        world_options=dict(options),
        entries=(entry,),
        version=2,
        figures=_figures(read.readers, over_time),
        seeds=(int(source.info["seed"]),),
        streams=read.streams,
        readers=read.readers,
        neighbours=read.neighbours,
        suite=suite,
        config={
            "run": source.config,
            "env_steps": about.get("env_steps"),
            "episodes": episodes,
            "seed": seed,
        },
        versions=installed_versions(),
        git=git_state(),
        device=str(source.info.get("device") or "cpu"),
        machine=this_machine(),
        weights=weights_of(population),
        links=_links(source, Path(out)),
        notes=read.notes,
    )
    held = {WEIGHTS: weight_bytes(population)} if result.weights and result.weights.held else {}
    write_result(out, result, read.tables, form=form, overwrite=overwrite, files=held)
    return Path(out)


@dataclass(frozen=True, eq=False)
class ReadEpisodes:
    """Fresh episodes of a population and what everybody made of them, as a result holds them.

    Attributes:
        tables: of the result.
        streams: names of the evidence, by index.
        readers: who reads it.
        neighbours: by what observers were shown some agents only.
        notes: what must be said of them.
    """

    tables: dict[str, Table]
    streams: tuple[str, ...]
    readers: tuple[Reader, ...]
    neighbours: Neighbours | None
    notes: tuple[str, ...]


def read_episodes(
    population: Population,
    world: str,
    options: Mapping[str, Any],
    *,
    episodes: int,
    seed: int,
    over_time: bool,
    draws: Draws,
) -> ReadEpisodes:
    """Play fresh episodes and have everybody read them: what is written, and what a check of
    weights computes again.

    Args:
        population: whose actors play and whose observers read.
        world: id of its world; code must have been named before.
        options: of the world.
        episodes: B.
        seed: of the episodes.
        over_time: also keep the learned evidence after every step.
        draws: of the agents, as the run says; see `play_held_out`.
    """
    made = make_batch(world, episodes, **options)
    check_fits(population, made, "of this result")
    known = spec(world, **options)
    found = measure(
        population, made, slot_exchangeable=known.slot_exchangeable, seed=seed, draws=draws
    )
    neighbours = _neighbours(population, found, seed)
    streams = {"learned": found.final.evidence, LIMIT: found.limit.belief.evidence}
    readers: tuple[Reader, ...] = _READERS
    if neighbours is not None:
        streams[POLICIES] = found.policies().evidence
        readers = (*_READERS, _WITHOUT_PLACES)
    tables = population_tables(
        _as_taken(population, found.record),
        world_seeds(seed, found.record.episode),
        streams,
        {"learned": found.evidence} if over_time else None,
        shown=None if neighbours is None else found.lineups,
    )
    why = known.leaks or found.limit.reason
    notes = () if found.limit.valid else (f"the limit is not exact in this world: {why}",)
    return ReadEpisodes(tables, tuple(streams), readers, neighbours, notes)


_READERS = (
    Reader(name="learned", stream="learned", decode="independent", limit="limit"),
    Reader(name="learned joint", stream="learned", decode="marginals", limit="limit"),
    Reader(name="limit", stream="limit", decode="marginals"),
)
# the limit for who cannot tell places from trajectories
_WITHOUT_PLACES = Reader(name="policies without places", stream=POLICIES, decode="marginals")


def _neighbours(population: Population, found: Measured, seed: int) -> Neighbours | None:
    """By what observers were shown some agents only; None where they were shown everybody."""
    if found.lineups.distance is None:
        return None
    observer = population.settings.observer
    return Neighbours(
        count=observer.neighbours,
        place=observer.place,
        run=seed,
        first_episode=int(found.record.episode[0]),
    )


def _as_taken(population: Population, record: EpisodeBatch) -> EpisodeBatch:
    """The episodes with actions as the world took them."""
    taken = to_world(torch.from_numpy(record.actions), population.shape)
    if taken.ndim == 4:
        kind = np.float32 if np.issubdtype(taken.dtype, np.floating) else np.int64
        taken = np.where(record.mask[..., None], taken, 0).astype(kind)  # a vector, or choices
    return replace(record, actions=taken)


def _figures(readers: tuple[Reader, ...], over_time: bool) -> tuple[Figure, ...]:
    """Every score of every reader, and the return."""
    figures = [
        Figure(
            name="return",
            title="Return",
            about="environment reward per agent and episode",
            better="high",
        ),
    ]
    for reader in readers:
        whose = "" if reader.name == "learned" else f", {reader.name}"
        for item in fields(Score):
            if item.name == "undefined" or (
                item.name in ("time_to_identify", "handshake_index") and not over_time
            ):
                continue
            words = SCORES[item.name]
            better: Better = (
                "low"
                if item.name in _LOW
                else "neither"
                if item.name == "self_criterion"
                else "high"
            )
            figures.append(
                Figure(
                    name=f"{reader.name}.{item.name}",
                    title=f"{words.name}{whose}",
                    about=words.meaning,
                    share=item.name in _SHARES,
                    better=better,
                    of="belief",
                )
            )
    return tuple(figures)


def _condition(config: Mapping[str, Any]) -> str:
    mirror = config.get("mirror", {})
    weights = config.get("population", {}).get("weights", "separate")
    weight = mirror.get("weight", 1.0)
    if not weight:
        return f"weight 0, {weights} weights"
    return (
        f"{mirror.get('credit', 'author')}, {mirror.get('timing', 'dense')}, weight {weight:g}, "
        f"{weights} weights"
    )


def _links(source: RunFolder, out: Path) -> dict[str, str]:
    """The report, if the result lies in the run folder, so that both can be moved together."""
    inside = out.resolve().parent == source.path.resolve() and source.report_path.is_file()
    return {"report": f"../{source.report_path.name}"} if inside else {}
