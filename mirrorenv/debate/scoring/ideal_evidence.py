"""Computes the exact limit of finished games: every text's probability under every player's true
prompt. Needs the model that played.

Shape legend: R rounds, N players (= seats = texts of a round).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorenv.debate.calls import Caller, NotRecorded
from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.log import CallLog
from mirrorenv.debate.players import Reply
from mirrorenv.debate.players.local_prompts import messages_for
from mirrorenv.debate.playing import play_game
from mirrorenv.debate.scoring.ideal import LIMIT_FILE, Evidence, known_limits
from mirrorenv.debate.scoring.results import Results
from mirrorenv.debate.views import View
from mirrorenv.llm.engine import Engine, engine_of
from mirrorenv.llm.options import local_options
from mirrorenv.results.runs.json_lines import append_jsonl

if TYPE_CHECKING:
    from mirrorenv.llm.model import LanguageModel

__all__ = ["Spoken", "add_limits", "game_limit", "has_limit"]


@dataclass(frozen=True)
class Spoken:
    """One text of a game, and all that its author was given.

    Attributes:
        view: what the author saw.
        card: the author's.
        reply: what it wrote, with the tokens as drawn.
    """

    view: View
    card: AgentCard
    reply: Reply

    @property
    def tokens(self) -> tuple[int, ...]:
        """Ids of the text, as the model drew them."""
        return tuple((self.reply.response or {})["tokens"])


def has_limit(results: Results, game: int) -> bool:
    """Whether all seats of a game are one local model with one adapter or none, so that the limit
    can be computed."""
    cards = [results.tournament.cards[card] for card in results.tournament.seats(game)]
    if any(card.player != "local" for card in cards):
        return False
    options = [local_options(card.options, card.name) for card in cards]
    return len({(one.model, one.dtype, one.adapter) for one in options}) == 1


def add_limits(
    results: Results,
    engine: Engine | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> int:
    """Compute the limit of every finished game that lacks it, one row of `limit.jsonl` each.

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
        rounds = _spoken(results, game)
        if rounds is None:
            continue
        first = rounds[0][0].card
        options = local_options(first.options, first.name)
        asked = engine or engine_of(options.model, options.dtype, options.adapter)
        evidence = asked.compute(_limit_of(rounds)).result()
        append_jsonl(results.path / LIMIT_FILE, {"game": game, "evidence": evidence})
        added += 1
        progress(added, len(missing))
    if added:
        results.invalidate()
    return added


def _limit_of(rounds: list[list[Spoken]]) -> Callable[[LanguageModel], Evidence]:
    return lambda model: game_limit(model, rounds)


def game_limit(model: LanguageModel, rounds: list[list[Spoken]]) -> Evidence:
    """The log-probability of every text of a game under every player's true prompt.

    Args:
        model: that of all players.
        rounds: R x N texts, by round and seat.

    Returns:
        R x N x N nats, text by author, rounded to 1e-4; None for what a greedy player would not
        have written.
    """
    return [_round_limit(model, seats) for seats in rounds]


def _round_limit(model: LanguageModel, seats: list[Spoken]) -> list[list[float | None]]:
    texts = [one.tokens for one in seats]
    columns: list[list[float | None]] = []  # by author, then by text
    for author in seats:
        options = local_options(author.card.options, author.card.name)
        prompt = model.chat(messages_for(author.view, author.card, options.prompt))
        columns.append([_json_nats(x) for x in model.score(prompt, texts, options.temperature)])
    return [list(row) for row in zip(*columns, strict=True)]


def _json_nats(nats: float) -> float | None:
    """JSON has no -inf."""
    return None if nats == -float("inf") else round(nats, 4)


class _Listener(Caller):
    """Answers from the log and keeps what was spoken."""

    def __init__(self, log: CallLog, game: int) -> None:
        super().__init__(log, game, None)
        self.spoken: dict[str, Spoken] = {}

    async def __call__(self, card: AgentCard, view: View) -> Reply:
        reply = await super().__call__(card, view)
        if view.phase == "speak":
            self.spoken[view.key] = Spoken(view, card, reply)
        return reply


def _spoken(results: Results, game: int) -> list[list[Spoken]] | None:
    """What was said, by round and seat; None if the game is not finished."""
    call = _Listener(results.log, game)
    try:
        debate = asyncio.run(play_game(results.tournament, game, call))
    except NotRecorded:
        return None
    seats = results.tournament.settings.num_players
    texts = [call.spoken[key] for key in sorted(call.spoken)]  # round by round, seat by seat
    assert len(texts) == seats * len(debate.rounds)
    return [texts[start : start + seats] for start in range(0, len(texts), seats)]
