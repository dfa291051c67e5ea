"""`mirrorenv train`: a population in a world, and its report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorenv.cli import next_steps
from mirrorenv.cli._common import (
    ConfigFiles,
    Json,
    MaybeWorldId,
    Overwrite,
    Quiet,
    console,
    print_json,
    require_all,
    say,
    say_places,
)
from mirrorenv.cli.scores import TRAINING, print_scores, reads_worse, summary
from mirrorenv.cli.setting_options import chosen
from mirrorenv.errors import ConfigError, RunFolderError, WorldError
from mirrorenv.plain_text import in_one_line

if TYPE_CHECKING:
    from mirrorenv.rllib.settings import RunSettings

__all__ = ["train"]

_MAIN = "Main settings (all of them: mirrorenv settings train)"


def train(
    world: MaybeWorldId = None,
    steps: Annotated[
        int | None, typer.Option(help="Environment steps (total_steps).", rich_help_panel=_MAIN)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of everything (seed).", rich_help_panel=_MAIN)
    ] = None,
    agents: Annotated[
        int | None,
        typer.Option(help="How many agents (world_options.num_agents).", rich_help_panel=_MAIN),
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option(help="Weight of the mirror reward (mirror.weight).", rich_help_panel=_MAIN),
    ] = None,
    credit: Annotated[
        str | None,
        typer.Option(help="Who is paid for recognition (mirror.credit).", rich_help_panel=_MAIN),
    ] = None,
    actor: Annotated[
        str | None,
        typer.Option(help="Kind of agent: mlp, gru (population.actor).", rich_help_panel=_MAIN),
    ] = None,
    env_runners: Annotated[
        int | None,
        typer.Option(help="Ray actors that sample (resources.env_runners).", rich_help_panel=_MAIN),
    ] = None,
    config: ConfigFiles = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="Change any setting: mirror.weight=0. Repeatable."),
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
    cut short.

    All settings with their meaning: mirrorenv settings train
    """
    given = chosen(
        {
            "--steps": ("total_steps", steps),
            "--seed": ("seed", seed),
            "--agents": ("world_options.num_agents", agents),
            "--weight": ("mirror.weight", weight),
            "--credit": ("mirror.credit", credit),
            "--actor": ("population.actor", actor),
            "--env-runners": ("resources.env_runners", env_runners),
        },
        overrides,
    )
    require_all(*TRAINING)
    with _agents_are(agents):
        settings, path = _checked(world, config, overrides, given, run)
    try:
        done = _check_folders(settings, path, weight0, overwrite=overwrite, quiet=quiet)
    except RunFolderError:
        if config or overrides or credit or actor:
            from mirrorenv.rllib.run import settled_run

            settled_run(settings)  # a name that was mistyped is said first
        raise

    # whatever was mistyped has been said; from here on it is slow
    from mirrorenv.cli.progress import TrainingDisplay
    from mirrorenv.results.report.report import write_report
    from mirrorenv.results.report.words import counted
    from mirrorenv.results.runs.evaluation import Evaluation
    from mirrorenv.rllib.run import train as run_training

    with (
        _agents_are(agents),
        TrainingDisplay(
            settings, console, quiet=quiet or not console.is_terminal, silent=quiet
        ) as display,
    ):
        folder = run_training(
            settings,
            path,
            if_exists="overwrite" if overwrite else "resume",
            progress=display.progress,
            show=True,
        )
    # a page that was written once may show the run with weight 0, and goes on doing so
    keep = done and weight0 is None and folder.report_path.is_file()
    with next_steps.page_can_wait(folder.path):
        page = folder.report_path if keep else write_report(folder.path, weight0)
    final = Evaluation.from_dict(folder.evaluations()[-1])
    if not quiet:
        print_scores(final)
        if (told := _steps_taken(settings, int(final.env_steps or 0), display.planned)) is not None:
            say(told)
        if (baseline := reads_worse(final)) is not None:
            say(
                f"The observers have learned for {counted(len(folder.metrics()), 'iteration')}, "
                f"and the baseline {baseline} still reads better: train longer "
                "(--steps, and --run for a new folder)"
            )
        say_places(run_folder=folder.path, page=page)
        next_steps.print_next(console, next_steps.evaluate(folder.path, settings.world))
    if as_json:
        print_json(summary(final, run=folder.path, page=page))


def _steps_taken(settings: RunSettings, taken: int, planned: int) -> str | None:
    """Why there are more or fewer steps than were asked for; None if there are just as many.

    Args:
        settings: of the run.
        taken: steps.
        planned: what its iterations take where no episode ends early; 0 if it was finished before.
    """
    from mirrorenv.cli.progress import whole_iterations

    asked = settings.total_steps
    if taken == asked:
        return None
    if taken == planned:
        return f"{taken:,} steps were taken for {asked:,} asked for: {whole_iterations(settings)}"
    of = f" of {planned:,} planned" if planned else ""
    return (
        f"{taken:,} steps were taken{of} ({asked:,} asked for, {whole_iterations(settings)}): "
        "episodes ended early"
    )


@contextmanager
def _agents_are(agents: int | None) -> Iterator[None]:
    """A world without that argument is said to be without `--agents`, which was typed."""
    try:
        yield
    except (ConfigError, WorldError) as error:
        if agents is None or "'num_agents'" not in str(error):
            raise
        raise type(error)(
            f"--agents {agents} is world_options.num_agents, and this world has no such argument: "
            "its number of agents is its own, or has another name (--set "
            f"world_options.NAME={agents}).\n{error}"
        ) from error


def _checked(
    world: str | None,
    config: list[Path] | None,
    overrides: list[str] | None,
    given: dict[str, Any],
    run: Path | None,
) -> tuple[RunSettings, Path]:
    """What to train and where; what was mistyped is said before torch or Ray is loaded."""
    from mirrorenv.envs import full_id
    from mirrorenv.rllib.settings import check_world, default_run_path, load_settings

    settings = load_settings(world and full_id(world), config or (), overrides or (), given)
    check_world(settings)
    return settings, run or default_run_path(settings)


def _check_folders(
    settings: RunSettings, path: Path, weight0: Path | None, *, overwrite: bool, quiet: bool
) -> bool:
    """Whether the run that lives there is finished already.

    Args:
        settings: what to train.
        path: of the run.
        weight0: a run to be drawn beside it.
        overwrite: a run that is there is replaced.
        quiet: do not say that it is finished.

    Raises:
        RunFolderError: if something else stands there, another process writes to it, or there is
            no run to draw beside it.
    """
    from mirrorenv.results.runs.lock import refuse_second_writer
    from mirrorenv.results.runs.place import run_at
    from mirrorenv.results.runs.run_folder import RunFolder
    from mirrorenv.results.runs.same_run import Identity
    from mirrorenv.rllib.settings import config_of, config_today

    if weight0 is not None:
        RunFolder.open(weight0)
    refuse_second_writer(path)
    there = run_at(path)
    if there is None or overwrite:
        return False
    # what a population is completed by, its world knows: that difference is found by the run
    wanted = Identity(config_of(settings), settings.seed)
    known = Identity(config_today(there.config), there.info.get("seed"))
    known.refuse_other(path, wanted, may_differ=("population",))
    finished = there.status == "finished"
    if finished and not quiet:
        say(f"{in_one_line(path)} is already finished; --overwrite trains it again")
    return finished
