"""Playing: one game from its log and its players, and many games side by side.

A game is always played from the beginning. Each call is looked up in the log first, so that playing
on after a crash, scoring and showing a transcript are the same code; they differ in what happens
when the log does not know an answer.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from hashlib import blake2b
from typing import Any, TypeVar

from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.log import CallLog, Totals
from mirrorenv.debate.players import (
    CallFailed,
    Player,
    Reply,
    Usage,
    make_player,
    verdict_of,
)
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.tournament import Tournament
from mirrorenv.debate.verdicts import Verdict
from mirrorenv.debate.views import View
from mirrorenv.errors import MirrorError, RunFolderError

__all__ = [
    "Budget",
    "BudgetSpent",
    "CallFailed",
    "Caller",
    "TournamentOutcome",
    "play_game",
    "play_tournament",
    "recorded_game",
]

Call = Callable[[AgentCard, View], Awaitable[Reply]]
"""Answers a view as the player of a card."""

T = TypeVar("T")


class BudgetSpent(MirrorError):
    """The budget allows no further call."""


class NotRecorded(MirrorError):
    """The log does not hold a call that the game needs."""


@dataclass
class Budget:
    """What may be spent, over all runs of a folder. None is no limit.

    Attributes:
        max_calls: calls, to any player.
        max_tokens: tokens read and written.
        max_cost: in the tournament's currency.
    """

    max_calls: int | None = None
    max_tokens: int | None = None
    max_cost: float | None = None

    def check(self, totals: Totals, in_flight: int) -> None:
        """Refuse one more call if it is not covered. Calls count when they start, tokens and cost
        when they end.

        Raises:
            BudgetSpent: the message names the limit.
        """
        if self.max_calls is not None and totals.calls + in_flight >= self.max_calls:
            raise BudgetSpent(f"--max-calls {self.max_calls} is reached")
        if self.max_tokens is not None and totals.input + totals.output >= self.max_tokens:
            raise BudgetSpent(f"--max-tokens {self.max_tokens} is reached")
        if self.max_cost is not None and totals.cost >= self.max_cost:
            raise BudgetSpent(f"--max-cost {self.max_cost:g} is reached")


def shown_digest(view: View) -> str:
    """A short hash of all that a participant was shown."""
    shown = [
        view.topic,
        view.me,
        view.lineup,
        view.own_text,
        [astuple(past) for past in view.history],
        view.notes,
        view.sample,
        view.problem,
        view.last_try,
    ]
    return blake2b(json.dumps(shown).encode(), digest_size=8).hexdigest()


class Caller:
    """Answers the calls of one game: from the log, or from the players if the budget allows it.

    Args:
        log: of the tournament.
        game: number of the game.
        session: players, budget and what is in flight, shared by all games; None answers from the
            log only.
    """

    def __init__(self, log: CallLog, game: int, session: PlaySession | None) -> None:
        self.log = log
        self.game = game
        self.session = session
        self.known = log.game(game)

    async def __call__(self, card: AgentCard, view: View) -> Reply:
        """The answer of a card's player to a view."""
        digest = shown_digest(view)
        row = self.known.pop((view.key, view.sample), None)
        if row is not None:
            if row["agent"] != card.name or row["digest"] != digest:
                raise RunFolderError(
                    f"{self.log.path}: the call {view.key} was made under other rules (agent or "
                    "what it was shown "
                    "differ); play this tournament with the version that began it, or in a new "
                    "folder"
                )
            if self.session is not None and row["reply"].get("stop") == "refused":
                self.session.refused[self.game] = self.session.refused.get(self.game, 0) + 1
            return Reply.from_row(row["reply"])
        if self.session is None:
            raise NotRecorded(f"game {self.game} is not finished: {view.key} has not been played")
        return await self.session.ask(self.log, self.game, card, view, digest)

    def check(self, asked: Iterable[tuple[AgentCard, View]]) -> None:
        """Refuse a phase in which a player cannot answer any more, before the others are paid.

        Args:
            asked: who is asked what.

        Raises:
            CallFailed: if a call is missing in the log and its player's server, key or model is
                closed.
        """
        if self.session is None:
            return
        for card, view in asked:
            reason = getattr(self.session.players[card.name], "closed", None)
            if reason is not None and (view.key, view.sample) not in self.known:
                raise CallFailed(str(reason), closed=True)


@dataclass
class PlaySession:
    """What all games share while they are played.

    Attributes:
        players: by name of the card.
        budget: what may be spent.
        allowed_refusals: requests of one game that servers may refuse for good.
        refused: how many they refused so far, by game.
        in_flight: calls that have started and are not in the log yet.
        on_call: called after each call that was logged.
    """

    players: Mapping[str, Player]
    budget: Budget
    allowed_refusals: int = 0
    refused: dict[int, int] = field(default_factory=dict)
    in_flight: int = 0
    on_call: Callable[[], None] = field(default=lambda: None)

    async def ask(self, log: CallLog, game: int, card: AgentCard, view: View, digest: str) -> Reply:
        """Make a call, and log it before the answer is used.

        Args:
            log: of the run; the row is on the disk when this returns.
            game: number of the game.
            card: of the agent that is asked.
            view: what it may see, and the phase that says which of its methods is called.
            digest: of the question, which a resumed run compares with its own.

        Returns:
            the answer exactly as a resumed run will read it from the log.

        Raises:
            MirrorError: if the budget is spent, or the agent did not answer.
        """
        self.budget.check(log.totals, self.in_flight)
        self.in_flight += 1
        began = time.monotonic()
        common = {"key": view.key, "sample": view.sample, "game": game, "agent": card.name}
        try:
            phase = "speak" if view.phase == "paraphrase" else view.phase
            try:
                reply: Reply = await getattr(self.players[card.name], phase)(view)
            except CallFailed as error:
                refused = self.refused.get(game, 0)
                if not error.refused or refused >= self.allowed_refusals:
                    await log.append(_failure_row(common, card, error))
                    raise
                self.refused[game] = refused + 1
                reply = _refused(error)
            row = {
                "kind": "call",
                **common,
                "digest": digest,
                "seconds": round(time.monotonic() - began, 3),
                "cost": cost_of(card, reply.usage),
                "reply": reply.to_row(),
            }
            await log.append(row)
        finally:
            self.in_flight -= 1
        self.on_call()
        # exactly what a resumed run will read
        return Reply.from_row(json.loads(json.dumps(row["reply"])))


def _refused(error: CallFailed) -> Reply:
    """What stands in the log for a request that a server refuses for good: no words, and why."""
    response = {"refused": str(error)}
    return Reply(
        "",
        request=error.request,
        response=response,
        usage=error.usage,
        attempts=error.attempts,
        stop="refused",
    )


def _failure_row(common: dict[str, Any], card: AgentCard, error: CallFailed) -> dict[str, Any]:
    return {
        "kind": "failure",
        **common,
        "error": str(error),
        "attempts": error.attempts,
        "usage": asdict(error.usage),
        "cost": cost_of(card, error.usage),
    }


def cost_of(card: AgentCard, usage: Usage) -> float | None:
    """What tokens of a card cost, or None for a card without a price."""
    if card.price is None:
        return None
    return (usage.input * card.price.input + usage.output * card.price.output) / 1e6


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
) -> TournamentOutcome:
    """Play all games that are not finished, several side by side.

    Args:
        tournament: what is played.
        log: where every call goes.
        budget: what may be spent.
        players: by name of the card; made from the cards if not given.
        progress: called after every call and every game.
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
    )
    waiting = iter(range(tournament.games))

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
