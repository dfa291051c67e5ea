"""`mirrorenv identity`: how far are the agents of anybody's log told apart by what they did?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mirrorenv.cli._common import (
    Json,
    Quiet,
    complain,
    console,
    ends_in,
    print_json,
    print_path,
    say,
)
from mirrorenv.cli.tables import narrow_table
from mirrorenv.cli.waiting import Waiting
from mirrorenv.errors import ConfigError
from mirrorenv.plain_text import in_one_line
from mirrorenv.results.runs.limits import received

__all__ = ["identity"]

_ROWS = 12


@received
def identity(
    log: Annotated[
        list[Path],
        typer.Argument(
            help="CSV, TSV, npz, Parquet, JSON lines of steps or of chats, a Minari data set, a "
            "result folder, or a folder of such. Several logs without names are of one agent each."
        ),
    ],
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns",
            "-c",
            help="What is what, where the guess is wrong: agent=who, episode=game, step=t, "
            "action=move, observation=x,y, text=says. Repeatable.",
        ),
    ] = None,
    steps_per_episode: Annotated[
        int | None, typer.Option(min=1, help="Cut one long episode into parts of so many steps.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("identity.html"),
    seed: Annotated[int, typer.Option(min=0, help="Of the dealing of episodes into folds.")] = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Anybody's recorded behaviour in, identity out: who is told apart, how far, and by what."""
    ends_in(out, ".html", "--out")
    roles = _roles(columns or [])
    with Waiting("reading") as status:
        from mirrorenv.instrument.page import write_page
        from mirrorenv.instrument.telling_apart import identity as measured
        from mirrorenv.instrument.words import sentences, to_dict

        found = measured(
            *log,
            columns=roles,
            steps_per_episode=steps_per_episode,
            seed=seed,
            doing=status.update,
        )
        status.update("drawing the page")
        page = write_page(found, out, log[0].name or str(log[0]))
    for note in found.notes:
        say(f"{'understood':<12}{in_one_line(note)}", "dim")
    for sentence in sentences(found):
        say(in_one_line(sentence))
    table = narrow_table("nats", first="what is read")
    for part in [*found.parts, *found.columns][:_ROWS]:
        table.add_row(in_one_line(part.part), str(part.identity))
    console.print(table)
    for warning in found.warnings:
        complain(in_one_line(warning))
    if as_json:
        print_json({**to_dict(found), "page": str(page)})
    else:
        print_path(page)


def _roles(given: list[str]) -> dict[str, list[str]]:
    roles: dict[str, list[str]] = {}
    for text in given:
        role, sign, names = text.partition("=")
        if not sign or not names:
            raise ConfigError(f"--columns {text!r}: write it as role=column, for example agent=who")
        roles[role.strip()] = [name.strip() for name in names.split(",")]
    return roles
