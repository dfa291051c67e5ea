"""`mirrorenv debate init`, `check`, `plan` and `run`: what makes and plays a tournament."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mirrorenv.cli._common import Json, console, named_values, print_json, say
from mirrorenv.cli.debate_tables import print_scores
from mirrorenv.errors import ConfigError

if TYPE_CHECKING:
    from mirrorenv.debate.tournament import Tournament

__all__ = ["check", "init", "plan", "run"]

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


def _tournament(
    path: Path, fake: bool, games: int | None, overrides: list[str] | None
) -> Tournament:
    from mirrorenv.debate.tournament import load_tournament

    try:
        settings = named_values(overrides, "rounds=4")
    except ConfigError as error:  # wrong usage
        raise typer.BadParameter(str(error), param_hint="--set") from error
    return load_tournament(path, fake=fake, games=games, overrides=settings)


def init(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    preset: Annotated[str, typer.Option(help="local, original or default.")] = "default",
    as_json: Json = False,
) -> None:
    """Make a tournament to start from: its file and cards of scripted players, ready to run."""
    from mirrorenv.debate.starter import write_starter

    file = write_starter(folder, preset)
    say(f"wrote     {file}\nnext      mirrorenv debate plan {file}")
    if as_json:
        print_json({"tournament": str(file)})


def check(
    card: Annotated[Path, typer.Argument(help="An agent card, TOML.")],
    as_json: Json = False,
) -> None:
    """Say what is wrong with an agent card. Exit code 1 if anything is. Nothing is sent
    anywhere."""
    from mirrorenv.debate.players.checking import card_problems

    problems = card_problems(card)
    for problem in problems:
        say(f"{card}: {problem}", "bold red")
    if not problems:
        say(f"{card}: fine", "green")
    if as_json:
        print_json({"card": str(card), "problems": problems})
    if problems:
        raise typer.Exit(1)


def plan(
    file: File,
    fake: Fake = False,
    games: Games = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Games, calls, tokens and cost before anything is spent, and how narrow the intervals can
    become."""
    from mirrorenv.debate.planning import plan_of

    design = plan_of(_tournament(file, fake, games, overrides))
    table = Table("what", "how much", title=str(escape(str(file))), show_header=False)
    for name, value in design.lines():
        table.add_row(name, value)
    console.print(table)
    if as_json:
        print_json(design.to_json())


def run(
    file: File,
    out: Annotated[
        Path | None, typer.Option(help="Run folder (default: runs/<name of the tournament>).")
    ] = None,
    fake: Fake = False,
    games: Games = None,
    overrides: Set = None,
    max_calls: Annotated[
        int | None, typer.Option(min=0, help="Stop before more calls than this.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=0, help="Stop once so many tokens are used.")
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(min=0, help="Stop once so much is spent.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no table.")] = False,
    as_json: Json = False,
) -> None:
    """Play a tournament. The same command goes on with one that was cut short; no finished call is
    made twice."""
    from mirrorenv.debate.log import CALLS, CallLog
    from mirrorenv.debate.output.scores_file import write_scores
    from mirrorenv.debate.output.view import write_pages
    from mirrorenv.debate.playing import Budget, play_tournament
    from mirrorenv.debate.scoring.ideal_evidence import add_limits
    from mirrorenv.debate.scoring.results import Results
    from mirrorenv.results.runs.lock import only_writer

    tournament = _tournament(file, fake, games, overrides)
    asked = [
        card
        for card in (*tournament.cards, tournament.judge, tournament.paraphraser)
        if card and card.endpoint
    ]
    if max_cost is not None and (unpriced := [card.name for card in asked if card.price is None]):
        raise ConfigError(f"--max-cost needs a [price] in the cards of {', '.join(unpriced)}")
    path = out or Path("runs") / tournament.name
    folder = tournament.folder(path)
    with only_writer(path):
        log = CallLog(path / CALLS)
        if log.torn_bytes and not quiet:
            say(
                f"{path / CALLS}: an unfinished last line of a killed run is left out; its call is "
                "made again"
            )
        bar = Progress(
            TextColumn("games"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[spent]}"),
            TimeElapsedColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        with bar:
            task = bar.add_task("games", total=tournament.games, spent="")

            def show(finished: int, totals: Any) -> None:
                bar.update(task, completed=finished, spent=_spent(totals))

            budget = Budget(max_calls, max_tokens, max_cost)
            outcome = asyncio.run(play_tournament(tournament, log, budget, progress=show))
        results = Results(path, tournament, CallLog(path / CALLS))
        add_limits(results)
        table = write_scores(results)
        page = write_pages(results)
        complete = outcome.finished == tournament.games
        if complete:
            folder.finish()
        else:
            folder.fail(_why(outcome))
    if not quiet:
        print_scores(results)
        say(f"spent     {_spent(outcome.totals)}\nfolder    {path}\npage      {page}")
    if as_json:
        print_json(
            {
                "folder": str(path),
                "page": str(page),
                "finished": outcome.finished,
                "complete": complete,
                "stopped": outcome.stopped,
                "failures": {str(g): why for g, why in outcome.failures.items()},
                "totals": vars(outcome.totals),
                "scores": table,
            }
        )
    if not complete:
        again = _command(file, path, fake, games, overrides)
        say(
            f"not finished: {outcome.finished} of {tournament.games} games. {_why(outcome)}",
            "bold red",
        )
        say(f"Nothing is lost; the same command goes on: {again}")
        raise typer.Exit(1)


def _command(
    file: Path, path: Path, fake: bool, games: int | None, overrides: list[str] | None
) -> str:
    """What was typed, without its budget."""
    words = [
        "mirrorenv",
        "debate",
        "run",
        str(file),
        "--out",
        str(path),
        *(["--fake"] if fake else []),
    ]
    words += ["--games", str(games)] if games is not None else []
    return shlex.join([*words, *(word for one in overrides or () for word in ("--set", one))])


def _why(outcome: Any) -> str:
    if outcome.failures:
        game, why = min(outcome.failures.items())
        games = f"{len(outcome.failures)} games" if len(outcome.failures) > 1 else "a game"
        return f"A player gave no answer in {games}; game {game}: {why}"
    return f"The budget is spent: {outcome.stopped}."


def _spent(totals: Any) -> str:
    parts = [f"{totals.calls:,} calls"]
    if totals.input or totals.output:
        guess = f" ({totals.estimated} calls estimated)" if totals.estimated else ""
        parts.append(f"{totals.input:,} + {totals.output:,} tokens{guess}")
    if totals.cost:
        parts.append(f"cost {totals.cost:.4f}")
    if totals.attempts:
        parts.append(f"{totals.attempts} failed tries")
    return ", ".join(parts)
