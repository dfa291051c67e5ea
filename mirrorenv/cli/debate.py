"""The commands `mirrorenv debate ...`: the language-model game as a tournament."""

from __future__ import annotations

import asyncio
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mirrorenv.errors import ConfigError, MirrorError

if TYPE_CHECKING:
    from mirrorenv.mirror import Estimate

__all__ = ["debate"]

debate = typer.Typer(
    no_args_is_help=True,
    help="Debate-unshuffle: language models say who wrote what. Each command has its own --help.",
)
console = Console(stderr=True)

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object as the last line of standard output.")
]
File = Annotated[
    Path, typer.Argument(help="A tournament's TOML file; 'mirrorenv debate init' makes one.")
]
Folder = Annotated[Path, typer.Argument(help="The run folder of a tournament.")]
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


def _tournament(path: Path, fake: bool, games: int | None, overrides: list[str] | None) -> Any:
    from mirrorenv.debate.tournament import load_tournament

    return load_tournament(path, fake=fake, games=games, overrides=_settings(overrides or []))


def _settings(given: list[str]) -> dict[str, Any]:
    import yaml

    found = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign:
            raise typer.BadParameter(f"'{one}' must look like name=value", param_hint="--set")
        found[name] = yaml.safe_load(value)
    return found


def _say(text: str, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


@debate.command()
def init(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    preset: Annotated[str, typer.Option(help="local, original or default.")] = "default",
    as_json: Json = False,
) -> None:
    """Make a tournament to start from: its file and cards of scripted players, ready to run."""
    from mirrorenv.debate.starter import write_starter

    file = write_starter(folder, preset)
    _say(f"wrote     {file}\nnext      mirrorenv debate plan {file}")
    if as_json:
        print(json.dumps({"tournament": str(file)}))


@debate.command()
def check(
    card: Annotated[Path, typer.Argument(help="An agent card, TOML.")],
    as_json: Json = False,
) -> None:
    """Say what is wrong with an agent card. Exit code 1 if anything is. Nothing is sent
    anywhere."""
    from mirrorenv.debate.players.checking import card_problems

    problems = card_problems(card)
    for problem in problems:
        _say(f"{card}: {problem}", "bold red")
    if not problems:
        _say(f"{card}: fine", "green")
    if as_json:
        print(json.dumps({"card": str(card), "problems": problems}))
    if problems:
        raise typer.Exit(1)


@debate.command()
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
        print(json.dumps(design.to_json()))


@debate.command()
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
    from mirrorenv.debate.log import CALLS, CallLog, only_writer
    from mirrorenv.debate.output.scores_file import write_scores
    from mirrorenv.debate.output.view import write_pages
    from mirrorenv.debate.playing import Budget, play_tournament
    from mirrorenv.debate.scoring.ideal_evidence import add_limits
    from mirrorenv.debate.scoring.results import Results

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
            _say(
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
        (folder.finish if complete else lambda: folder.fail(_why(outcome)))()
    if not quiet:
        _print_scores(results)
        _say(f"spent     {_spent(outcome.totals)}\nfolder    {path}\npage      {page}")
    if as_json:
        print(
            json.dumps(
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
        )
    if not complete:
        again = _command(file, path, fake, games, overrides)
        _say(
            f"not finished: {outcome.finished} of {tournament.games} games. {_why(outcome)}",
            "bold red",
        )
        _say(f"Nothing is lost; the same command goes on: {again}")
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


@debate.command()
def score(run: Folder, as_json: Json = False) -> None:
    """The leaderboard of the finished games, computed anew from the log."""
    from mirrorenv.debate.output.scores_file import write_scores
    from mirrorenv.debate.scoring.results import open_results

    results = open_results(run)
    table = write_scores(results)
    _print_scores(results)
    if as_json:
        print(json.dumps(table))
    if not table["readers"]:
        raise MirrorError(f"{run}: no game is finished yet; 'mirrorenv debate run' goes on")


def _print_scores(results: Any) -> None:
    from mirrorenv.debate.scoring.ideal import LIMIT_READER
    from mirrorenv.debate.scoring.results import tied_groups

    scores = results.scores()
    table = _narrow_table(
        "group",
        "reader",
        "peer hits",
        "floor",
        "kappa",
        "self",
        "nats",
        "unreadable",
        title=f"{results.finished} games",
        caption="peer hits: texts of others named rightly; readers of one group could be equal; "
        "the page has more",
    )
    limit = results.limit()
    if limit is not None:
        table.add_row(
            "-",
            LIMIT_READER,
            _estimate(limit.peer_hits),
            f"{limit.floor:.2f}",
            f"{limit.kappa.value:.2f}",
            "-",
            f"{limit.nats.value:+.2f}",
            "-",
        )
    for group, one in zip(tied_groups(scores), scores, strict=True):
        table.add_row(
            str(group),
            escape(one.name) + (" (judge)" if one.judge else ""),
            _estimate(one.peer_hits),
            f"{one.floor:.2f}",
            f"{one.kappa.value:.2f}",
            "-" if one.self_hits is None else f"{one.self_hits.value:.2f}",
            f"{one.nats.value:+.2f}",
            f"{one.invalid:.1%}",
        )
    Console().print(table)
    if scores:
        _say("\n".join(results.conduct().lines()))


def _narrow_table(*heads: str, **options: Any) -> Table:
    """A table whose cells stay whole in a terminal of 80 columns."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 0), collapse_padding=True, pad_edge=False, **options)
    for head in heads:
        table.add_column(head, no_wrap=True)
    return table


def _estimate(one: Estimate) -> str:
    """Two decimals; of a single game the value alone."""
    from mirrorenv.mirror.intervals import TextStyle

    return one.text(TextStyle("{:.2f}".format, least=2))


@debate.command()
def rate(
    run: Folder,
    bootstrap: Annotated[int, typer.Option(min=50, help="Resamples of whole games.")] = 400,
    as_json: Json = False,
) -> None:
    """Reader skill, author legibility and what each knows of itself: a crossed logistic model,
    bootstrapped by game."""
    from mirrorenv.debate.scoring.results import open_results

    results = open_results(run)
    if results.finished < 2:
        raise MirrorError(
            f"{run}: a rating needs at least 2 finished games, there are {results.finished}"
        )
    rating = results.items().rated(bootstrap=bootstrap, seed=results.tournament.seed)
    table = _narrow_table(
        "group",
        "player",
        "reads",
        "is read",
        "knows itself",
        "shown",
        title=f"{rating.games} games, logits",
        caption="readers of one group could be equal; shown: a self-advantage at 5 % over all "
        "players together",
    )
    for row in rating.rows(digits=1):
        table.add_row(*row)
    Console().print(table)
    if as_json:
        print(json.dumps(rating.to_json()))


@debate.command()
def view(run: Folder, as_json: Json = False) -> None:
    """Write the pages again: one for the tournament, one for each game; they open without a
    network."""
    from mirrorenv.debate.output.view import write_pages
    from mirrorenv.debate.scoring.results import open_results

    page = write_pages(open_results(run))
    _say(f"page      {page}")
    if as_json:
        print(json.dumps({"page": str(page)}))


@debate.command()
def replay(
    run: Folder, game: Annotated[int, typer.Option(min=0, help="Number of the game, from 0.")] = 0
) -> None:
    """Print the transcript of a game from the log: no call is made, and the bytes are the same
    every time."""
    from mirrorenv.debate.scoring.results import open_results

    print(json.dumps(open_results(run).game(game).transcript(), indent=1))


@debate.command()
def export(
    run: Folder,
    to: Annotated[Path, typer.Argument(help="A .jsonl file to write.")],
    held_out: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of topics kept for testing.")
    ] = 0.25,
    as_json: Json = False,
) -> None:
    """Write own-against-peer pairs for preference tuning: prompt, chosen (own text), rejected (a
    peer's)."""
    from mirrorenv.debate.output.export import write_pairs
    from mirrorenv.debate.scoring.results import open_results

    counts = write_pairs(open_results(run), to, held_out)
    _say(
        f"wrote     {to}: {counts['train']} pairs to train on, {counts['test']} of held-out topics"
    )
    if as_json:
        print(json.dumps({"file": str(to), **counts}))
