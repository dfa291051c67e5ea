"""What is shown while a tournament is played, on the terminal and on its page: how far it is, and
how each card fares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
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
_PAGE_AFTER = 5.0  # seconds from one page to the next


@contextmanager
def live(
    tournament: Tournament, log: CallLog, quiet: bool, folder: Path
) -> Iterator[Callable[[int, Totals], None]]:
    """Show how far a tournament is, on the terminal and in `index.html`.

    Args:
        tournament: what is played.
        log: its calls; the tables show what stands in it.
        quiet: show nothing on the terminal.
        folder: of the run.

    Yields:
        what to call after each call and game, with the number of finished games.
    """
    from mirrorenv.debate.output.live_page import write_live_page
    from mirrorenv.errors import MirrorError

    last = [monotonic(), 0.0]  # when the page was written, and games finished then

    def page(finished: int, totals: Totals) -> None:
        last[1] = finished
        if monotonic() - last[0] >= _PAGE_AFTER:
            write_live_page(folder, tournament, totals, finished)
            last[0] = monotonic()

    try:
        with _terminal(tournament, log, quiet) as show:

            def both(finished: int, totals: Totals) -> None:
                show(finished, totals)
                page(finished, totals)

            yield both
    except BaseException:
        with suppress(MirrorError):  # the disk may be the reason
            write_live_page(folder, tournament, log.totals, int(last[1]), playing=False)
        raise


@contextmanager
def _terminal(
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
