"""`mirrorenv train`: a population in a world, and its report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mirrorenv.cli import next_steps
from mirrorenv.cli._common import (
    ConfigFiles,
    Json,
    Overwrite,
    Quiet,
    console,
    print_json,
    require_all,
)
from mirrorenv.cli.scores import TRAINING, print_scores, summary

__all__ = ["train"]

_EARLY = (
    "episodes ended early, and a run is as many iterations as episodes of full length would need"
)


def train(
    world: Annotated[
        str | None,
        typer.Argument(
            help="Id of a world, e.g. mirrorenv/ants-v0 (or just ants-v0), or package.module:Env."
        ),
    ] = None,
    config: ConfigFiles = None,
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
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a population in a world and write its report. The same command resumes a run that was
    cut short."""
    require_all(*TRAINING)
    from mirrorenv.envs import full_id
    from mirrorenv.rllib.settings import check_world, load_settings

    settings = load_settings(world and full_id(world), config or (), overrides or ())
    check_world(settings)  # what was mistyped is said before anything slow is loaded

    from mirrorenv.cli.progress import TrainingDisplay
    from mirrorenv.results.report.report import write_report
    from mirrorenv.results.runs.evaluation import Evaluation
    from mirrorenv.results.runs.run_folder import RunFolder
    from mirrorenv.rllib.run import default_run_path
    from mirrorenv.rllib.run import train as run_training

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
        print_scores(final)
        if (done := final.env_steps or 0) < settings.total_steps:
            console.print(f"{done:,} of {settings.total_steps:,} steps: {_EARLY}", soft_wrap=True)
        console.print(f"run folder  {folder.path}\nreport      {report_path}", soft_wrap=True)
        next_steps.print_next(console, next_steps.evaluate(folder.path, settings.world))
    if as_json:
        print_json(summary(final, folder.path, report_path))
