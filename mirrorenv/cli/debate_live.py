"""What is shown while a tournament is played: how far it is, and how each card fares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mirrorenv.cli._common import console
from mirrorenv.cli.debate_tables import cards_table, spent
from mirrorenv.cli.waiting import Waiting

if TYPE_CHECKING:
    from mirrorenv.debate.log import CallLog, Totals
    from mirrorenv.debate.tournament import Tournament

__all__ = ["live"]

_A_SECOND = 2  # pictures


@contextmanager
def live(
    tournament: Tournament, log: CallLog, quiet: bool
) -> Iterator[Callable[[int, Totals], None]]:
    """A bar of games and a table of cards that refresh themselves; a line now and then where there
    is no terminal.

    Args:
        tournament: what is played.
        log: its calls; the table shows what stands in it.
        quiet: show nothing.

    Yields:
        what to call after each call and game, with the number of finished games.
    """
    if quiet or not console.is_terminal:
        with Waiting("playing", quiet) as waiting:
            yield lambda finished, totals: waiting.update(
                f"{finished} of {tournament.games} games, {spent(totals)}"
            )
        return
    bar = Progress(
        TextColumn("games", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[spent]}", markup=False),
        TimeElapsedColumn(),
        console=console,
    )
    task = bar.add_task("games", total=tournament.games, spent="")

    def picture() -> Any:
        return Group(bar, cards_table(log.totals))

    def show(finished: int, totals: Totals) -> None:
        bar.update(task, completed=finished, spent=spent(totals))

    with Live(get_renderable=picture, console=console, refresh_per_second=_A_SECOND):
        yield show
