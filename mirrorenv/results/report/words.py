"""Figures in words: how numbers, intervals and the headline of a report read."""

from __future__ import annotations

from typing import Any, NamedTuple

from mirrorenv.results.runs.record import Quantity, Record, Row, figure, number

__all__ = [
    "SCORES",
    "ScoreWords",
    "counted",
    "headline",
    "interval",
    "percent",
    "plain",
    "score_text",
    "sentence_top1",
    "steps",
]

MINUS, PERCENT = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}%"


class ScoreWords(NamedTuple):
    """How a Score field is shown: its name, whether it is a share, and what it means."""

    name: str
    share: bool
    meaning: str


SCORES: dict[str, ScoreWords] = {
    key: ScoreWords(name, share, meaning)
    for key, name, share, meaning in (
        (
            "top1",
            "Recognised (top-1)",
            True,
            "share of trajectories attributed to their true author; chance 1/N",
        ),
        (
            "exact",
            "Whole lineup right",
            True,
            "share of lineups with every trajectory right; chance 1/N!",
        ),
        ("expected_right", "Right per lineup", False, "trajectories right in a lineup; chance 1"),
        (
            "self_dprime",
            "Self d-prime",
            False,
            "telling one's own trajectory from others', free of bias; chance 0",
        ),
        (
            "self_criterion",
            "Self criterion",
            False,
            "bias of saying mine: below 0 too ready, above 0 too reluctant",
        ),
        (
            "calibration_error",
            "Calibration error",
            True,
            "gap between stated belief and how often it is right; best 0",
        ),
        ("brier", "Brier score", False, "squared error of the belief; best 0"),
        (
            "information",
            "Information (nats)",
            False,
            "log N + mean log belief in the true author; at most log N",
        ),
        (
            "joint_information",
            "Joint information (nats)",
            False,
            "the same for a whole lineup; at most log N!",
        ),
        (
            "effective_agents",
            "Effective agents",
            False,
            "exp of the information; chance 1, at most N",
        ),
        (
            "efficiency",
            "Share of the limit",
            True,
            "information over the exact limit's; undefined where that is near 0",
        ),
        (
            "self_advantage",
            "Self-advantage",
            False,
            "own recognition minus how well others know me",
        ),
        (
            "time_to_identify",
            "Time to identify (steps)",
            False,
            "first step with a belief above .95 in the true author",
        ),
        (
            "handshake_index",
            "Handshake index",
            True,
            "share of evidence in the first tenth of the episode; 10 % if even",
        ),
    )
}


def plain(value: float, digits: int = 2) -> str:
    """A number for reading: at most `digits` decimals, fewer from ten on, with a real minus
    sign."""
    size = abs(value)
    if size >= 1e6:
        text = f"{value:.2e}"
    else:
        decimals = digits if size < 10 else 1 if size < 1000 else 0
        text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        return "0"
    return text.replace("-", MINUS)


def counted(count: int, word: str) -> str:
    """``1 result``, ``2,000 results``."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def percent(value: float) -> str:
    """A share as percentage; one decimal where whole numbers would round to a false 0 or 100."""
    scaled = 100 * value
    coarse = round(scaled) in (0, 100) and scaled not in (0, 100)
    return (f"{scaled:.1f}" if coarse else f"{scaled:.0f}").replace("-", MINUS) + PERCENT


def _write(value: float, share: bool) -> str:
    return percent(value) if share else plain(value)


def interval(found: Quantity, share: bool) -> str:
    """The interval alone, e.g. ``"91 to 95 %"``; empty if there is none."""
    if found.low is None or found.high is None:
        return ""
    low, high = _write(found.low, share), _write(found.high, share)
    return f"{low.removesuffix(PERCENT)} to {high}" if share else f"{low} to {high}"


def score_text(found: Quantity | None, share: bool) -> str:
    """Value with its interval in brackets, or ``"not given"``."""
    if found is None:
        return "not given"
    around = interval(found, share)
    return f"{_write(found.value, share)} ({around})" if around else _write(found.value, share)


def steps(count: float) -> str:
    """A number of steps with thousands separators."""
    return f"{count:,.0f}"


def sentence_top1(row: Row, agents: int | None) -> str | None:
    """What an evaluation says about recognition, or None."""
    found = figure(row, "learned", "top1")
    if found is None:
        return None
    around = interval(found, True)
    notes = [f"95{PERCENT} interval {around}"] if around else []
    if agents:
        notes.append(f"chance {100 / agents:.3g}{PERCENT}")
    brackets = f" ({'; '.join(notes)})" if notes else ""
    return (
        f"an agent's trajectory is attributed to its author {percent(found.value)} of the "
        f"time{brackets}"
    )


def _verdict(row: Row, agents: int | None) -> str | None:
    """Whether chance lies inside the interval."""
    found = figure(row, "learned", "top1")
    if found is None or found.low is None or found.high is None or not agents:
        return None
    if found.low > 1 / agents:
        return None  # the number speaks for itself
    if found.high < 1 / agents:
        return "That is below chance: the observers are wrong more often than guessing would be."
    return "That is not distinguishable from chance."


def headline(record: Record, weight0: Record | None = None) -> list[str]:
    """The report's first sentences, made from what there is.

    Args:
        record: the run.
        weight0: the same training without the mirror reward, if there is one.

    Returns:
        One or more sentences, plain text.
    """
    row, agents = record.last, record.lineup_size
    if not row:
        return ["This run has no evaluation yet, so there is nothing to say about recognition."]
    when = number(row.get("env_steps")) or 0.0
    opening = (
        "Before training" if row.get("iteration") == 0 else f"After {steps(when)} environment steps"
    )
    told = sentence_top1(row, agents)
    if told is None:
        return [f"{opening}, the evaluation holds no recognition figure."]
    said = [f"{opening}, {told}."]
    verdict = _verdict(row, agents)
    if verdict:
        said.append(verdict)
    limit = figure(row, "limit", "top1")
    if limit is not None:
        reaches = f", which knows every agent's policy, reaches {score_text(limit, True)}"
        said.append(f"The {record.limit_name}{reaches}.")
    before = figure(record.before, "learned", "top1")
    if before is not None and row is not record.before:
        bound = figure(record.before, "limit", "top1")
        beside = f" ({record.limit_name} {percent(bound.value)})" if bound else ""
        said.append(f"Before training it was {percent(before.value)}{beside}.")
    if weight0 is not None:
        said.append(_without_mirror(weight0))
    return said


def _without_mirror(weight0: Record) -> str:
    found = figure(weight0.last, "learned", "top1")
    if found is None:
        return "The run without the mirror reward holds no recognition figure."
    when = steps(number(weight0.last.get("env_steps")) or 0.0)
    return f"Without the mirror reward it is {score_text(found, True)} after {when} steps."


def field_words(key: str) -> ScoreWords:
    """How to show a Score field; a field this version does not know is shown under its own key."""
    return SCORES.get(key, ScoreWords(key, False, ""))


def cell(value: Any, share: bool) -> tuple[str, str]:
    """Value and interval of a table cell; a dash where there is none."""
    found = figure({"cell": value}, "cell")
    return ("–", "") if found is None else (_write(found.value, share), interval(found, share))  # noqa: RUF001
