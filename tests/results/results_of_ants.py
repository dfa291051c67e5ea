"""Small result folders for tests: scripted ants with habits, read by an observer that knows the
habits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import mirrorenv
from mirrorenv.envs import play_episodes
from mirrorenv.mirror import EpisodeBatch
from mirrorenv.results.folders.result_folder import write_result
from mirrorenv.results.folders.schema import Entry, Figure, Reader, Reference, Result, SuiteMark
from mirrorenv.results.folders.trajectories import population_tables

HABITS = np.array([[0.5, 0.3, 0.2], [0.3, 0.4, 0.3], [0.2, 0.3, 0.5], [0.4, 0.2, 0.4]])
SCORED = ("top1", "exact", "information", "efficiency", "time_to_identify", "handshake_index")


def episodes(count: int = 12, seed: int = 0, **options: Any) -> tuple[EpisodeBatch, np.ndarray]:
    """Ants that walk by habit, and the world seeds."""
    rng = np.random.default_rng(seed)

    def walk(observations: Any, t: int) -> np.ndarray:
        draws = rng.random(observations.shape[:2])[..., None]
        return (draws > HABITS.cumsum(axis=1)[None, :, :2]).sum(axis=-1)

    seeds = np.arange(count) + 1000 * seed
    world = mirrorenv.make_batch("mirrorenv/ants-v0", num_envs=count, **options)
    return play_episodes(world, walk, seeds), seeds


def tables(count: int = 12, seed: int = 0, **options: Any) -> dict[str, Any]:
    """The tables of a population result."""
    record, seeds = episodes(count, seed, **options)
    steps = np.log(HABITS).T[record.actions]  # (B, T, N, N)
    over_time = steps.cumsum(axis=1)[:, :, None]  # (B, T, 1, N, N)
    final = over_time[:, -1]
    return population_tables(
        record, seeds, {"learned": 0.5 * final, "limit": final}, {"learned": 0.5 * over_time}
    )


def about(
    seed: int = 0, *, condition: str = "habits", suite: SuiteMark | None = None, **changes: Any
) -> Result:
    """What result.json says of it."""
    content: dict[str, Any] = {
        "kind": "population",
        "title": f"ants, seed {seed}",
        "world": "mirrorenv/ants-v0",
        "entries": (Entry(condition=condition, agents="scripted"),),
        "figures": (
            Figure(name="return", title="Return", better="high"),
            Figure(name="learned.top1", title="Recognised", of="belief", share=True, better="high"),
            *(Figure(name=f"learned.{name}", title=name, of="belief") for name in SCORED[1:]),
            Figure(name="limit.information", title="Limit", of="belief"),
        ),
        "seeds": (seed,),
        "streams": ("learned", "limit"),
        "readers": (
            Reader(name="learned", stream="learned", decode="independent", limit="limit"),
            Reader(name="limit", stream="limit", decode="marginals"),
        ),
        "suite": suite,
    }
    return Result(**{**content, **changes})


def population_folder(
    path: Path, seed: int = 0, *, count: int = 12, form: Any = "auto", **words: Any
) -> Path:
    """A whole population result."""
    write_result(path, about(seed, **words), tables(count, seed), form=form)
    return path


def table_folder(
    path: Path,
    values: dict[str, dict[int, list[float]]],
    *,
    suite: SuiteMark | None = None,
    world: str = "mirrorenv/identity-v0",
    better: Any = "high",
    reference: float | None = None,
    **changes: Any,
) -> Path:
    """A table result: condition -> seed -> one value an episode."""
    rows = [
        (entry, seed, number, value)
        for entry, seeds in enumerate(values.values())
        for seed, drawn in seeds.items()
        for number, value in enumerate(drawn)
    ]
    entry, seed, number, value = (np.array(column) for column in zip(*rows, strict=True))
    compared = (
        {} if reference is None else {"measured": Reference(value=reference, source="closed form")}
    )
    result = Result(
        kind="table",
        title="a table",
        world=world,
        entries=tuple(
            Entry(condition=name, agents="simulated", references=compared) for name in values
        ),
        figures=(Figure(name="measured", title="Measured", better=better),),
        seeds=tuple(next(iter(values.values()))),
        suite=suite,
        **changes,
    )
    write_result(
        path,
        result,
        {"episodes": {"entry": entry, "seed": seed, "episode": number, "measured": value}},
    )
    return path
