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

if TYPE_CHECKING:
    from mirrorenv.debate.log import CallLog, Totals
    from mirrorenv.debate.tournament import Tournament

__all__ = ["live"]

_A_SECOND = 2  # pictures


@contextmanager
def live(
    tournament: Tournament, log: CallLog, quiet: bool
) -> Iterator[Callable[[int, Totals], None]]:
    """A bar of games and a table of cards that refresh themselves; nothing where no one looks.

    Args:
        tournament: what is played.
        log: its calls; the table shows what stands in it.
        quiet: show nothing.

    Yields:
        what to call after each call and game, with the number of finished games.
    """
    if quiet or not console.is_terminal:
        yield lambda finished, totals: None
        return
    bar = Progress(
        TextColumn("games"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[spent]}"),
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
