"""The command line: thin commands over the rooms.

What every option and exit code means is on the page `docs/command-line.md`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from mirrorenv import __version__
from mirrorenv.cli._common import Json, errors, hush, print_json
from mirrorenv.cli.audit import audit
from mirrorenv.cli.board import board
from mirrorenv.cli.check import check
from mirrorenv.cli.debate import debate
from mirrorenv.cli.evaluate import evaluate
from mirrorenv.cli.identity import identity
from mirrorenv.cli.play import play
from mirrorenv.cli.prefer import prefer
from mirrorenv.cli.report import report
from mirrorenv.cli.results import results, verify
from mirrorenv.cli.settings import settings
from mirrorenv.cli.train import train
from mirrorenv.cli.worlds import worlds
from mirrorenv.entry import add_commands, run_command
from mirrorenv.results.runs import limits

__all__ = ["app", "main"]


def version(as_json: Json = False) -> None:
    """Print the version."""
    if as_json:
        print_json({"version": __version__})
    else:
        print(__version__)


def _version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="A mirror test for agents: shown what it and its neighbours did, without names, can it "
    "say who did which?",
)
add_commands(app, worlds, settings, train, evaluate, report, play, audit, check, verify)
add_commands(app, version, identity)
app.add_typer(debate, name="debate")
app.add_typer(prefer, name="prefer")
app.add_typer(results, name="results")
app.add_typer(board, name="board")


@app.callback()
def begin(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """What stands before every command."""
    hush(False)


def main() -> None:
    """Entry point of the console script."""
    limits.arm()
    run_command(app, errors)
