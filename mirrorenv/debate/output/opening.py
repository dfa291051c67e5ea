"""How a tournament's page opens: a sentence, two pictures, and words for who is new."""

from __future__ import annotations

import numpy as np

from mirrorenv.debate.scoring.ideal import LIMIT_READER, LimitScore
from mirrorenv.debate.scoring.results import Results, tied_groups
from mirrorenv.debate.scoring.scores import ReaderScore
from mirrorenv.mirror import Estimate
from mirrorenv.mirror.bounded import rebounded
from mirrorenv.results.report.chart import DASH_DOT, DASHED, Chart
from mirrorenv.results.report.glossary import SHARED, how_to_read
from mirrorenv.results.report.page import figure, header, paragraph, pictures, section
from mirrorenv.results.report.plots import Dots, Level, Track, dot_plot, line_chart
from mirrorenv.results.report.templates import Html
from mirrorenv.results.report.words import SHARE, counted, percent
from mirrorenv.results.runs.record import Series

__all__ = ["charts", "floor_explained", "headline", "opening"]

INTRODUCTION = (
    "Players answer a question. The answers are shuffled and lose their names, and every reader "
    "says who wrote which. A player is to be recognised by what it writes, and recognises others "
    "by what they wrote before."
)
WORDS = (
    *SHARED,
    ("Reader, author", "a player is both; a judge reads and writes nothing"),
    ("Peer hits", "share of the texts of others that a reader gives to their true author"),
    (
        "Floor",
        "what guessing gives. A reader that finds its own text by comparing strings has N - 1 "
        "names left for the others; a judge has all N",
    ),
    ("Kappa", "peer hits above the floor, as a share of what is possible above it: 0 is guessing"),
    (
        "Joint",
        "peer hits if the reader's beliefs are turned into the one best assignment of all texts "
        "to all names",
    ),
    ("Self, known by others", "its own text given to itself, and given to it by the others"),
    ("Self-advantage", "the difference of these two: what it knows of itself and others do not"),
    (
        "Group",
        "readers of one group could be equal, since their intervals overlap; no order within a "
        "group is known",
    ),
    (
        "Interval",
        "where the figure lies with 95 % confidence if other games of the same players had been "
        "played; a game counts once, however many texts it has",
    ),
    ("No spread", "every game gave the same, too few to say where the figure lies"),
    ("Unreadable", "verdicts that name no player clearly; they count as guesses"),
    ("Second try", "verdicts that were unreadable at first and asked for once more"),
    ("Whole lineup", "share of verdicts with every text given to its author"),
    (
        "Fits inverse better",
        "verdicts that make more sense if the reader had mixed up letters and names",
    ),
    ("Same in another order", "share of verdicts that stay when the texts are shuffled again"),
    (
        "Hits by slot, names given",
        "share right at the first, second, ... place of the lineup; how often each name is said. "
        "Where these differ much, a reader follows a place or a name and not the texts",
    ),
    ("Cohen's kappa", "agreement with the truth above that of a reader with the same habits"),
    ("Calibration error", "gap between how sure a reader is and how often it is right; best 0"),
)
_STYLES = ("-", DASHED, DASH_DOT, (0, (1, 1.5)))
_COLOURS = ("learned", "other", "level")
_MOST_LINES = 8


def opening(results: Results, games: int) -> list[Html]:
    """The head of the page.

    Args:
        results: of the tournament.
        games: how many are finished.
    """
    tournament = results.tournament
    settings = tournament.settings
    scores = results.scores()
    limit = results.limit() if scores else None
    figures = charts(scores, limit) if scores else []
    facts = (
        f"{games} of {tournament.games} games of {settings.num_players} players and "
        f"{counted(settings.rounds, 'round')}, topics: {tournament.topics.title}"
    )
    said = headline(scores, games)
    parts = [
        header(tournament.name, said, f"mirrorenv debate, {facts}", lead=_spent(results)),
        how_to_read([INTRODUCTION], WORDS),
    ]
    if figures:
        floor = (paragraph(one, "note") for one in floor_explained(scores, settings.num_players))
        parts.append(section("At a glance", pictures(map(figure, figures)), *floor))
    return parts


def _spent(results: Results) -> str:
    totals = results.log.totals
    estimated = f" ({totals.estimated:,} calls estimated)" if totals.estimated else ""
    cost = f", cost {totals.cost:.4f}" if totals.cost else ""
    stand_in = "Scripted players stand in for the models. " if results.tournament.fake else ""
    return (
        f"{stand_in}{totals.calls:,} calls, {totals.input + totals.output:,} tokens{estimated}"
        f"{cost}, {totals.attempts:,} failed tries."
    )


# -- the sentence ----------------------------------------------------------------------------------


def headline(scores: list[ReaderScore], games: int) -> list[str]:
    """What was found, in a few sentences; the first is the news.

    Args:
        scores: best first.
        games: that are finished.
    """
    if not scores:
        return ["No game is finished yet, so nothing is known about recognition."]
    best = scores[0]
    hits = rebounded(best.peer_hits) or best.peer_hits
    over = f"Over {counted(games, 'game')}, "
    gives = (
        f"it gives {hits.text(SHARE)} of their texts to their true author; guessing "
        f"gives {percent(best.floor)}."
    )
    if hits.low <= best.floor:
        said = [
            f"{over}no reader is shown to recognise others better than guessing.",
            f"{best.name} comes first: {gives}",
        ]
    else:
        said = [f"{over}{best.name} recognises others best: {gives}", *_equals(scores)]
    known = [one for one in scores if one.legibility is not None]
    if len(known) > 1:
        said.append(_legible(known))
    return said


def _equals(scores: list[ReaderScore]) -> list[str]:
    """Who else could be the best."""
    groups = tied_groups(scores)
    others = [one.name for one, group in zip(scores[1:], groups[1:], strict=True) if group == 1]
    if not others:
        return ["No other reader's interval reaches it."] if len(scores) > 1 else []
    return [f"{_listed(others)} could be as good: the intervals overlap."]


def _legible(known: list[ReaderScore]) -> str:
    def share(one: ReaderScore) -> float:
        return one.legibility.value if one.legibility is not None else 0.0

    most = max(known, key=share)
    least = min(known, key=share)
    return (
        f"Most easily known by others is {most.name} ({percent(share(most))} of its texts), least "
        f"{least.name} ({percent(share(least))})."
    )


def _listed(names: list[str]) -> str:
    shown = names[:5] + ([f"{len(names) - 5} more"] if len(names) > 5 else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


# -- the pictures ----------------------------------------------------------------------------------


def charts(scores: list[ReaderScore], limit: LimitScore | None) -> list[Chart]:
    """Who recognises how much, and how that grows over the rounds.

    Args:
        scores: best first.
        limit: the exact limit; None if it is not known.
    """
    return [_readers(scores, limit), *_rounds(scores, limit)]


def _readers(scores: list[ReaderScore], limit: LimitScore | None) -> Chart:
    found: list[tuple[str, Estimate]] = [(one.name, one.peer_hits) for one in scores]
    if limit is not None:
        found.insert(0, (LIMIT_READER, limit.peer_hits))
    value = np.array([one.value for _, one in found])
    low = np.array([one.low if one.bounded else np.nan for _, one in found])
    high = np.array([one.high if one.bounded else np.nan for _, one in found])
    dots = Dots("peer hits, 95 % interval", value, low, high)
    floor = _floor(scores)
    said = "; ".join(f"{name} {percent(one.value)}" for name, one in found)
    return Chart(
        "Who recognises others",
        "Share of the texts of others given to their true author, best reader first. The dotted "
        "line is what guessing gives a player.",
        f"Dot plot of peer hits: {said}; guessing gives {percent(floor)}.",
        lambda theme: dot_plot(
            theme,
            [name for name, _ in found],
            [dots],
            x_label="texts of others named rightly",
            percent=True,
            level=Level("guessing", floor),
        ),
    )


def _floor(scores: list[ReaderScore]) -> float:
    return next((one.floor for one in scores if not one.judge), scores[0].floor)


def _rounds(scores: list[ReaderScore], limit: LimitScore | None) -> list[Chart]:
    rounds = max(len(one.curve) for one in scores)
    if rounds < 2:
        return []
    curves = [(one.name, one.curve) for one in scores[:_MOST_LINES]]
    tracks = [
        _track(name, curve, _COLOURS[n % len(_COLOURS)], _STYLES[n // len(_COLOURS) % 4])
        for n, (name, curve) in enumerate(curves)
    ]
    if limit is not None:
        tracks.insert(0, _track(LIMIT_READER, limit.curve, "limit", DASHED))
    levels = [Level("guessing", _floor(scores))]
    ends = "; ".join(
        f"{name} {percent(curve[0])} to {percent(curve[-1])}" for name, curve in curves
    )
    return [
        Chart(
            "Learning over the rounds",
            "Peer hits round by round, mean over games. In the first round nothing is known of "
            "anybody.",
            f"Line chart of peer hits from the first to the last of {rounds} rounds: {ends}.",
            lambda theme: line_chart(
                theme,
                tracks,
                levels,
                x_label="round",
                y_label="texts of others named rightly",
                y_range=(0, 1.03),
                percent=True,
                whole_x=True,
            ),
        )
    ]


def _track(name: str, curve: list[float], colour: str, style: object) -> Track:
    unknown = np.full(len(curve), np.nan)
    steps = np.arange(1, len(curve) + 1, dtype=np.float64)
    return Track(name, Series(steps, np.array(curve), unknown, unknown), colour, style)


def floor_explained(scores: list[ReaderScore], players: int) -> list[str]:
    """Why a reader that knows nothing may lie below the floor.

    Args:
        scores: of the readers.
        players: N.
    """
    if not any(not one.judge and one.floor > 1 / players for one in scores):
        return []
    floor = 1 / (players - 1)
    return [
        f"The floor is 1/{players - 1} = {floor:.3f} and not 1/{players} = {1 / players:.3f} for a "
        "player: it can find its own text by comparing strings, and then guesses among the "
        f"{players - 1} other names. A reader that spreads its guess over all {players} names, its "
        f"own included, lies at {1 / players:.3f}, below the floor, as many do in the first "
        f"round. A judge, who wrote nothing, has the floor 1/{players}."
    ]
