"""`mirrorenv verify` and `mirrorenv results ...`: result folders that a stranger can recompute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mirrorenv.errors import require

if TYPE_CHECKING:
    from mirrorenv.results.folders.tables import Form

__all__ = ["results", "verify"]

results = typer.Typer(
    no_args_is_help=True, help="Result folders: make them, share them without labels."
)
console = Console(stderr=True)

Folder = Annotated[Path, typer.Argument(help="A result folder.")]
World = Annotated[
    str | None,
    typer.Option(
        "--world", help="Its world, if that is package.module:Env: code is run only if named."
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object as the last line of standard output.")
]


def _say(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def verify(folder: Folder, world: World = None, as_json: Json = False) -> None:
    """Check somebody's result folder: every byte, every score, and the world from its seeds.
    Nothing in it is run.

    Exit codes: 0 all true, 1 something is not (the message says what), 2 wrong usage.
    """
    from mirrorenv.results.folders.verify import verify_result

    found = verify_result(folder, world=world)
    _say(f"{found.title}")
    for line in found.checks:
        _say(f"  true         {line}")
    for line in found.unchecked:
        _say(f"  not checked  {line}")
    if as_json:
        print(
            json.dumps(
                {"folder": str(folder), "checks": found.checks, "unchecked": found.unchecked}
            )
        )


@results.command()
def export(
    run: Annotated[
        Path, typer.Argument(help="A finished run folder: training, debate or self versus other.")
    ],
    out: Annotated[Path | None, typer.Option(help="Where it goes (default: RUN/result).")] = None,
    episodes: Annotated[
        int, typer.Option(min=8, help="Fresh episodes of a trained population.")
    ] = 256,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Seed of these episodes.")
    ] = 1_000_000,
    condition: Annotated[
        str | None, typer.Option(help="Name of its line on a leaderboard.")
    ] = None,
    small: Annotated[
        bool, typer.Option("--small", help="Leave out the evidence after every step.")
    ] = False,
    npz: Annotated[
        bool, typer.Option("--npz", help="Tables as npz, also where pyarrow is installed.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option(help="Replace a result that is already there.")
    ] = False,
    world: World = None,
) -> None:
    """Make a result folder from a run: trajectories, lineups, evidence, scores, checksums. Anyone
    can verify it."""
    from mirrorenv.results.runs.run_folder import RunFolder

    target = out or run / "result"
    form: Form = "npz" if npz else "auto"
    config = RunFolder.open(run).config
    if config.get("room") == "preference":
        for module in ("torch", "transformers", "peft", "trl", "safetensors"):
            require(module, "trl")
        from mirrorenv.preference.export import export_preference

        export_preference(run, target, condition=condition, form=form, overwrite=overwrite)
    elif config.get("what") == "debate tournament":
        from mirrorenv.debate.output.result import export_tournament
        from mirrorenv.debate.scoring.results import open_results

        export_tournament(open_results(run), target, form=form, overwrite=overwrite)
    else:
        for module in ("torch", "safetensors"):
            require(module, "train")
        from mirrorenv.population.export import export_run

        fresh = {
            "episodes": episodes,
            "seed": seed,
            "condition": condition,
            "over_time": not small,
            "world": world,
        }
        export_run(run, target, form=form, overwrite=overwrite, **fresh)  # type: ignore[arg-type]
    print(target)
    _say(
        f"next        mirrorenv verify {target}\n            mirrorenv board build {target} --out "
        "board.html"
    )


@results.command()
def share(
    folder: Folder,
    out: Annotated[Path, typer.Argument(help="A new folder.")],
    npz: Annotated[
        bool, typer.Option("--npz", help="Tables as npz, also where pyarrow is installed.")
    ] = False,
) -> None:
    """Copy trajectories and lineups without labels, and without what would give them away: a riddle
    for others."""
    from mirrorenv.results.folders.sharing import share_unlabelled
    from mirrorenv.results.folders.verify import check_files

    check_files(folder)
    print(share_unlabelled(folder, out, "npz" if npz else "auto"))


@results.command("marl-eval")
def marl_eval(
    folders: Annotated[list[Path], typer.Argument(help="Run folders of trainings.")],
    out: Annotated[Path, typer.Option(help="The JSON file.")] = Path("marl_eval.json"),
) -> None:
    """Write evaluations over training in the form that marl-eval reads: environment, task,
    algorithm, seed, step."""
    from mirrorenv.results.runs.files import atomic_write_json
    from mirrorenv.results.stats.marl_eval import marl_eval_of_runs

    atomic_write_json(out, marl_eval_of_runs(folders))
    print(out)
