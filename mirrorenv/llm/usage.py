"""What a call took: tokens as a server counted them, a guess where it did not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["NO_TOKENS", "Usage", "guessed", "usage_of", "usage_of_tries"]

_LETTERS = 4  # of a token, about


@dataclass(frozen=True)
class Usage:
    """Tokens of one call.

    Attributes:
        input: tokens read, over all tries.
        output: tokens written, thoughts included, over all tries.
        estimated: True if the server did not say, or said what cannot be, and the numbers hold a
            guess of four characters a token.
    """

    input: int = 0
    output: int = 0
    estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.estimated or other.estimated,
        )


NO_TOKENS = Usage()
"""Of players that are no models."""


def guessed(letters: int) -> int:
    """Tokens of a text of so many letters."""
    return letters // _LETTERS + 1 if letters else 0


def usage_of(counted: Any, letters_read: int, letters_written: int) -> Usage:
    """What one answer took.

    Thoughts that a server puts only into `total_tokens` count as written.

    Args:
        counted: the server's `usage`, whatever it is.
        letters_read: characters of the request.
        letters_written: characters of the answer, thoughts included.
    """
    table = counted if isinstance(counted, Mapping) else {}
    read = _count(table, "prompt_tokens", "input_tokens")
    written = _count(table, "completion_tokens", "output_tokens")
    total = _count(table, "total_tokens")
    if total is not None and read is not None and written is not None:
        written = max(written, total - read)
    thought = _thought(table)
    if written is not None and thought > written:  # counted apart from what was said
        written += thought
    missing_read = read is None or (read == 0 and letters_read > 0)
    missing_written = written is None or (written == 0 and letters_written > 0)
    return Usage(
        guessed(letters_read) if missing_read else int(read or 0),
        guessed(letters_written) if missing_written else int(written or 0),
        missing_read or missing_written,
    )


def usage_of_tries(tries: Iterable[Mapping[str, Any]], letters_read: int) -> Usage:
    """What failed tries took that may be on the bill: those that hold a `usage`.

    Args:
        tries: as they are logged.
        letters_read: characters of the request.
    """
    total = Usage()
    for one in tries:
        if "usage" in one:
            total += usage_of(one["usage"], letters_read, 0)
    return total


def _thought(table: Mapping[str, Any]) -> int:
    for name in ("completion_tokens_details", "output_tokens_details"):
        details = table.get(name)
        if isinstance(details, Mapping):
            return _count(details, "reasoning_tokens") or 0
    return 0


def _count(table: Mapping[str, Any], *names: str) -> int | None:
    """A count by one of its names, if it is one: digits in quotes are, truth and fractions not."""
    for name in names:
        value = table.get(name)
        if isinstance(value, str) and value.strip().isdecimal():
            value = int(value)
        if isinstance(value, float) and math.isfinite(value) and value == int(value):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9:
            return value
    return None
