"""Playing: one game from its log and its players, and many games side by side.

A game is always played from the beginning. Each call is looked up in the log first, so that playing
on after a crash, scoring and showing a transcript are the same code; they differ in what happens
when the log does not know an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from mirrorenv.debate.calls import Budget, BudgetSpent, Caller, NotRecorded, PlaySession
from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.log import CallLog, Totals
from mirrorenv.debate.players import CallFailed, Player, Reply, make_player, verdict_of
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.taking import Source
from mirrorenv.debate.tournament import Tournament
from mirrorenv.debate.verdicts import Verdict
from mirrorenv.debate.views import View

__all__ = ["TournamentOutcome", "play_game", "play_tournament", "recorded_game"]

Call = Callable[[AgentCard, View], Awaitable[Reply]]
"""Answers a view as the player of a card."""

T = TypeVar("T")


async def play_game(tournament: Tournament, game: int, call: Call) -> Debate:
    """One whole game. All participants of a phase are asked at once.

    Args:
        tournament: whose game it is.
        game: its number, from 0.
        call: answers a view as the player of a card.

    Returns:
        the game, played to its end.

    Raises:
        BudgetSpent, CallFailed, RunFolderError: as the calls raise them, once all calls of the
            phase have ended.
    """
    settings = tournament.settings
    players = [tournament.cards[card] for card in tournament.seats(game)]
    readers = [*players, *[tournament.judge] * settings.judges]
    debate = Debate(
        settings,
        tournament.topics,
        run=tournament.seed,
        game=game,
        edition=tournament.edition,
    )
    check = call.check if isinstance(call, Caller) else list
    while not debate.over:
        views = debate.views()
        if debate.phase in ("recognise", "reread"):
            asked = list(zip(readers, views, strict=True))
            check(asked)
            debate.answer_verdicts(
                await _together([_verdict(call, *one, debate.edition) for one in asked])
            )
        else:
            writers: Sequence[AgentCard | None] = players
            if debate.phase == "paraphrase":
                writers = [tournament.paraphraser] * len(views)
            asked = [(card, view) for card, view in zip(writers, views, strict=True) if card]
            check(asked)
            replies = await _together([call(card, view) for card, view in asked])
            debate.answer_texts([reply.text for reply in replies])
    return debate


async def _verdict(call: Call, card: AgentCard, view: View, edition: int) -> Verdict:
    """A reader's verdict; an unreadable one may be given once more."""
    reply = await call(card, view)
    verdict = verdict_of(reply, view, edition)
    if verdict.valid or reply.stop == "refused":  # it would be refused again
        return verdict
    again = replace(view, sample=1, problem=verdict.problem, last_try=reply.text[:2000])
    return replace(verdict_of(await call(card, again), again, edition), tries=2)


async def _together(calls: Sequence[Awaitable[T]]) -> list[T]:
    """All results. If one fails, the others are waited for: what they bring is paid for and belongs
    in the log."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    if failures:  # a spent budget is the least interesting reason
        raise min(failures, key=lambda error: isinstance(error, BudgetSpent))
    return [result for result in results if not isinstance(result, BaseException)]


def recorded_game(tournament: Tournament, log: CallLog, game: int) -> Debate | None:
    """A game from the log alone, without any call.

    Args:
        tournament: whose settings and cards the game was played with.
        log: of the run.
        game: number of the game.

    Returns:
        the finished game, or None if it is not finished.
    """
    try:
        return asyncio.run(play_game(tournament, game, Caller(log, game, None)))
    except NotRecorded:
        return None


@dataclass
class TournamentOutcome:
    """How a run ended.

    Attributes:
        finished: games that are complete.
        stopped: why it stopped early because of the budget, or None.
        failures: what went wrong for good, by game.
        totals: of the log.
    """

    finished: int
    stopped: str | None
    failures: dict[int, str]
    totals: Totals


async def play_tournament(
    tournament: Tournament,
    log: CallLog,
    budget: Budget,
    *,
    players: Mapping[str, Player] | None = None,
    progress: Callable[[int, Totals], None] = lambda finished, totals: None,
    games: Iterable[int] | None = None,
    sources: Sequence[Source] = (),
) -> TournamentOutcome:
    """Play all games that are not finished, several side by side.

    Args:
        tournament: what is played.
        log: where every call goes.
        budget: what may be spent.
        players: by name of the card; made from the cards if not given.
        progress: called after every call and every game.
        games: numbers of the games to play; all if not given.
        sources: where answers are looked for before anything is paid, in this order.
    """
    made = players or _players_of(tournament)
    connections: dict[str, Any] = {}
    for player in made.values():
        connect = getattr(player, "connect", None)
        if connect is not None:
            connect(connections)
    finished = 0
    stopped: str | None = None
    failures: dict[int, str] = {}
    session = PlaySession(
        made,
        budget,
        tournament.refusals,
        on_call=lambda: progress(finished, log.totals),
        sources=sources,
    )
    waiting = iter(range(tournament.games) if games is None else games)

    async def play_on() -> None:
        nonlocal finished, stopped
        for game in waiting:
            if stopped:
                return
            try:
                await play_game(tournament, game, Caller(log, game, session))
                finished += 1
            except BudgetSpent as error:
                stopped = str(error)
            except CallFailed as error:
                failures[game] = str(error)
            progress(finished, log.totals)

    try:
        await _together([play_on() for _ in range(tournament.games_at_once)])
    finally:
        for player in made.values():
            close = getattr(player, "close", None)
            if close is not None:
                await close()
    return TournamentOutcome(finished, stopped, failures, log.totals)


def _players_of(tournament: Tournament) -> dict[str, Player]:
    """The player of every card, by its name."""
    neutral = [card for card in (tournament.judge, tournament.paraphraser) if card is not None]
    return {card.name: make_player(card) for card in (*tournament.cards, *neutral)}
