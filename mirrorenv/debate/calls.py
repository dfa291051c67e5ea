"""The calls of a game: answered from the log, or by a player within the budget, and logged."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from hashlib import blake2b
from typing import Any

from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.log import CallLog, Spent, Totals
from mirrorenv.debate.players import CallFailed, Player, Reply, Usage
from mirrorenv.debate.taking import Source
from mirrorenv.debate.views import View
from mirrorenv.errors import MirrorError, RunFolderError

__all__ = ["Budget", "BudgetSpent", "Caller", "NotRecorded", "PlaySession", "cost_of"]


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
        elsewhere: what was spent in other folders and counts here too.
    """

    max_calls: int | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    elsewhere: Spent = field(default_factory=Spent)

    def check(self, totals: Totals, in_flight: int) -> None:
        """Refuse one more call if it is not covered. Calls count when they start, tokens and cost
        when they end.

        Raises:
            BudgetSpent: the message names the limit.
        """
        before = self.elsewhere
        calls = before.calls + totals.calls + in_flight
        tokens = before.input + before.output + totals.input + totals.output
        if self.max_calls is not None and calls >= self.max_calls:
            raise BudgetSpent(f"--max-calls {self.max_calls} is reached")
        if self.max_tokens is not None and tokens >= self.max_tokens:
            raise BudgetSpent(f"--max-tokens {self.max_tokens} is reached")
        if self.max_cost is not None and before.cost + totals.cost >= self.max_cost:
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
            if reason is None or (view.key, view.sample) in self.known:
                continue
            if self.session.taken(card, view, self.game) is None:
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
        sources: where answers are looked for before anything is paid, in this order.
    """

    players: Mapping[str, Player]
    budget: Budget
    allowed_refusals: int = 0
    refused: dict[int, int] = field(default_factory=dict)
    in_flight: int = 0
    on_call: Callable[[], None] = field(default=lambda: None)
    sources: Sequence[Source] = ()

    def taken(self, card: AgentCard, view: View, game: int) -> dict[str, Any] | None:
        """What a source holds of a call: `taken` and `reply` of its row; None if none does.

        Args:
            card: of the agent that would be asked.
            view: what it would be given.
            game: number of the game.
        """
        player = self.players[card.name]
        found = (source.find(player, view, game) for source in self.sources)
        return next((one for one in found if one is not None), None)

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
        common = {"key": view.key, "sample": view.sample, "game": game, "agent": card.name}
        row = {"kind": "call", **common, "digest": digest, "seconds": 0.0, "cost": 0.0}
        taken = self.taken(card, view, game)
        if taken is not None:
            row |= taken
            await log.append(row)
        else:
            self.budget.check(log.totals, self.in_flight)
            self.in_flight += 1
            began = time.monotonic()
            try:
                reply = await self._answer(log, common, card, view)
                row["seconds"] = round(time.monotonic() - began, 3)
                row["cost"] = cost_of(card, reply.usage)
                row["reply"] = reply.to_row()
                await log.append(row)
            finally:
                self.in_flight -= 1
        self.on_call()
        # exactly what a resumed run will read
        return Reply.from_row(json.loads(json.dumps(row["reply"])))

    async def _answer(
        self, log: CallLog, common: Mapping[str, Any], card: AgentCard, view: View
    ) -> Reply:
        """The player's reply; one without words where a server refuses for good and may."""
        phase = "speak" if view.phase == "paraphrase" else view.phase
        try:
            reply: Reply = await getattr(self.players[card.name], phase)(view)
        except CallFailed as error:
            game = common["game"]
            refused = self.refused.get(game, 0)
            if not error.refused or refused >= self.allowed_refusals:
                await log.append(_failure_row(common, card, error))
                raise
            self.refused[game] = refused + 1
            reply = _refused(error)
        return reply


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


def _failure_row(common: Mapping[str, Any], card: AgentCard, error: CallFailed) -> dict[str, Any]:
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
