"""One small call to the server of a card, and what came back: `mirrorenv debate check --live`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mirrorenv.debate.calls import cost_of
from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.players import make_player
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.settings import preset
from mirrorenv.debate.topic_files import load_topics
from mirrorenv.debate.verdicts import read_verdict
from mirrorenv.llm.asking import CallFailed

__all__ = ["LiveCheck", "live_check"]


@dataclass(frozen=True)
class LiveCheck:
    """What a server answered to one call for a verdict.

    Attributes:
        problem: why there was no answer; None if there was one.
        model: what the server says answered.
        stop: why the answer ended.
        text: its words.
        thoughts: characters of thoughts beside them.
        tokens: read and written, over all tries.
        estimated: whether the server did not count.
        logprobs: whether it sent log-probabilities.
        readable: whether the words are a verdict.
        cost: by the card's price; None without one.
        failed: tries that failed.
    """

    problem: str | None = None
    model: str = ""
    stop: str = ""
    text: str = ""
    thoughts: int = 0
    tokens: tuple[int, int] = (0, 0)
    estimated: bool = False
    logprobs: bool = False
    readable: bool = False
    cost: float | None = None
    failed: int = 0

    def lines(self) -> list[str]:
        """In words."""
        if self.problem is not None:
            return [f"no answer: {self.problem}"]
        guess = " (estimated)" if self.estimated else ""
        price = "no price in the card" if self.cost is None else f"{self.cost:.6f}"
        return [
            f"answered by {self.model or 'a model without a name'}; ended: {self.stop}; "
            f"{self.failed} failed tries",
            f"{self.tokens[0]} + {self.tokens[1]} tokens{guess}; thoughts: {self.thoughts} "
            f"characters; logprobs: {'yes' if self.logprobs else 'no'}; cost: {price}",
            f"verdict {'readable' if self.readable else 'NOT readable'}: {self.text[:200]!r}",
        ]


async def live_check(card: AgentCard) -> LiveCheck:
    """Ask a card's server for one verdict on two texts.

    Args:
        card: with an endpoint.

    Raises:
        MirrorError: if the player cannot be made.
    """
    rules = preset("default", {"num_players": 2, "judges": 0, "answer_format": "labels"})
    debate = Debate(rules, load_topics("neutral"), run="check")
    debate.speak(["I like tea, because it is calm.", "Coffee!"])
    player = make_player(card)
    try:
        reply = await player.recognise(debate.view(0))
    except CallFailed as error:
        return LiveCheck(problem=str(error))
    finally:
        await player.close()  # type: ignore[attr-defined]
    response: dict[str, Any] = dict(reply.response or {})
    choices = response.get("choices") or [{}]
    return LiveCheck(
        model=str(response.get("model", "")),
        stop=reply.stop,
        text=reply.text,
        thoughts=len(reply.thoughts),
        tokens=(reply.usage.input, reply.usage.output),
        estimated=reply.usage.estimated,
        logprobs=bool(isinstance(choices[0], dict) and choices[0].get("logprobs")),
        readable=read_verdict(reply.text, 2, "labels").valid,
        cost=cost_of(card, reply.usage),
        failed=len(reply.attempts),
    )
