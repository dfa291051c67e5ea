"""Figures in words: how numbers, intervals and the headline of a report read."""

from __future__ import annotations

from typing import NamedTuple

from mirrorenv.mirror.intervals import Estimate, TextStyle
from mirrorenv.results.runs.evaluation import Evaluation
from mirrorenv.results.runs.record import RunRecord

__all__ = [
    "DASH",
    "NUMBER",
    "SCORES",
    "SHARE",
    "ScoreWords",
    "cell",
    "counted",
    "field_words",
    "headline",
    "interval",
    "percent",
    "plain",
    "sentence_top1",
    "steps",
]

MINUS = "\N{MINUS SIGN}"
PERCENT = "\N{NO-BREAK SPACE}%"
DASH = "\N{EN DASH}"


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
    """`1 result`, `2,000 results`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def percent(value: float) -> str:
    """A share as percentage, in whole numbers; one decimal where these would round to a false 0 or
    100, and a bound where one decimal would."""
    return f"{_hundredths(value)}{PERCENT}"


def _hundredths(value: float) -> str:
    scaled = 100 * value
    nearest = round(scaled)
    if nearest not in (0, 100) or abs(scaled - nearest) < 1e-9:
        return f"{scaled:.0f}".replace("-", MINUS)
    if 0 < scaled < 0.05:
        return "<0.1"
    if 99.95 < scaled < 100:
        return ">99.9"
    return f"{scaled:.1f}".replace("-", MINUS)


NUMBER = TextStyle(plain, interval=" ({low} to {high})")
"""`0.95 (0.93 to 0.97)`"""

SHARE = TextStyle(
    percent,
    end=_hundredths,
    interval=f" ({{low}} to {{high}}{PERCENT})",
)
"""`95 % (93 to 97 %)`"""


def style_of(share: bool) -> TextStyle:
    """How a figure is printed: as a percentage if it is a share."""
    return SHARE if share else NUMBER


def interval(found: Estimate, share: bool) -> str:
    """The interval alone, e.g. `"91 to 95 %"`; empty if there is none."""
    return found.interval_text(style_of(share)).removeprefix(" (").removesuffix(")")


def steps(count: float) -> str:
    """A number of steps with thousands separators."""
    return f"{count:,.0f}"


def sentence_top1(evaluation: Evaluation, agents: int | None) -> str | None:
    """What an evaluation says about recognition, or None.

    Args:
        evaluation: the row.
        agents: trajectories in a lineup, for chance; None if that is not known.
    """
    found = evaluation.learned.top1
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


def _against_chance(evaluation: Evaluation, agents: int | None) -> str | None:
    """Whether chance lies inside the interval."""
    found = evaluation.learned.top1
    if found is None or not found.bounded or not agents:
        return None
    if found.low > 1 / agents:
        return None  # the number speaks for itself
    if found.high < 1 / agents:
        return "That is below chance: the observers are wrong more often than guessing would be."
    return "That is not distinguishable from chance."


def headline(record: RunRecord, weight0: RunRecord | None = None) -> list[str]:
    """The report's first sentences, made from what there is.

    Args:
        record: the run.
        weight0: the same training without the mirror reward, if there is one.

    Returns:
        One or more sentences, plain text.
    """
    last = record.last
    if not record.evaluations:
        return ["This run has no evaluation yet, so there is nothing to say about recognition."]
    when = f"After {steps(last.env_steps or 0.0)} environment steps"
    opening = "Before training" if last.iteration == 0 else when
    told = sentence_top1(last, record.lineup_size)
    if told is None:
        return [f"{opening}, the evaluation holds no recognition figure."]
    said = [f"{opening}, {told}."]
    against_chance = _against_chance(last, record.lineup_size)
    if against_chance:
        said.append(against_chance)
    limit = last.limit.top1
    if limit is not None:
        reaches = f", which knows every agent's policy, reaches {limit.text(SHARE)}"
        said.append(f"The {record.limit_name}{reaches}.")
    if record.before is not None and record.before is not last:
        said += _before_training(record.before, record.limit_name)
    if weight0 is not None:
        said.append(_without_mirror(weight0))
    return said


def _before_training(before: Evaluation, limit_name: str) -> list[str]:
    learned = before.learned.top1
    limit = before.limit.top1
    if learned is None:
        return []
    on = f" on {counted(before.episodes, 'episode')}" if before.episodes else ""
    beside = "" if limit is None else f", where the {limit_name} was {limit.text(SHARE)}"
    said = [f"Before training it was {learned.text(SHARE)}{on}{beside}."]
    chance = 1 / before.lineup_size if before.lineup_size else 0.0
    if any(one is not None and one.value < chance <= one.high for one in (learned, limit)):
        said.append("On so few episodes a figure may lie below chance and mean chance.")
    return said


def _without_mirror(weight0: RunRecord) -> str:
    found = weight0.last.learned.top1
    if found is None:
        return "The run without the mirror reward holds no recognition figure."
    when = steps(weight0.last.env_steps or 0.0)
    return f"Without the mirror reward it is {found.text(SHARE)} after {when} steps."


def field_words(key: str) -> ScoreWords:
    """How to show a Score field; a field this version does not know is shown under its own key."""
    return SCORES.get(key, ScoreWords(key, False, ""))


def cell(found: Estimate | None, share: bool) -> tuple[str, str]:
    """Value and interval of a table cell; a dash where there is none, and no interval where it has
    no width: every episode was the same."""
    if found is None:
        return DASH, ""
    around = "" if found.low == found.high else interval(found, share)
    return style_of(share).number(found.value), around
