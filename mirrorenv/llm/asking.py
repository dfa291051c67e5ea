"""What a local model is asked and what it answers, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Generated", "Request"]


@dataclass(frozen=True)
class Request:
    """One text to be written.

    Attributes:
        prompt: token ids, the beginning of the assistant's turn included.
        tokens: most tokens of the answer.
        temperature: of sampling; 0 takes the likeliest token each time.
        seed: of the draws. The same request gets the same draws whatever runs beside it.
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
