"""`mirrorenv debate run`: play a tournament, or go on with one."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorenv.cli import next_steps
from mirrorenv.cli._common import Json, Quiet, complain, print_json, say, say_places
from mirrorenv.cli.debate_live import live
from mirrorenv.cli.debate_play import Fake, File, Games, Set, read_tournament
from mirrorenv.cli.debate_tables import print_answers, print_scores, spent
from mirrorenv.errors import ConfigError, Interrupted

if TYPE_CHECKING:
    from mirrorenv.debate.calls import Budget
    from mirrorenv.debate.playing import TournamentOutcome
    from mirrorenv.debate.scoring.results import Results
    from mirrorenv.debate.taking import Source
    from mirrorenv.debate.tournament import Tournament
    from mirrorenv.results.runs.run_folder import RunFolder

__all__ = ["MaxCalls", "MaxCost", "MaxTokens", "check_prices", "command", "played", "run", "why"]

MaxCalls = Annotated[int | None, typer.Option(min=0, help="Stop before more calls than this.")]
MaxTokens = Annotated[int | None, typer.Option(min=0, help="Stop once so many tokens are used.")]
MaxCost = Annotated[float | None, typer.Option(min=0, help="Stop once so much is spent.")]
Reuse = Annotated[
    list[Path] | None,
    typer.Option(
        help="Another run folder: its answers to the very same requests are taken and not paid "
        "again. Repeatable."
    ),
]


def run(
    file: File,
    run: Annotated[
        Path | None, typer.Option(help="Run folder (default: runs/<name of the tournament>).")
    ] = None,
    fake: Fake = False,
    games: Games = None,
    overrides: Set = None,
    max_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    max_cost: MaxCost = None,
    reuse: Reuse = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Play a tournament. The same command goes on with one that was cut short; no finished call is
    made twice."""
    from mirrorenv.debate.calls import Budget
    from mirrorenv.results.runs.lock import only_writer

    tournament = read_tournament(file, fake, games, overrides)
    if max_cost is not None:
        check_prices(tournament)
    path = run or Path("runs") / tournament.name
    again = command("run", file, path, fake, games, overrides)
    with only_writer(path):
        budget = Budget(max_calls, max_tokens, max_cost)
        sources = _sources(reuse)
        tournament, outcome, results, page = played(
            tournament, path, budget, quiet, again, sources=sources
        )
    if not quiet:
        print_scores(results)
        print_answers(results)
        say(f"spent       {spent(outcome.totals)}")
        say_places(run_folder=path, page=page)
    complete = outcome.finished == tournament.games
    if as_json:
        print_json(_as_json(path, page, outcome, complete, results))
    if not complete:
        complain(f"not finished: {outcome.finished} of {tournament.games} games. {why(outcome)}")
        complain(f"Nothing is lost; the same command goes on: {again}")
        raise typer.Exit(1)


def _sources(folders: list[Path] | None) -> list[Source]:
    from mirrorenv.debate.taking import SameRequests

    return [SameRequests(folders)] if folders else []


def check_prices(tournament: Tournament) -> None:
    """Refuse a limit of cost for cards without a price.

    Raises:
        ConfigError: it names the cards.
    """
    every = (*tournament.cards, tournament.judge, tournament.paraphraser)
    unpriced = [card.name for card in every if card and card.endpoint and card.price is None]
    if unpriced:
        raise ConfigError(f"--max-cost needs a [price] in the cards of {', '.join(unpriced)}")


def played(
    tournament: Tournament,
    path: Path,
    budget: Budget,
    quiet: bool,
    again: str,
    *,
    sources: Sequence[Source] = (),
    games: Collection[int] | None = None,
) -> tuple[Tournament, TournamentOutcome, Results, Path]:
    """Play, and write scores and pages. A finished record is not written again.

    Args:
        tournament: what is played.
        path: of the run folder, whose lock is held.
        budget: what may be spent.
        quiet: show nothing.
        again: the command that goes on.
        sources: where answers are looked for before anything is paid.
        games: numbers of the games to play; all if not given.

    Returns:
        the tournament as it stands in the folder, how the run ended, its results and its page.
    """
    from mirrorenv.debate.log import CALLS, CallLog
    from mirrorenv.debate.output.scores_file import write_scores
    from mirrorenv.debate.output.view import write_pages
    from mirrorenv.debate.playing import play_tournament
    from mirrorenv.debate.recorded import open_tournament
    from mirrorenv.debate.scoring.ideal_evidence import add_limits
    from mirrorenv.debate.scoring.results import Results

    folder = tournament.folder(path)
    was_finished = folder.status == "finished"
    # as it stands there: a finished one may have more games than were asked for now
    tournament = open_tournament(path)[0]
    log = CallLog(path / CALLS)
    if log.torn_bytes and not quiet:
        say(
            f"{path / CALLS}: an unfinished last line of a killed run is left out; its call is "
            "made again"
        )
    with _said_when_broken_off(folder, was_finished, again):
        with live(tournament, log, quiet, path) as progress:
            outcome = asyncio.run(
                play_tournament(
                    tournament, log, budget, progress=progress, games=games, sources=sources
                )
            )
        results = Results(path, tournament, CallLog(path / CALLS))
        add_limits(results)
        write_scores(results)
        page = write_pages(results)
    if not was_finished:
        if outcome.finished == tournament.games:
            folder.finish()
        else:
            folder.fail(why(outcome))
    return tournament, outcome, results, page


@contextmanager
def _said_when_broken_off(folder: RunFolder, was_finished: bool, again: str) -> Iterator[None]:
    """Let no run that was broken off still say that it runs."""
    try:
        yield
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        if not was_finished:
            with suppress(Exception):  # the disk may be the reason
                if interrupted:
                    folder.interrupt()
                else:
                    folder.fail(str(error) or type(error).__name__)
        if interrupted:
            message = f"interrupted; nothing is lost, the same command goes on: {again}"
            raise Interrupted(message) from None
        raise


def _as_json(
    path: Path, page: Path, outcome: TournamentOutcome, complete: bool, results: Results
) -> dict[str, Any]:
    from mirrorenv.debate.output.scores_file import scores_table

    return {
        "run": str(path),
        "page": str(page),
        "finished": outcome.finished,
        "complete": complete,
        "stopped": outcome.stopped,
        "failures": {str(game): why for game, why in outcome.failures.items()},
        "totals": asdict(outcome.totals),
        "scores": scores_table(results),
    }


def command(
    name: str,
    file: Path,
    path: Path,
    fake: bool,
    games: int | None,
    overrides: list[str] | None,
) -> str:
    """What was typed, without its budget.

    Args:
        name: of the command.
        file: the tournament's.
        path: of the run.
        fake: scripted players in the place of all models.
        games: how many, if not what the file says.
        overrides: as typed after `--set`.
    """
    words = [
        "mirrorenv",
        "debate",
        name,
        str(file),
        "--run",
        str(path),
        *(["--fake"] if fake else []),
    ]
    words += ["--games", str(games)] if games is not None else []
    return next_steps.pasted([*words, *next_steps.options(set=overrides)])


def why(outcome: TournamentOutcome) -> str:
    """Why a run is not finished."""
    if outcome.failures:
        game, why = min(outcome.failures.items())
        games = f"{len(outcome.failures)} games" if len(outcome.failures) > 1 else "a game"
        return f"A player gave no answer in {games}; game {game}: {why}"
    if outcome.stopped is None:
        return "Its base has not finished all games."
    return f"The budget is spent: {outcome.stopped}."
