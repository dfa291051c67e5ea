"""What a model is asked and what comes back, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mirrorenv.errors import MirrorError
from mirrorenv.llm.usage import Usage

__all__ = ["CallFailed", "FailedTry", "Generated", "Request"]

FailedTry = Mapping[str, Any]
"""One try that failed, as it is logged: `error`, and of a server `status` and `wait` (s)."""


class CallFailed(MirrorError):
    """A model gave no answer, and trying again is of no use.

    Attributes:
        attempts: the tries that failed.
        refused: whether this one request is refused for good, and others may fare better.
        closed: whether no further request of this player will be answered.
        usage: what the failed tries took that may be on the bill.
        request: what was sent, as JSON, without any key; None where it is not known.
    """

    def __init__(
        self,
        message: str,
        attempts: tuple[FailedTry, ...] = (),
        *,
        refused: bool = False,
        closed: bool = False,
    ) -> None:
        super().__init__(message)
        self.attempts = attempts
        self.refused = refused
        self.closed = closed
        self.usage = Usage()
        self.request: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Request:
    """One text to be written.

    Attributes:
        prompt: token ids, the beginning of the assistant's turn included.
        tokens: most tokens of the answer.
        temperature: of sampling; 0 takes the likeliest token each time.
        seed: of the draws. The same request gets the same draws whatever else is in its batch.
        top_logprobs: how many of the likeliest tokens are reported at each place.
    """

    prompt: tuple[int, ...]
    tokens: int
    temperature: float
    seed: int
    top_logprobs: int = 0


@dataclass(frozen=True)
class Generated:
    """A text that was written.

    Attributes:
        tokens: ids, with the end mark if it was written.
        text: the same in words, without the end mark.
        finished: whether the model ended the text itself; False if the limit did.
        logprobs: nats of each token at temperature 1, whatever temperature drew it.
        top: for each place the likeliest tokens and their nats at temperature 1, if they were asked
            for.
    """

    tokens: tuple[int, ...]
    text: str
    finished: bool
    logprobs: tuple[float, ...]
    top: tuple[tuple[tuple[int, float], ...], ...] = ()
