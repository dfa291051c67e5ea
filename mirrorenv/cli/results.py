"""`mirrorenv verify` and `mirrorenv results ...`: result folders that a stranger can recompute."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from mirrorenv.cli import next_steps
from mirrorenv.cli._common import (
    EPISODE_SEED,
    Code,
    Instead,
    Json,
    Npz,
    Overwrite,
    Quiet,
    World,
    console,
    ends_in,
    name_all,
    print_json,
    print_path,
    say,
    written_to,
)
from mirrorenv.cli.provers import Proofs, provers_of
from mirrorenv.cli.recorded_config import check_config
from mirrorenv.cli.run_kinds import ExportOptions, kind_of
from mirrorenv.cli.waiting import Waiting
from mirrorenv.entry import add_commands
from mirrorenv.errors import ResultError
from mirrorenv.plain_text import one_line
from mirrorenv.results.runs.limits import confined, received

__all__ = ["results", "verify"]

results = typer.Typer(
    no_args_is_help=True, help="Result folders: make them, share them without labels."
)
Folder = Annotated[Path, typer.Argument(help="A result folder.")]


def verify(
    folder: Folder,
    retrain: Annotated[
        bool,
        typer.Option(
            "--retrain", help="Also train it again from its seed and compare it bit by bit."
        ),
    ] = False,
    proofs: Proofs = None,
    world: World = None,
    code: Code = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Check somebody's result folder: every byte, every score, the world from its seeds, and the
    evidence from its weights if it holds them. Nothing in it is run.

    Exit codes: 0 all true, 1 something is not (the message says what), 2 wrong usage.
    """
    name_all(world, code=code)
    work = partial(_verify, folder, world, code, retrain, proofs, as_json)
    if retrain:  # a training takes what it takes, and was asked for
        confined(work, megabytes=4096, seconds=0)
    else:
        confined(work)


def _verify(
    folder: Path,
    world: str | None,
    code: list[str] | None,
    retrain: bool,
    proofs: Path | None,
    as_json: bool,
) -> None:
    from mirrorenv.results.board.proofs import record_proofs
    from mirrorenv.results.folders.verify import verify_result

    with Waiting(f"verifying {folder}"):
        found = verify_result(
            folder,
            world=world,
            provers=provers_of(retrain=retrain),
            config_reader=check_config,
        )
    say(one_line(found.title))
    for line in found.checks:
        say(f"  true         {one_line(line)}")
    for line in found.unchecked:
        say(f"  not checked  {one_line(line)}")
    say(f"  proved       {found.proved.words}")
    if proofs is not None:
        record_proofs(proofs, {folder: found.proved}, of_their_rows=False)
    is_code = any("name it to run it" in line for line in found.unchecked)
    if not retrain and not is_code and any("--retrain" in line for line in found.unchecked):
        again = next_steps.verify(folder, world or "", code=code, proofs=proofs)
        next_steps.print_next(console, f"{again} --retrain")
    if as_json:
        said = {"result": str(folder), "checks": found.checks, "unchecked": found.unchecked}
        print_json({**said, "proved": found.proved.name.lower()})
    trained = any("trained again" in line for line in (*found.checks, *found.unchecked))
    refused = any(line.startswith("not trained again") for line in found.unchecked)
    if retrain and (refused or not trained):
        raise ResultError(f"{folder} was not trained again; the lines above say why")


def export(
    run: Annotated[
        Path, typer.Argument(help="A finished run folder: training, debate or self versus other.")
    ],
    out: Annotated[Path | None, typer.Option(help="Where it goes (default: RUN/result).")] = None,
    episodes: Annotated[
        int, typer.Option(min=8, help="Fresh episodes of a trained population.")
    ] = ExportOptions.episodes,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=2**31 - 1,
            help=EPISODE_SEED,
        ),
    ] = ExportOptions.seed,
    condition: Annotated[
        str | None, typer.Option(help="Name of its line on a leaderboard.")
    ] = None,
    small: Annotated[
        bool, typer.Option("--small", help="Leave out the evidence after every step.")
    ] = False,
    npz: Npz = False,
    overwrite: Overwrite = False,
    world: World = None,
    code: Code = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make a result folder from a run: trajectories, lineups, evidence, scores, checksums. Anyone
    can verify it."""
    from mirrorenv.results.runs.run_folder import EXPORTED, RunFolder

    name_all(world, code=code)
    options = ExportOptions(
        target=out or run / EXPORTED,
        episodes=episodes,
        seed=seed,
        condition=condition,
        over_time=not small,
        form="npz" if npz else "auto",
        overwrite=overwrite,
        world=world,
    )
    config = RunFolder.open(run).config
    work = partial(_export, run, config, options, code, as_json)
    confined(work, megabytes=kind_of(config).megabytes, seconds=0)


def _export(
    run: Path,
    config: Mapping[str, Any],
    options: ExportOptions,
    code: list[str] | None,
    as_json: bool,
) -> None:
    from mirrorenv.results.folders.result_folder import refuse_existing

    target = options.target
    refuse_existing(target, overwrite=options.overwrite)  # before anything slow is loaded
    with Waiting(f"playing and writing {target}"):
        kind_of(config).export(run, options)
    if as_json:
        print_json({"result": str(target)})
    else:
        print_path(target)
    played = options.world or str(config.get("world", ""))
    check = next_steps.verify(target, played, code=code)
    next_steps.print_next(console, check, next_steps.board(target))


@received
def share(
    folder: Folder,
    instead: Instead = None,
    out: Annotated[
        Path | None, typer.Option(help="A new folder (default: FOLDER-unlabelled).")
    ] = None,
    npz: Npz = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Copy trajectories and lineups without labels, and without what would give them away: a riddle
    for others."""
    from mirrorenv.results.folders.sharing import share_unlabelled
    from mirrorenv.results.folders.verify import check_files

    whole = Path(os.path.abspath(folder))  # links are not followed: they may lead in a circle
    place = written_to(out, instead, whole.parent / f"{whole.name or 'folder'}-unlabelled")
    with Waiting(f"writing {place}"):
        check_files(folder)
        shared = share_unlabelled(folder, place, "npz" if npz else "auto")
    if as_json:
        print_json({"result": str(shared)})
    else:
        print_path(shared)
    say("The labels stay in the folder it was made from; send the new one alone.")


@received
def marl_eval(
    folders: Annotated[list[Path], typer.Argument(help="Run folders of trainings.")],
    out: Annotated[Path, typer.Option(help="The JSON file.")] = Path("marl_eval.json"),
    as_json: Json = False,
) -> None:
    """Write evaluations over training in the form that marl-eval reads: environment, task,
    algorithm, seed, step."""
    from mirrorenv.results.runs.files import atomic_write_json
    from mirrorenv.results.stats.marl_eval import marl_eval_of_runs

    ends_in(out, ".json", "--out")
    atomic_write_json(out, marl_eval_of_runs(folders))
    if as_json:
        print_json({"file": str(out)})
    else:
        print_path(out)


add_commands(results, export, share, marl_eval)
