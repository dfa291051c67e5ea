"""How long a server asks to be left alone (RFC 9110, 10.2.3, and what servers write instead)."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

__all__ = ["retry_after"]

_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DATE = re.compile(r"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} [0-2]\d:[0-5]\d:[0-5]\d GMT")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)[a-z]*\s*", re.IGNORECASE)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks for: as a number, as a span such as `1m30s`, or as a date.

    A date is compared with the server's own `Date`, so that its clock need not agree with ours.

    Args:
        headers: of its answer; names in lower case, or a mapping that ignores case.

    Returns:
        seconds above 0; None if it does not say, or says something that has passed.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return _positive(milliseconds * 1e-3)
    asked = headers.get("retry-after", "").strip()
    if not asked:
        return _reset(headers)
    seconds = _number(asked)
    if seconds is None:
        seconds = _span(asked)
    return _positive(seconds) if seconds is not None else _date(asked, headers.get("date", ""))


def _reset(headers: Mapping[str, str]) -> float | None:
    """The longest of the spans after which limits that are used up begin again."""
    waits: list[float] = []
    for kind in ("requests", "tokens"):
        left = _number(headers.get(f"x-ratelimit-remaining-{kind}", ""))
        span = _span(headers.get(f"x-ratelimit-reset-{kind}", "").strip())
        if span is not None and left is not None and left <= 0:
            waits.append(span)
    return _positive(max(waits)) if waits else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _span(text: str) -> float | None:
    """Seconds of `2s`, `6m0s` or `20ms`; None for anything else."""
    found = _SPAN.findall(text)
    if not found or _SPAN.sub("", text):
        return None
    return float(sum(float(number) * _UNITS[unit.lower()] for number, unit in found))


def _date(text: str, now: str) -> float | None:
    try:
        until = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    # a proxy may have put its own Date before the server's; the latest is nearest to the answer
    dates = [parsedate_to_datetime(found).timestamp() for found in _DATE.findall(now)]
    return _positive(until - max(dates, default=time.time()))


def _positive(seconds: float) -> float | None:
    return seconds if seconds > 0.0 else None
