"""Computes the exact limit of finished games: every text's probability under every player's true
prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.output.report import Results
from mirrorenv.debate.players import Reply
from mirrorenv.debate.players.local_prompts import messages_for
from mirrorenv.debate.playing import Caller, play_game
from mirrorenv.debate.rules import View
from mirrorenv.debate.scoring.limits import LIMIT, known_limits
from mirrorenv.llm.engine import Engine, engine_of
from mirrorenv.llm.options import LocalOptions, local_options
from mirrorenv.results.runs.files import append_jsonl

if TYPE_CHECKING:
    from mirrorenv.llm.model import LanguageModel

__all__ = ["add_limits", "game_limit", "has_limit"]

Spoken = list[list[tuple[View, AgentCard, Reply]]]
"""By round and seat: what a player was given, its card, and what it wrote."""


def has_limit(results: Results, game: int) -> bool:
    """Whether all seats of a game are one local model with one adapter or none, so that the limit
    can be computed."""
    cards = [results.tournament.cards[card] for card in results.tournament.seats(game)]
    models = {
        tuple(card.options.get(name) for name in ("model", "dtype", "adapter")) for card in cards
    }
    return all(card.player == "local" for card in cards) and len(models) == 1


def add_limits(
    results: Results,
    engine: Engine | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> int:
    """Compute the limit of every finished game that lacks it, one row of ``limit.jsonl`` each.

    Args:
        results: of a tournament; no call is made.
        engine: of the model; that of the cards if None.
        progress: called with (games done, games to do).

    Returns:
        games that were added.
    """
    known = known_limits(results.path)
    missing = [
        game
        for game in results.log.games
        if game not in known and game < results.tournament.games and has_limit(results, game)
    ]
    added = 0
    for game in missing:
        spoken = _spoken(results, game)
        if spoken is None:
            continue
        first = spoken[0][0][1]
        options = local_options(first.options, first.name)
        asked = engine or engine_of(options.model, options.dtype, options.adapter)
        evidence = asked.compute(lambda model, spoken=spoken: game_limit(model, spoken)).result()  # type: ignore[misc]
        append_jsonl(results.path / LIMIT, {"game": game, "evidence": evidence})
        added += 1
        progress(added, len(missing))
    if added:
        results.changed()
    return added


def game_limit(model: LanguageModel, spoken: Spoken) -> list[list[list[float | None]]]:
    """R x N x N nats, text by author, rounded to 1e-4; None for what a greedy player would not have
    written."""
    found = []
    for seats in spoken:
        texts = [tuple((reply.response or {})["tokens"]) for _, _, reply in seats]
        columns = []
        for view, card, _ in seats:
            options: LocalOptions = local_options(card.options, card.name)
            context = model.chat(messages_for(view, card, options.prompt))
            columns.append(model.score(context, texts, options.temperature))
        table = [[round(columns[n][k], 4) for n in range(len(seats))] for k in range(len(seats))]
        found.append(
            [[None if value == -float("inf") else value for value in row] for row in table]
        )
    return found


class _Listening(Caller):
    """Answers from the log and keeps what was spoken."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.spoken: dict[str, tuple[View, AgentCard, Reply]] = {}

    async def __call__(self, card: AgentCard, view: View) -> Reply:
        reply = await super().__call__(card, view)
        if view.phase == "speak":
            self.spoken[view.key] = (view, card, reply)
        return reply


def _spoken(results: Results, game: int) -> Spoken | None:
    from mirrorenv.debate.playing import NotRecorded

    call = _Listening(results.log, game, None)
    try:
        debate = asyncio.run(play_game(results.tournament, game, call))
    except NotRecorded:
        return None
    # round by round, seat by seat
    seats, keys = results.tournament.settings.num_players, sorted(call.spoken)
    assert len(keys) == seats * len(debate.rounds)
    rows = [call.spoken[key] for key in keys]
    return [rows[start : start + seats] for start in range(0, len(rows), seats)]
