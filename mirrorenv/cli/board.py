"""`mirrorenv board ...`: the leaderboard from result folders, and what a submission must fulfil."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirrorenv.cli import next_steps
from mirrorenv.cli._common import (
    Code,
    Json,
    Quiet,
    World,
    console,
    ends_in,
    name_all,
    print_json,
    say,
    say_places,
)
from mirrorenv.cli.provers import Proofs, provers_of
from mirrorenv.cli.recorded_config import check_config
from mirrorenv.cli.waiting import Waiting
from mirrorenv.entry import add_commands
from mirrorenv.errors import ConfigError
from mirrorenv.plain_text import in_one_line, one_line
from mirrorenv.results.report.words import counted
from mirrorenv.results.runs.limits import received

if TYPE_CHECKING:
    from mirrorenv.results.board.suite import Suite

__all__ = ["board"]

board = typer.Typer(
    no_args_is_help=True, help="The leaderboard: build its page, check a submission."
)

Folders = Annotated[list[Path], typer.Argument(help="Result folders, or folders that hold some.")]
Suites = Annotated[
    Path | None,
    typer.Option(
        help="Folder of suite files (default: 'suites' beside the results or above them)."
    ),
]


@received
def build(
    folders: Folders,
    out: Annotated[
        Path, typer.Option(help="The page; the same as Markdown is written beside it.")
    ] = Path("board.html"),
    title: Annotated[str, typer.Option(help="Title of the page.")] = "Leaderboard",
    suites: Suites = None,
    proofs: Annotated[
        Path | None,
        typer.Option(help="Your file from 'board check --proofs': lines are marked by it."),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write one self-contained page, and the same tables as Markdown.

    Files are compared with their manifests; that the numbers follow from them is what `mirrorenv
    board check` says.
    """
    from mirrorenv.results.board.board import collect, result_folders
    from mirrorenv.results.board.opening import opening_markdown
    from mirrorenv.results.board.page import board_page
    from mirrorenv.results.board.proofs import read_proofs
    from mirrorenv.results.board.text import markdown
    from mirrorenv.results.runs.files import atomic_write_text

    ends_in(out, ".html", "--out")
    found = result_folders(folders)
    known = None if proofs is None else read_proofs(proofs)
    text = out.with_suffix(".md")
    with Waiting(f"reading {counted(len(found), 'result')}") as waiting:
        sections = collect(found, _suites(suites, folders), proofs=known)
        waiting.update(f"writing {out}")
        out.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_text(out, board_page(sections, out, title))
        atomic_write_text(text, markdown(sections, text, opening_markdown(sections)))
    lines = sum(len(section.lines) for section in sections)
    held = ", ".join(
        (counted(len(found), "result"), counted(lines, "line"), counted(len(sections), "table"))
    )
    say(f"{held}; files match their manifests")
    say_places(page=out, Markdown=text)
    checks = [next_steps.check(folder, suites=suites, proofs=proofs) for folder in folders]
    next_steps.print_next(console, *checks)
    if as_json:
        print_json({"results": len(found), "lines": lines, "page": str(out), "markdown": str(text)})


@received
def check(
    folder: Annotated[
        Path, typer.Argument(help="A submission: a result folder, or a folder that holds some.")
    ],
    suites: Suites = None,
    proofs: Proofs = None,
    world: World = None,
    code: Code = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Check a submission: schema, manifest, scores, suite, seeds, weights. Exit code 1 says in one
    line what is wrong; what is not checked is said row by row."""
    from mirrorenv.results.board.check import check_submission
    from mirrorenv.results.board.proofs import record_proofs

    name_all(world, code=code)
    known = _suites(suites, [folder])
    with Waiting(f"checking {folder}"):
        found = check_submission(
            folder,
            known,
            world=world,
            provers=provers_of(retrain=False),
            config_reader=check_config,
        )
    names = f" of suite {', '.join(found.suites)}" if found.suites else ""
    many = len(found.folders)
    fine = f"{counted(many, 'result')}{names} {'are' if many > 1 else 'is'} fine"
    say(f"{in_one_line(folder)}: {fine}")
    number_of = {reason: str(number) for number, (reason, _) in enumerate(found.unchecked, start=1)}
    for reason, count in found.unchecked:
        say(f"  not checked  {one_line(reason)} ({counted(count, 'result')}) [{number_of[reason]}]")
    for row in found.rows:
        left = ", ".join(sorted((number_of[one] for one in row.unchecked), key=int))
        told = f"{one_line(row.name)}: {counted(row.results, 'result')}, {row.proved.words}"
        say(f"  row          {told}{f'; not checked: [{left}]' if left else ''}")
    for name, seconds in found.absent:
        say(f"  not there    {one_line(name)} (about {seconds / 60:.1f} minutes of one core)")
    if len(found.absent) > 1:
        hours = sum(seconds for _, seconds in found.absent) / 3600
        say(
            f"  in all       {counted(len(found.absent), 'row')} not there, about {hours:.1f} "
            "hours of one core"
        )
    if proofs is not None:
        record_proofs(proofs, found.proved, of_their_rows=True)
    next_steps.print_next(console, next_steps.board(folder, suites=suites, proofs=proofs))
    if as_json:
        said = {
            "folder": str(folder),
            "rows": [
                {**vars(row), "proved": row.proved.name.lower(), "unchecked": list(row.unchecked)}
                for row in found.rows
            ],
            "results": many,
            "suites": found.suites,
            "unchecked": dict(found.unchecked),
        }
        print_json({**said, "absent": dict(found.absent)})


def _suites(given: Path | None, near: Sequence[Path]) -> dict[str, Suite]:
    """From the folder that is given, or from those beside the results."""
    from mirrorenv.results.board.suite import find_suites, load_suite

    if given is None:
        return {
            name: suite for folder in reversed(near) for name, suite in find_suites(folder).items()
        }
    if not (files := sorted(given.glob("*.toml"))):
        raise ConfigError(
            f"--suites {given}: "
            f"{'holds no suite (*.toml)' if given.is_dir() else 'there is no such folder'}"
        )
    return {suite.name: suite for suite in map(load_suite, files)}


add_commands(board, build, check)
