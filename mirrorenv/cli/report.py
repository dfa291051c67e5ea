"""`mirrorenv report`: the page of any run, written again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mirrorenv.cli import next_steps
from mirrorenv.cli._common import Json, Quiet, console, print_json, print_path, say
from mirrorenv.cli.run_kinds import kind_of
from mirrorenv.cli.waiting import Waiting
from mirrorenv.plain_text import in_one_line
from mirrorenv.results.runs.limits import received

__all__ = ["report"]


@received
def report(
    run: Annotated[
        Path, typer.Argument(help="A run folder: training, debate or self versus other.")
    ],
    weight0: Annotated[Path | None, typer.Option(help="A weight-0 run to draw beside it.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write the report page of a run again."""
    from mirrorenv.results.runs.run_folder import RunFolder

    folder = RunFolder.open(run)
    kind = kind_of(folder.config)
    with Waiting(f"writing the page of {run}"):
        page = kind.write_page(run, weight0)
    if not as_json:
        print_path(page)
    if folder.status != "finished":
        unfinished = "is not finished: the command that began it goes on from its last checkpoint"
        say(f"{in_one_line(run)} {unfinished}")
    next_steps.print_next(console, *kind.following(run, folder.config, weight0))
    if as_json:
        print_json({"page": str(page), "status": folder.status})
