"""Whole folders to break: one of each kind, made once."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from mirrorenv.results.runs.manifest import write_manifest
from tests.results.results_of_ants import population_folder
from tests.results.synthetic import make_run

Maker = Callable[[Path], Path]


def result(path: Path) -> Path:
    """A result folder that is whole."""
    return population_folder(path, form="npz", count=8)


def run(path: Path) -> Path:
    """A training run that is whole."""
    return make_run(path, count=2).path


def checkpoint(path: Path) -> Path:
    """A checkpoint that is whole."""
    from mirrorenv.population.checkpoint import save_population
    from tests.population.small import population

    about = {
        "world": "mirrorenv/ants-v0",
        "world_options": {},
        "seed": 0,
        "env_steps": 1,
        "mirror": {},
    }
    save_population(path, population(), about)
    return path


def tournament(path: Path) -> Path:
    """A tournament of scripted players that has been played."""
    from mirrorenv.debate.calls import Budget
    from mirrorenv.debate.log import CALLS, CallLog
    from mirrorenv.debate.playing import play_tournament
    from mirrorenv.debate.starter import write_starter
    from mirrorenv.debate.tournament import load_tournament

    file = write_starter(path.with_name(f"{path.name}.start"), "default")
    design = load_tournament(file, games=2, overrides={"rounds": 1})
    folder = design.folder(path)
    asyncio.run(play_tournament(design, CallLog(path / CALLS), Budget()))
    folder.finish()
    return path


def suite(path: Path) -> Path:
    """A suite in its file."""
    path.mkdir(parents=True)
    (path / "small.toml").write_text(
        'name = "small"\nversion = 1\ntitle = "T"\nfigures = ["return"]\nprimary = "return"\n'
        '[[rows]]\nrow = "one"\nworld = "mirrorenv/ants-v0"\nrunner = "trained"\nseeds = 1\n'
        "seconds = 1.0\n"
    )
    return path


MAKERS: dict[str, Maker] = {
    made.__name__: made for made in (result, run, checkpoint, tournament, suite)
}


@cache
def whole(kind: str, place: Path) -> Path:
    """One whole folder of a kind below a place, made when it is first asked for."""
    return MAKERS[kind](place / kind)


def copy_of(kind: str, place: Path, to: Path) -> Path:
    """A copy to break."""
    shutil.rmtree(to, ignore_errors=True)
    return shutil.copytree(whole(kind, place), to)


def files_of(folder: Path, *endings: str) -> list[Path]:
    """Its files of these endings, in order."""
    return sorted(one for one in folder.rglob("*") if one.suffix in endings and one.is_file())


def sign(folder: Path) -> None:
    """Write its manifest as somebody would who changed it on purpose."""
    manifest = folder / "manifest.json"
    if manifest.is_file():
        names = [one for one in folder.rglob("*") if one.is_file() and one != manifest]
        write_manifest(folder, [one.relative_to(folder).as_posix() for one in names])


def put(path: Path, value: Any) -> None:
    """A JSON value into a file, surrogates and all."""
    path.write_text(json.dumps(value), "utf-8")
