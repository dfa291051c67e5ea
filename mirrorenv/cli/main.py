"""The command line: thin commands over the rooms.

Exit codes: 0 done, 1 what was asked for could not be done (the message says why), 2 wrong usage,
130 interrupted.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from mirrorenv import __version__
from mirrorenv.cli import next_steps as cli_next
from mirrorenv.cli.audit import audit
from mirrorenv.cli.board import board
from mirrorenv.cli.check import check
from mirrorenv.cli.debate_local import debate
from mirrorenv.cli.play import play
from mirrorenv.cli.prefer import prefer
from mirrorenv.cli.results import results, verify
from mirrorenv.entry import run_command
from mirrorenv.errors import require

if TYPE_CHECKING:
    from mirrorenv.mirror import Estimate
    from mirrorenv.results.runs.evaluation import Evaluation

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A mirror test for agents: shown what it and its neighbours did, without names, can it "
    "say who did which?",
)
console = Console(stderr=True)  # standard output is for results
_EARLY = (
    "episodes ended early, and a run is as many iterations as episodes of full length would need"
)

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object as the last line of standard output.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no tables.")]


@app.command()
def worlds(as_json: Json = False) -> None:
    """List the registered worlds."""
    from mirrorenv.envs import registry

    rows = [
        {"id": spec.id, "kind": spec.kind, "leaks": spec.leaks, "description": spec.description}
        for spec in registry().values()
    ]
    if as_json:
        print(json.dumps(rows))
        return
    table = Table("world", "kind", "what it is", "leaks identity")
    for row in rows:
        table.add_row(row["id"], row["kind"], row["description"], row["leaks"] or "not known to")
    Console().print(table)


@app.command()
def train(
    world: Annotated[
        str | None,
        typer.Argument(
            help="Id of a world, e.g. mirrorenv/ants-v0 (or just ants-v0), or package.module:Env."
        ),
    ] = None,
    config: Annotated[
        list[Path] | None, typer.Option("--config", "-c", help="TOML or YAML file; repeatable.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="Override one setting: mirror.weight=0. Repeatable."),
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Run folder (default: runs/<world>-seed<seed>).")
    ] = None,
    weight0: Annotated[
        Path | None, typer.Option(help="A weight-0 run to draw beside this one in the report.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option(help="Replace a run that is already in the folder.")
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a population in a world and write its report. The same command resumes a run that was
    cut short."""
    _require_training()
    from mirrorenv.cli.progress import TrainingDisplay
    from mirrorenv.envs import full_id
    from mirrorenv.results.report.report import write_report
    from mirrorenv.results.runs.evaluation import Evaluation
    from mirrorenv.results.runs.run_folder import RunFolder
    from mirrorenv.rllib.run import default_run_path
    from mirrorenv.rllib.run import train as run_training
    from mirrorenv.rllib.settings import load_settings

    settings = load_settings(world and full_id(world), config or (), overrides or ())
    path = run or default_run_path(settings)
    if (
        not overwrite
        and (path / "run.json").is_file()
        and RunFolder.open(path).status == "finished"
        and not quiet
    ):
        console.print(f"{path} is already finished; --overwrite trains it again", soft_wrap=True)
    with TrainingDisplay(
        settings, console, quiet=quiet or not console.is_terminal, silent=quiet
    ) as display:
        folder = run_training(
            settings,
            path,
            if_exists="overwrite" if overwrite else "resume",
            progress=display.progress,
        )
    report_path = write_report(folder.path, weight0)
    final = Evaluation.from_dict(folder.evaluations()[-1])
    if not quiet:
        _print_scores(final)
        if (done := final.env_steps or 0) < settings.total_steps:
            console.print(
                f"{done:,} of {settings.total_steps:,} steps: {_EARLY}",
                soft_wrap=True,
            )
        console.print(f"run folder  {folder.path}\nreport      {report_path}", soft_wrap=True)
        cli_next.print_next(console, cli_next.evaluate(folder.path, settings.world))
    if as_json:
        print(json.dumps(_summary(final, folder.path, report_path)))


@app.command()
def evaluate(
    checkpoint: Annotated[
        Path, typer.Argument(help="A checkpoint folder, or a run folder (its last checkpoint).")
    ],
    episodes: Annotated[int, typer.Option(min=8, help="Held-out episodes.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the held-out episodes.")] = 1_000_000,
    world_name: Annotated[
        str | None,
        typer.Option(
            "--world", help="Its world, if that is package.module:Env: code is run only if named."
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure a saved population again, on fresh episodes, against the exact limit and the
    baselines."""
    _require_training()
    from mirrorenv.envs import make_batch, spec
    from mirrorenv.population.checkpoint import load_population, world_of
    from mirrorenv.population.evaluate import evaluate as measure
    from mirrorenv.population.settings import MirrorSettings
    from mirrorenv.results.runs.run_folder import checkpoint_folder

    folder = checkpoint_folder(checkpoint)
    population, about = load_population(folder)
    id, options = world_of(about, world_name)
    world, world_spec = make_batch(id, episodes, **options), spec(id, **options)
    mirror = MirrorSettings(**about["mirror"])
    row = measure(
        population, world, world_spec=world_spec, seed=seed, mirror=mirror, baselines=True
    )
    if not quiet:
        _print_scores(row)
        pictures = bool(world.render_modes) or getattr(world, "could_render", False)
        cli_next.print_next(console, cli_next.play(checkpoint, id, pictures=pictures))
    if as_json:
        print(json.dumps(_summary(row, folder, None)))


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    weight0: Annotated[Path | None, typer.Option(help="A weight-0 run to draw beside it.")] = None,
) -> None:
    """Write the report page of a run again."""
    from mirrorenv.results.report.report import write_report
    from mirrorenv.results.runs.run_folder import RunFolder

    print(write_report(run, weight0))
    folder = RunFolder.open(run)
    settings = folder.config
    if folder.status != "finished":
        going_on = (
            f"{run} is not finished: the command that began it goes on from its last checkpoint"
        )
        console.print(going_on, markup=False, highlight=False, soft_wrap=True)
    compared = weight0 or settings.get("mirror", {}).get("weight") == 0
    following = (
        [cli_next.evaluate(run, settings.get("world", ""))] if compared else cli_next.control(run)
    )
    cli_next.print_next(console, *following)


app.command()(play)


app.command()(audit)


app.command()(check)


app.command()(verify)


app.add_typer(debate, name="debate")


app.add_typer(prefer, name="prefer")


app.add_typer(results, name="results")


app.add_typer(board, name="board")


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def main() -> None:
    """Entry point of the console script."""
    run_command(app, console)


def _require_training() -> None:
    for module in ("torch", "ray.rllib", "safetensors", "tensorboard"):
        require(module, "train")


def _summary(found: Evaluation, path: Path, report_path: Path | None) -> dict[str, Any]:
    row = found.to_dict()
    return {
        "top1": row["learned"]["top1"],
        "information": row["learned"]["information"],
        "limit": row["limit"]["information"],
        "limit_valid": found.limit_valid,
        "return": row["return"],
        "mirror_return": row["mirror_return"],
        "num_agents": found.num_agents,
        "lineup_size": found.lineup_size or found.num_agents,
        "env_steps": found.env_steps,
        "path": str(path),
        "report": None if report_path is None else str(report_path),
    }


def _print_scores(found: Evaluation) -> None:
    """Learned observers, the limit and the baselines side by side."""
    table = Table(
        "observer",
        "top-1",
        "exact lineup",
        "information (nats)",
        title=f"{found.episodes} held-out episodes",
    )
    limit = "exact limit" if found.limit_valid else "limit, not exact"
    lines = {"learned": found.learned, "learned, joint": found.learned_joint, limit: found.limit}
    lines |= {f"baseline: {name}": score for name, score in found.baselines.items()}
    for name, score in lines.items():
        if score.given:
            figures = (score.top1, score.exact, score.information)
            table.add_row(name, *(_text(figure) for figure in figures))
    console.print(table)
    if not found.limit_valid:
        console.print(f"The limit is not exact in this world: {found.limit_reason}", soft_wrap=True)
    console.print(
        f"environment return {_text(found.environment_return)}, mirror return "
        f"{_text(found.mirror_return)}"
    )


def _text(estimate: Estimate | None) -> str:
    return "undefined" if estimate is None else estimate.text()
