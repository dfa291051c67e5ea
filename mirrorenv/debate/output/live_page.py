"""The page while a tournament is played: how far it is and how each model fares; it reads itself
again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from mirrorenv.debate.log import CardTotals, Totals
from mirrorenv.debate.output.answers import unusual
from mirrorenv.debate.tournament import Tournament
from mirrorenv.results.report.page import document, header, section, table
from mirrorenv.results.runs.files import atomic_write_text

__all__ = ["write_live_page"]

_SECONDS = 5
_COLUMNS = (
    "card",
    "calls",
    "no answer",
    "failed tries",
    "waited",
    "tokens",
    "cost",
    "served by",
    "did not end by themselves",
    "what went wrong last",
)


def write_live_page(
    folder: Path, tournament: Tournament, totals: Totals, finished: int, playing: bool = True
) -> Path:
    """Write `index.html`; the page of the results takes its place at the end.

    Args:
        folder: of the run.
        tournament: what is played.
        totals: of its log.
        finished: games that are finished.
        playing: whether the run goes on, so that browsers look again.
    """
    now = datetime.now(UTC).isoformat(" ", "seconds")
    how = "is being played" if playing else "was broken off; the same command goes on"
    said = f"{finished} of {tournament.games} games: it {how}."
    lead = f"{totals.calls:,} calls, {totals.input + totals.output:,} tokens, at {now}."
    rows = [[name, *_cells(card)] for name, card in sorted(totals.cards.items())]
    shown = [section("Models", table(_COLUMNS, rows, "Calls so far"))] if rows else []
    page = document(
        f"Debate: {tournament.name}",
        header(tournament.name, [said], "mirrorenv debate", lead=lead),
        *shown,
        refresh=_SECONDS if playing else 0,
    )
    return atomic_write_text(folder / "index.html", page)


def _cells(card: CardTotals) -> list[str]:
    return [
        f"{card.calls:,}",
        str(card.failures),
        str(card.attempts),
        f"{card.waited:.0f} s",
        f"{card.input:,} + {card.output:,}",
        f"{card.cost:.4f}",
        ", ".join(card.served),
        ", ".join(f"{count} {stop}" for stop, count in unusual(card).items()),
        card.error,
    ]
