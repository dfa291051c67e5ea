"""What a tournament will take, before anything is spent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.players.local_prompts import messages_for
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.settings import DebateSettings
from mirrorenv.debate.tournament import Tournament
from mirrorenv.debate.verdicts import verdict_from_evidence
from mirrorenv.debate.views import View
from mirrorenv.llm.options import local_options

__all__ = ["Plan", "half_width", "plan_of"]

_LETTERS_A_TOKEN = 4.0
_SHORT = 0.35  # share of its limit that a short-spoken model uses


@dataclass(frozen=True)
class Plan:
    """Figures of a design. Ranges go from short-spoken models to answers as long as allowed, each
    verdict at first try.

    Attributes:
        games: how many.
        calls_a_game: calls in each.
        model_calls: of all calls, those that go to a model.
        input_tokens: read, from and to.
        output_tokens: written, from and to.
        cost: from and to, or None if a card has no price.
        games_a_player: fewest games that a card plays.
        half_width: of a 95 % interval of one card's peer hits, if it guesses: games are the
            clusters.
    """

    games: int
    calls_a_game: int
    model_calls: int
    input_tokens: tuple[int, int]
    output_tokens: tuple[int, int]
    cost: tuple[float, float] | None
    games_a_player: int
    half_width: float

    def lines(self) -> list[tuple[str, str]]:
        """For a table."""
        cost = (
            "no price in the cards"
            if self.cost is None
            else f"{self.cost[0]:.2f} to {self.cost[1]:.2f}"
        )
        return [
            ("games", f"{self.games:,}"),
            ("calls", f"{self.games * self.calls_a_game:,} ({self.calls_a_game} a game)"),
            ("of them to models", f"{self.model_calls:,}"),
            ("tokens read by models", f"{self.input_tokens[0]:,} to {self.input_tokens[1]:,}"),
            ("tokens written by models", f"{self.output_tokens[0]:,} to {self.output_tokens[1]:,}"),
            ("cost", cost if self.model_calls else "nothing: no models play"),
            ("games of each player", f"at least {self.games_a_player:,}"),
            (
                "half-width of peer hits",
                f"+- {self.half_width:.3f} (95 %, one player that guesses)",
            ),
        ]

    def to_json(self) -> dict[str, Any]:
        """All figures."""
        return vars(self)


def half_width(settings: DebateSettings, games: int) -> float:
    """Half of a 95 % interval of the peer hits of a player that knows its own text and guesses the
    rest.

    The number of fixed points of a random permutation of n - 1 >= 2 things has mean 1 and variance
    1, so a round's share of right peers has variance 1 / (n - 1)**2; rounds and games are
    independent for a guesser. Skill that differs from game to game widens it.
    """
    others = settings.num_players - 1
    variance = (1.0 if others > 1 else 0.0) / others**2
    return 1.96 * math.sqrt(variance / (settings.rounds * games))


def plan_of(tournament: Tournament) -> Plan:
    """Play the design without any player: count the calls and the letters of the prompts."""
    short = _usage(tournament, _SHORT)
    long = _usage(tournament, 1.0)
    games = tournament.games
    seated = [0] * len(tournament.cards)
    for seats in tournament.seating:
        for card in seats:
            seated[card] += 1
    fewest = min(seated)
    priced = [price for usage in (short, long) if (price := usage.cost) is not None]
    scale = games / usage_games(tournament)
    return Plan(
        games=games,
        calls_a_game=short.calls // usage_games(tournament),
        model_calls=round(short.model_calls * scale),
        input_tokens=(round(short.input * scale), round(long.input * scale)),
        output_tokens=(round(short.output * scale), round(long.output * scale)),
        cost=(priced[0] * scale, priced[1] * scale) if len(priced) == 2 else None,
        games_a_player=fewest,
        half_width=half_width(tournament.settings, max(1, fewest)),
    )


def usage_games(tournament: Tournament) -> int:
    """Games that are played through to estimate: enough for every card to have its turn, at most
    20."""
    return min(tournament.games, 20)


@dataclass
class _Usage:
    calls: int = 0
    model_calls: int = 0
    input: float = 0.0
    output: float = 0.0
    cost: float | None = 0.0


def _letters(view: View, card: AgentCard) -> int:
    """Characters of what a model is told."""
    form = local_options(card.options, card.name).prompt if card.player == "local" else "full"
    return sum(len(content) for _, content in messages_for(view, card, form))


def _usage(tournament: Tournament, share: float) -> _Usage:
    settings = tournament.settings
    usage = _Usage()
    limits = {
        "speak": settings.answer_tokens,
        "paraphrase": settings.answer_tokens,
        "plan": settings.notes_tokens,
        "recognise": _verdict_tokens(settings),
    }
    words = {
        phase: "a" * int(share * tokens * _LETTERS_A_TOKEN) for phase, tokens in limits.items()
    }

    def count(card: Any, view: View) -> None:
        usage.calls += 1
        if card is None or card.player not in ("endpoint", "local"):
            return
        read = _letters(view, card) / _LETTERS_A_TOKEN
        written = limits[view.phase] if view.phase == "recognise" else share * limits[view.phase]
        if view.phase == "recognise" and card.reader in ("labels", "likelihood"):
            written = 0.0  # it reads in numbers
        if card.endpoint is not None:
            written += share * card.endpoint.reasoning_tokens
        usage.model_calls += 1
        usage.input += read
        usage.output += written
        if card.price is None:
            usage.cost = None
        elif usage.cost is not None:
            usage.cost += (read * card.price.input + written * card.price.output) / 1e6

    blank = verdict_from_evidence([[0.0] * settings.num_players] * settings.num_players)
    for game in range(usage_games(tournament)):
        cards = [tournament.cards[card] for card in tournament.seats(game)] + [
            tournament.judge
        ] * settings.judges
        debate = Debate(settings, tournament.topics, run=tournament.seed, game=game)
        while not debate.over:
            phase = debate.phase
            for place, view in enumerate(debate.views()):
                count(tournament.paraphraser if phase == "paraphrase" else cards[place], view)
            if phase in ("recognise", "reread"):
                getattr(debate, phase)([blank] * settings.num_readers)
            else:
                getattr(debate, phase)([words[phase]] * settings.num_players)
    return usage


def _verdict_tokens(settings: DebateSettings) -> int:
    """Tokens of a verdict in the asked form."""
    count = settings.num_players
    needed = {"matrix": count * (6 + 8 * count), "labels": 7 * count, "order": 3 * count}[
        settings.answer_format
    ]
    return min(settings.verdict_tokens, needed)
