"""The figures of a reader that tables show: each once, with its names, its meaning and its form.

The page, the command line and the result folder take what they show from here. To add a figure,
add an attribute to :class:`~mirrorenv.debate.scoring.scores.ReaderScore`, an entry here, and its
name to the tables that are to show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from mirrorenv.debate.scoring.conduct import SEVERAL_GAMES
from mirrorenv.debate.scoring.ideal import LIMIT_READER, LimitScore
from mirrorenv.debate.scoring.scores import ReaderScore
from mirrorenv.mirror.bounded import rebounded
from mirrorenv.mirror.intervals import Estimate, TextStyle

__all__ = [
    "FIGURES",
    "HABITS",
    "LEADERBOARD",
    "TERMINAL",
    "ReaderFigure",
    "Value",
    "figure_rows",
    "heads",
    "value_of",
]

Value = Estimate | float | list[float] | None
"""What a figure may be; None where there is nothing to tell."""


@dataclass(frozen=True)
class ReaderFigure:
    """One figure of a reader.

    Attributes:
        head: of a column, short.
        title: of a column on a leaderboard of result folders; empty for a figure that is not there.
        about: what it counts.
        better: which way is better, on such a leaderboard.
        share: whether it lies in [0, 1] as a share of texts.
        percent: whether it is written in percent.
    """

    head: str
    title: str = ""
    about: str = ""
    better: Literal["high", "low", "neither"] = "neither"
    share: bool = False
    percent: bool = False

    def shown(self, value: Value) -> Value:
        """A share with the interval that is printed of shares; anything else as it is."""
        return rebounded(value) if self.share and isinstance(value, Estimate) else value

    def text(self, value: Value, style: TextStyle = SEVERAL_GAMES) -> str:
        """The figure as a cell of a table; "-" where there is nothing to tell."""
        value = self.shown(value)
        if value is None:
            return "-"
        if isinstance(value, Estimate):
            return value.text(style)
        if isinstance(value, list):
            return " ".join(f"{one:.2f}" for one in value)
        return f"{value:.1%}" if self.percent else style.number(value)


# by the name of the attribute of a score, which is its key in scores.json too
FIGURES: dict[str, ReaderFigure] = {
    "peer_hits": ReaderFigure(
        "peer hits",
        "Peers recognised",
        "texts of others given to their author",
        better="high",
        share=True,
    ),
    "floor": ReaderFigure("floor"),
    "kappa": ReaderFigure(
        "kappa", "Kappa", "peers recognised, above what guessing gives", better="high"
    ),
    "peer_hits_joint": ReaderFigure("joint", share=True),
    "self_hits": ReaderFigure(
        "self", "Own recognised", "its own text given to itself", better="high", share=True
    ),
    "legibility": ReaderFigure(
        "known by others",
        "Legibility",
        "its texts given to it by the other players",
        share=True,
    ),
    "self_advantage": ReaderFigure(
        "self-advantage", "Self-advantage", "own recognised minus legibility", better="high"
    ),
    "peer_hits_strict": ReaderFigure(
        "peer hits, strict",
        "Peers, strict",
        "unreadable verdicts count nothing",
        better="high",
        share=True,
    ),
    "peer_hits_clean": ReaderFigure("without marked texts", share=True),
    "peer_hits_worded": ReaderFigure("texts with words", share=True),
    "nats": ReaderFigure(
        "nats", "Information (nats)", "log score on the texts of others", better="high"
    ),
    "calibration_error": ReaderFigure("calibration error"),
    "cohen_kappa": ReaderFigure("Cohen's kappa"),
    "exact": ReaderFigure("whole lineup", share=True),
    "order_consistency": ReaderFigure("same in another order", share=True),
    "invalid": ReaderFigure("unreadable", percent=True),
    "repaired": ReaderFigure("second try", percent=True),
    "inverse": ReaderFigure("fits inverse better", percent=True),
    "by_slot": ReaderFigure("hits by slot"),
    "labels": ReaderFigure("names given"),
}

LEADERBOARD = (
    "peer_hits",
    "floor",
    "kappa",
    "peer_hits_joint",
    "self_hits",
    "legibility",
    "self_advantage",
    "nats",
    "invalid",
)
"""What the tournament's page shows of each reader."""

TERMINAL = ("peer_hits", "floor", "kappa", "self_hits", "nats", "invalid")
"""What fits into a terminal of 80 columns."""

HABITS = (
    "calibration_error",
    "cohen_kappa",
    "exact",
    "inverse",
    "repaired",
    "order_consistency",
    "by_slot",
    "labels",
)
"""What a reader does that is no recognition."""


def heads(names: Sequence[str]) -> list[str]:
    """The heads of the columns of some figures."""
    return [FIGURES[name].head for name in names]


def value_of(score: ReaderScore | LimitScore, name: str) -> Value:
    """A figure of a reader, or of the exact limit, which has only some of them."""
    return cast("Value", getattr(score, name, None))


def figure_rows(
    scores: Sequence[ReaderScore],
    groups: Sequence[int],
    limit: LimitScore | None,
    names: Sequence[str],
) -> list[tuple[str, str, list[Value]]]:
    """The rows of a leaderboard: the exact limit first, where it is known, then every reader.

    Args:
        scores: best first.
        groups: the group of each.
        limit: the exact limit; None if it is not known.
        names: of the figures.

    Returns:
        for each row who it is of, its group, and its figures.
    """
    rows: list[tuple[str, str, list[Value]]] = []
    if limit is not None:
        rows.append((LIMIT_READER, "-", [value_of(limit, name) for name in names]))
    for score, group in zip(scores, groups, strict=True):
        who = score.name + (" (judge)" if score.judge else "")
        rows.append((who, str(group), [value_of(score, name) for name in names]))
    return rows
