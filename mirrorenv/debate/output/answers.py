"""How the answers of each model ended: on the screen, on the page and in `scores.json`."""

from __future__ import annotations

from typing import Any

from mirrorenv.debate.log import CardTotals, Totals
from mirrorenv.debate.tournament import Tournament
from mirrorenv.llm.answers import NO_WORDS, STOPS

__all__ = ["answer_lines", "answers_of", "other_models", "unusual"]


def unusual(card: CardTotals) -> dict[str, int]:
    """Answers that did not end by themselves, by why, the most frequent first."""
    found = sorted(card.stops.items(), key=lambda one: -one[1])
    return {stop: count for stop, count in found if stop != "stop"}


def _without_words(card: CardTotals) -> int:
    return sum(card.stops.get(stop, 0) for stop in NO_WORDS)


def answers_of(totals: Totals) -> dict[str, Any]:
    """For each card that is a model: answers by why they ended.

    Only what every order of calls gives alike: neither tries nor waits.

    Args:
        totals: of the log.
    """
    return {
        name: {
            "calls": card.calls,
            "no_answer": _without_words(card),
            "stops": dict(sorted(card.stops.items())),
            "served": dict(sorted(card.served.items())),
        }
        for name, card in sorted(totals.cards.items())
        if card.calls
    }


def other_models(totals: Totals, tournament: Tournament) -> dict[str, list[str]]:
    """Cards whose server says that several models answered, with their names.

    Args:
        totals: of the log.
        tournament: whose cards they are.
    """
    return {
        name: sorted(card.served) for name, card in totals.cards.items() if len(card.served) > 1
    }


def answer_lines(totals: Totals, tournament: Tournament) -> list[str]:
    """In words: which answers did not end by themselves, and what went wrong last, by card.

    Args:
        totals: of the log.
        tournament: whose cards they are.
    """
    lines = []
    for name, card in sorted(totals.cards.items()):
        parts = [
            f"{count} of {card.calls} {stop} ({STOPS.get(stop, stop)})"
            for stop, count in unusual(card).items()
        ]
        if parts:
            lines.append(f"answers   {name}: {', '.join(parts)}")
        if card.failures:
            said = f"{card.failures} calls got no answer; last: {card.error}"
            lines.append(f"failed    {name}: {said}")
    for name, models in other_models(totals, tournament).items():
        lines.append(f"models    {name} was answered by {', '.join(models)}")
    return lines
