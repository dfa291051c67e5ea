"""`mirrorenv debate set`: one tournament and its arms, which read the same texts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorenv.cli._common import Json, Quiet, complain, print_json, say, say_places
from mirrorenv.cli.debate_play import Fake, File, Games, Set, read_tournament
from mirrorenv.cli.debate_run import (
    MaxCalls,
    MaxCost,
    MaxTokens,
    check_prices,
    command,
    played,
    why,
)
from mirrorenv.cli.tables import narrow_table
from mirrorenv.errors import ConfigError
from mirrorenv.terminal import PlainConsole

if TYPE_CHECKING:
    from mirrorenv.debate.calls import Budget
    from mirrorenv.debate.scoring.results import Results
    from mirrorenv.debate.tournament import Tournament

__all__ = ["set"]


def set(
    file: File,
    run: Annotated[
        Path | None, typer.Option(help="Folder of the set (default: runs/<name>-set).")
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(help="A run whose texts are read (default: the folder base in the set)."),
    ] = None,
    arm: Annotated[
        list[str] | None, typer.Option(help="Play only this arm. Repeatable; the file has all.")
    ] = None,
    fake: Fake = False,
    games: Games = None,
    overrides: Set = None,
    max_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    max_cost: MaxCost = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Play a tournament once and read its texts under several rules: the arms of its file, or own
    text withheld, fresh readers, style taken away, no feedback. Texts are written and paid once;
    arms ask for readings only. The same command goes on."""
    from mirrorenv.debate.arms import arms_of
    from mirrorenv.debate.calls import Budget
    from mirrorenv.debate.output.arm_set import write_set

    tournament = read_tournament(file, fake, games, overrides)
    if max_cost is not None:
        check_prices(tournament)
    arms = _chosen(arms_of(tournament), arm)
    path = run or Path("runs") / f"{tournament.name}-set"
    again = command("set", file, path, fake, games, overrides)
    with _held(path, base or path / "base", list(arms)) as folders:
        budget = Budget(max_calls, max_tokens, max_cost)
        results, unfinished = _all_played(tournament, arms, folders, budget, quiet, again)
        page = write_set(path, results)
        table = page.table
    if not quiet:
        _print(table)
        say_places(set_folder=path, page=page.path)
    if as_json:
        print_json({"run": str(path), "page": str(page.path), "unfinished": unfinished, **table})
    if unfinished:
        name, reason = next(iter(unfinished.items()))
        complain(f"not finished: {', '.join(unfinished)}. {name}: {reason}")
        complain(f"Nothing is lost; the same command goes on: {again}")
        raise typer.Exit(1)


def _chosen(arms: dict[str, Tournament], names: list[str] | None) -> dict[str, Tournament]:
    for name in names or ():
        if name not in arms:
            raise ConfigError(f"--arm {name}: the arms are {', '.join(arms)}")
    if not arms:
        raise ConfigError("the file has no [arms], and the usual ones change nothing of it")
    return {name: one for name, one in arms.items() if not names or name in names}


@contextmanager
def _held(path: Path, base: Path, arms: list[str]) -> Iterator[dict[str, Path]]:
    """All folders of a set, each held against other writers; the base first."""
    from contextlib import ExitStack

    from mirrorenv.debate.arms import BASE
    from mirrorenv.results.runs.lock import only_writer

    folders = {BASE: base, **{name: path / name for name in arms}}
    with ExitStack() as locks:
        for folder in (path, *folders.values()):
            locks.enter_context(only_writer(folder))
        yield folders


def _all_played(
    tournament: Tournament,
    arms: dict[str, Tournament],
    folders: dict[str, Path],
    budget: Budget,
    quiet: bool,
    again: str,
) -> tuple[dict[str, Results], dict[str, str]]:
    """Play the base, then every arm on the games that it finished.

    Returns:
        results by name, the base first, and why those that are not finished are not.
    """
    from mirrorenv.debate.arms import BASE, kept_phases
    from mirrorenv.debate.log import CALLS, CallLog
    from mirrorenv.debate.taking import KeptTexts, SameRequests

    unfinished = {}
    results: dict[str, Results] = {}
    spent = {name: CallLog(folder / CALLS).totals for name, folder in folders.items()}
    texts: CallLog | None = None
    for name, folder in folders.items():
        budget.elsewhere = _sum(one for other, one in spent.items() if other != name)
        sources: list[Any] = []
        games = None
        if texts is not None:
            kept = kept_phases(tournament.settings, arms[name].settings)
            sources = [KeptTexts(texts, kept), SameRequests([folders[BASE]])]
            games = [debate.game for debate in results[BASE].games()]
        what = arms.get(name, tournament)
        say(f"{name:<12}{'texts and readings' if texts is None else 'readings'}")
        done, outcome, results[name], _ = played(
            what, folder, budget, quiet, again, sources=sources, games=games
        )
        spent[name] = outcome.totals
        texts = texts or results[name].log
        if outcome.finished < done.games:
            unfinished[name] = why(outcome)
    return results, unfinished


def _sum(parts: Iterator[Any]) -> Any:
    """What several folders spent together."""
    from mirrorenv.debate.log import Spent

    total = Spent()
    for part in parts:
        for field in vars(total):
            setattr(total, field, getattr(total, field) + getattr(part, field))
    return total


def _print(table: dict[str, Any]) -> None:
    """The arms side by side."""
    from mirrorenv.debate.output.arm_set import set_rows

    shown = narrow_table(
        "games",
        "base",
        "arm",
        "difference",
        "over topics",
        first="arm",
        title="peer hits of all players",
        caption="arm minus base on the same texts, with 95 % intervals: games, then topics, as "
        "clusters",
    )
    for row in set_rows(table):
        shown.add_row(*row)
    PlainConsole().print(shown)
    calls = table["calls"]
    say(
        f"calls       {calls['paid']:,} paid, where {1 + len(table['arms'])} folders would have "
        f"taken {calls['apart']:,}: {calls['share']:.2f}"
    )
