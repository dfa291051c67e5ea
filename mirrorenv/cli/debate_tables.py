"""The tables that `mirrorenv debate` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mirrorenv.cli._common import say

if TYPE_CHECKING:
    from mirrorenv.debate.scoring.results import Results
    from mirrorenv.mirror.intervals import TextStyle

__all__ = ["narrow_table", "print_scores"]


def print_scores(results: Results) -> None:
    """The leaderboard, one row a reader."""
    from mirrorenv.debate.scoring.figures import FIGURES, TERMINAL, figure_rows, heads
    from mirrorenv.debate.scoring.results import tied_groups

    scores = results.scores()
    table = narrow_table(
        "group",
        "reader",
        *heads(TERMINAL),
        title=f"{results.finished} games",
        caption="peer hits: texts of others named rightly; readers of one group could be equal; "
        "the page has more",
    )
    rows = figure_rows(scores, tied_groups(scores), results.limit(), TERMINAL)
    for who, group, values in rows:
        named = zip(TERMINAL, values, strict=True)
        cells = [FIGURES[name].text(value, _style(name)) for name, value in named]
        table.add_row(group, escape(who), *cells)
    Console().print(table)
    if scores:
        say("\n".join(results.conduct().lines()))


def narrow_table(*heads: str, **options: Any) -> Table:
    """A table whose cells stay whole in a terminal of 80 columns."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 0), collapse_padding=True, pad_edge=False, **options)
    for head in heads:
        table.add_column(head, no_wrap=True)
    return table


def _style(figure: str) -> TextStyle:
    """Two decimals; only the headline has its interval, and not of a single game."""
    from mirrorenv.mirror.intervals import TextStyle

    if figure == "peer_hits":
        return TextStyle("{:.2f}".format, least=2)
    number = "{:+.2f}" if figure == "nats" else "{:.2f}"
    return TextStyle(number.format, interval="")
