"""The tables that `mirrorenv debate` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from mirrorenv.cli._common import say
from mirrorenv.cli.tables import narrow_table
from mirrorenv.results.report.visible import visible
from mirrorenv.results.report.words import counted
from mirrorenv.terminal import PlainConsole

if TYPE_CHECKING:
    from mirrorenv.debate.log import Totals
    from mirrorenv.debate.scoring.results import Results
    from mirrorenv.mirror.intervals import TextStyle

__all__ = ["cards_table", "print_answers", "print_scores", "spent"]


def print_scores(results: Results) -> None:
    """The leaderboard, one row a reader."""
    from mirrorenv.debate.scoring.figures import FIGURES, TERMINAL, figure_rows, heads
    from mirrorenv.debate.scoring.results import tied_groups

    scores = results.scores()
    table = narrow_table(
        "group",
        "reader",
        *heads(TERMINAL),
        title=counted(results.finished, "game"),
        caption="peer hits: texts of others named rightly; readers of one group could be equal; "
        "the page has more",
    )
    rows = figure_rows(scores, tied_groups(scores), results.limit(), TERMINAL)
    for who, group, values in rows:
        named = zip(TERMINAL, values, strict=True)
        cells = [FIGURES[name].text(value, _style(name)) for name, value in named]
        table.add_row(group, who, *cells)
    PlainConsole().print(table)
    if scores:
        say("\n".join(results.conduct().lines()))


def cards_table(totals: Totals) -> Table:
    """How each model fares: one row a card.

    Args:
        totals: of the log.
    """
    table = narrow_table(
        "card", "calls", "no answer", "failed tries", "waited", "tokens", "cost", "served by"
    )
    for name, card in totals.cards.items():
        table.add_row(
            name,
            f"{card.calls:,}",
            str(card.failures),
            str(card.attempts),
            f"{card.waited:.0f} s",
            f"{card.input:,} + {card.output:,}",
            f"{card.cost:.4f}",
            visible(", ".join(card.served), 40),
        )
    return table


def print_answers(results: Results) -> None:
    """Why answers ended, one row a card, where not all ended by themselves; and what went wrong."""
    from mirrorenv.debate.output.answers import answer_lines

    lines = answer_lines(results.log.totals, results.tournament)
    if lines:
        say("\n".join(visible(line, 1000) for line in lines))


def spent(totals: Totals) -> str:
    """Calls, tokens, cost and failed tries in one line."""
    parts = [f"{totals.calls:,} calls"]
    if totals.input or totals.output:
        guess = f" ({totals.estimated} calls estimated)" if totals.estimated else ""
        parts.append(f"{totals.input:,} + {totals.output:,} tokens{guess}")
    if totals.cost:
        parts.append(f"cost {totals.cost:.4f}")
    if totals.attempts:
        parts.append(f"{totals.attempts} failed tries")
    return ", ".join(parts)


def _style(figure: str) -> TextStyle:
    """Two decimals; only the headline has its interval, and not of a single game."""
    from mirrorenv.mirror.intervals import TextStyle

    if figure == "peer_hits":
        return TextStyle("{:.2f}".format, least=2)
    number = "{:+.2f}" if figure == "nats" else "{:.2f}"
    return TextStyle(number.format, interval="")
