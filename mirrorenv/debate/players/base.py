"""What a player is: something that answers a view, now or after a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mirrorenv.debate.texts import EDITION
from mirrorenv.debate.verdicts import Verdict, read_verdict, verdict_from_evidence
from mirrorenv.debate.views import View
from mirrorenv.llm.asking import CallFailed
from mirrorenv.llm.usage import NO_TOKENS, Usage

__all__ = ["CallFailed", "Player", "Reply", "Usage", "chance", "verdict_of"]


_NO_VERDICT = {
    "thinking": "the limit of tokens was spent on thinking and no verdict was given; think less",
    "filter": "no verdict came through",
    "refused": "the server refuses the request",
    "tool": "a tool was called; answer in words",
}
"""What a reader is told of an answer without words, by why it ended."""


@dataclass(frozen=True)
class Reply:
    """What came back from a player.

    Attributes:
        text: its words.
        evidence: (K, N) nats for a player that reads with numbers instead of words; None otherwise.
        request: what was sent, as JSON, without any key; None if nothing was.
        response: what came back, as JSON; None if nothing did.
        usage: tokens; zero for players that are no models.
        attempts: tries that failed before, in words.
        stop: why it ended, one of :data:`mirrorenv.llm.answers.STOPS`; "" for players that are no
            models, and in logs of versions that did not say.
        thoughts: what a model thought aloud; kept for people, never shown to a player.
    """

    text: str
    evidence: tuple[tuple[float, ...], ...] | None = None
    request: Mapping[str, Any] | None = None
    response: Mapping[str, Any] | None = None
    usage: Usage = NO_TOKENS
    attempts: tuple[Mapping[str, Any], ...] = ()
    stop: str = ""
    thoughts: str = ""

    def to_row(self) -> dict[str, Any]:
        """For the log."""
        row: dict[str, Any] = asdict(self)
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Reply:
        """From the log."""
        evidence = row.get("evidence")
        return cls(
            text=row["text"],
            evidence=None if evidence is None else tuple(tuple(line) for line in evidence),
            request=row.get("request"),
            response=row.get("response"),
            usage=Usage(**row.get("usage", {})),
            attempts=tuple(row.get("attempts", ())),
            stop=row.get("stop", ""),
            thoughts=row.get("thoughts", ""),
        )


@runtime_checkable
class Player(Protocol):
    """Answers views. One object serves every seat of its card, so it keeps nothing between
    calls."""

    async def speak(self, view: View) -> Reply:
        """A text on `view.topic`; in the phase `paraphrase`, `view.lineup[0]` in other
        words."""
        ...

    async def recognise(self, view: View) -> Reply:
        """A verdict on `view.lineup`, in words of `view.settings.answer_format` or as
        evidence."""
        ...

    async def plan(self, view: View) -> Reply:
        """A text for oneself after a round, as `view.step` asks."""
        ...


def verdict_of(reply: Reply, view: View, edition: int = EDITION) -> Verdict:
    """The verdict in a reply to a view.

    Args:
        reply: of a reader.
        view: what it was given.
        edition: of the grammar, for words.
    """
    if reply.evidence is not None:
        return verdict_from_evidence(reply.evidence)
    if reply.stop in _NO_VERDICT and not reply.text:
        return Verdict(None, _NO_VERDICT[reply.stop])
    settings = view.settings
    return read_verdict(reply.text, settings.num_players, settings.answer_format, edition)


def chance(view: View, salt: str = "") -> np.random.Generator:
    """A generator for one answer: the same for the same call of the same tournament, whatever runs
    beside it."""
    text = f"{view.seed}|{view.key}|{view.sample}|{salt}"
    return np.random.default_rng(
        int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "little")
    )
