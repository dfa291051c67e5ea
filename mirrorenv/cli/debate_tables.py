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
    from mirrorenv.mirror.intervals import Estimate

__all__ = ["narrow_table", "print_scores"]


def print_scores(results: Results) -> None:
    """The leaderboard, one row a reader."""
    from mirrorenv.debate.scoring.ideal import LIMIT_READER
    from mirrorenv.debate.scoring.results import tied_groups

    scores = results.scores()
    table = narrow_table(
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
        say("\n".join(results.conduct().lines()))


def narrow_table(*heads: str, **options: Any) -> Table:
    """A table whose cells stay whole in a terminal of 80 columns."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 0), collapse_padding=True, pad_edge=False, **options)
    for head in heads:
        table.add_column(head, no_wrap=True)
    return table


def _estimate(one: Estimate) -> str:
    """Two decimals; of a single game the value alone."""
    from mirrorenv.mirror.intervals import TextStyle

    return one.text(TextStyle("{:.2f}".format, least=2))
