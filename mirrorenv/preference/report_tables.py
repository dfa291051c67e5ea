"""The tables of a run's page, and how its figures are written in words. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mirrorenv.mirror.intervals import Estimate, TextStyle
from mirrorenv.preference.callbacks import EvaluationRow
from mirrorenv.results.report.page import table
from mirrorenv.results.report.templates import Html
from mirrorenv.results.report.words import SHARE as WORDED

__all__ = ["recognition_table", "rounds_table", "said_share", "share", "useful_table"]

Recorded = Mapping[str, Any]
"""An estimate as a run records it: `value`, `low` and `high`, each a number or None."""

# the ways of comparing two texts, as rows are called
_WAYS = {"sum": "whole text", "per_token": "per token", "pmi": "against the untouched model"}


def recognition_table(last: EvaluationRow) -> Html:
    """Recognition under the tuned and the untouched voices, with the tuned players apart.

    Args:
        last: the evaluation on held-out topics.
    """
    names = list(last["fresh"]["useful"])
    rows = [*_recognition_rows(last, "fresh"), *_recognition_rows(last, "first")]
    if "head" in last:
        rows.append(["fresh texts, lineup, heads", share(last["head"]["top1"])])
    columns = 3 + len(names)
    filled = [row + [""] * (columns - len(row)) for row in rows]
    caption = "Recognition, with 95 % intervals over lineups"
    return table(["figure", "tuned", "untouched", *names], filled, caption)


def _recognition_rows(last: EvaluationRow, kind: str) -> list[list[str]]:
    """The rows of fresh or of first texts."""
    label = f"{kind} texts"
    found = last[kind]["recognition"]
    before = last[kind]["before"]
    rows: list[list[str]] = []
    for way, name in _WAYS.items():
        players = [f"{value:.2f}" for value in found[way]["players"]]
        both = [share(found[way]["joint"]), share(before[way]["joint"])]
        rows.append([f"{label}, {name}", *both, *players])
    together = f"{label}, two texts by both authors together"
    rows.append([together, share(found["assigned"]), share(before["assigned"])])
    # the voices did not write first texts, so the lineup's best reader is no limit there
    best = "exact limit" if kind == "fresh" else "all voices together"
    for way, name in (("lineup", "own likelihood"), ("limit", best)):
        both = [share(found[way]["top1"]), share(before[way]["top1"])]
        rows.append([f"{label}, lineup, {name}", *both])
    advantage = [_number(found["self_advantage"]), _number(before["self_advantage"])]
    rows.append([f"{label}, self-advantage (nats per token)", *advantage])
    return rows


def useful_table(last: EvaluationRow) -> Html:
    """Usefulness of each player's first and fresh texts.

    Args:
        last: the evaluation on held-out topics.
    """
    heads = [
        "player",
        "perplexity",
        "repetition",
        "relevance",
        "tokens",
        "distinct-2",
        "unfinished",
        "KL",
        "instructions",
    ]
    rows = [_useful_row(last, name) for name in last["fresh"]["useful"]]
    return table(heads, rows, "Usefulness: first texts → fresh texts after training")


def _useful_row(last: EvaluationRow, name: str) -> list[str]:
    first = last["first"]["useful"][name]
    now = last["fresh"]["useful"][name]
    row = [name, _change(first, now, "perplexity")]
    row += [f"{_value(first[key])} → {_value(now[key])}" for key in ("repetition", "relevance")]
    row += [_change(first, now, key) for key in ("length", "distinct2", "unfinished")]
    row.append(f"{now['kl']:.3g}")
    followed = last.get("instructions", {})
    told = f"{followed[name]:.0%} (untouched {followed['untouched']:.0%})" if followed else ""
    return [*row, told]


def _change(first: Mapping[str, float], now: Mapping[str, float], key: str) -> str:
    return f"{first[key]:.3g} → {now[key]:.3g}"


def rounds_table(tuning: Sequence[EvaluationRow]) -> Html:
    """One row for each evaluation on tuning topics."""
    heads = [
        "round",
        "recognition, fresh",
        "recognition, first texts",
        "perplexity",
        "repetition",
        "",
    ]
    return table(heads, [_round_row(row) for row in tuning], "On tuning topics")


def _round_row(row: EvaluationRow) -> list[str]:
    useful = row["fresh"]["useful"].values()
    return [
        str(row["iteration"]),
        share(row["fresh"]["recognition"]["sum"]["joint"]),
        share(row["first"]["recognition"]["sum"]["joint"]),
        ", ".join(f"{one['perplexity']:.3g}" for one in useful),
        ", ".join(_value(one["repetition"]) for one in useful),
        "rolled back" if row.get("rolled_back") else "",
    ]


SHARE = TextStyle(lambda value: f"{100 * value:.0f} %", end=lambda value: f"{100 * value:.0f}")
"""`95 % [93, 97]`"""


def share(recorded: Recorded | None) -> str:
    """A share in percent, with its interval where it has one."""
    found = Estimate.from_dict(recorded)
    return "undefined" if found is None else found.text(SHARE)


def said_share(recorded: Recorded | None) -> str:
    """`share` within a sentence."""
    found = Estimate.from_dict(recorded)
    return "undefined" if found is None else found.text(WORDED)


def _number(recorded: Recorded | None) -> str:
    found = Estimate.from_dict(recorded)
    return "undefined" if found is None else found.text()


def _value(recorded: Recorded) -> str:
    found = Estimate.from_dict(recorded)
    return "?" if found is None else f"{found.value:.3g}"
