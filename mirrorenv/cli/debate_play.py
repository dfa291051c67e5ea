"""`mirrorenv debate init`, `check` and `plan`: what makes a tournament."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from mirrorenv.cli import next_steps
from mirrorenv.cli._common import Json, Quiet, console, named_values, print_json, say, say_places
from mirrorenv.errors import ConfigError
from mirrorenv.plain_text import in_one_line

if TYPE_CHECKING:
    from mirrorenv.debate.tournament import Tournament

__all__ = ["Fake", "File", "Games", "Set", "check", "init", "plan", "read_tournament"]

File = Annotated[
    Path, typer.Argument(help="A tournament's TOML file; 'mirrorenv debate init' makes one.")
]
Fake = Annotated[
    bool,
    typer.Option("--fake", help="Scripted players in the place of all models: free, in seconds."),
]
Games = Annotated[
    int | None, typer.Option(min=1, help="How many games, if not what the file says.")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", "-s", help="Change a setting: rounds=4. Repeatable.")
]


def read_tournament(
    path: Path, fake: bool, games: int | None, overrides: list[str] | None
) -> Tournament:
    """The tournament of a file, with what was typed on top of it.

    Args:
        path: the file.
        fake: scripted players in the place of all models.
        games: how many, if not what the file says.
        overrides: as typed after `--set`.

    Raises:
        ConfigError: for an override that cannot be read, or anything wrong in the files.
    """
    from mirrorenv.debate.tournament import load_tournament

    settings = named_values(overrides, "rounds=4")
    return load_tournament(path, fake=fake, games=games, overrides=settings)


def init(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    preset: Annotated[str, typer.Option(help="local, original or default.")] = "default",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make a tournament to start from: its file and cards of scripted players, ready to run."""
    from mirrorenv.debate.starter import write_starter

    file = write_starter(folder, preset)
    plan = next_steps.pasted(["mirrorenv", "debate", "plan", str(file)])
    say_places(wrote=file)
    next_steps.print_next(console, plan)
    if as_json:
        print_json({"tournament": str(file)})


def check(
    card: Annotated[Path, typer.Argument(help="An agent card, TOML.")],
    live: Annotated[
        bool, typer.Option("--live", help="Send one small call to its server, which may cost.")
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Say what is wrong with an agent card. Exit code 1 if anything is. Nothing is sent anywhere
    without --live."""
    from mirrorenv.debate.players.checking import card_problems

    problems = card_problems(card)
    for problem in problems:
        say(f"{in_one_line(card)}: {problem}", "bold red")
    answered: dict[str, Any] | None = None
    if not problems:
        say(f"{in_one_line(card)}: fine", "green")
        if live:
            answered = _live(card)
            problems += [answered["problem"]] if answered["problem"] else []
    if as_json:
        print_json({"card": str(card), "problems": problems, "live": answered})
    if problems:
        raise typer.Exit(1)


def _live(path: Path) -> dict[str, Any]:
    """Ask the card's server once, and print what came back."""
    import asyncio

    from mirrorenv.debate.cards import load_card
    from mirrorenv.debate.live_check import live_check
    from mirrorenv.results.report.visible import visible

    card = load_card(path)
    if card.endpoint is None:
        raise ConfigError(f"{path}: --live is for cards with an [endpoint]")
    found = asyncio.run(live_check(card))
    for line in found.lines():
        say(visible(line, 1000))
    return {**vars(found)}


def plan(
    file: File,
    fake: Fake = False,
    games: Games = None,
    overrides: Set = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Games, calls, tokens and cost before anything is spent, and how narrow the intervals can
    become."""
    from mirrorenv.debate.planning import plan_of

    design = plan_of(read_tournament(file, fake, games, overrides))
    table = Table("what", "how much", title=str(file), show_header=False)
    for name, value in design.lines():
        table.add_row(name, value)
    console.print(table)
    if as_json:
        print_json(design.to_json())
