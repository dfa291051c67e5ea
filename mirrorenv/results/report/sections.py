"""The parts of a report that are text and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mirrorenv.mirror.intervals import Estimate
from mirrorenv.results.report.glossary import (
    READERS,
    TRAINING,
    how_to_read,
    reader_title,
    words_list,
)
from mirrorenv.results.report.page import Cell, details, listed, paragraph, section, table
from mirrorenv.results.report.templates import Html, render
from mirrorenv.results.report.words import (
    DASH,
    SCORES,
    cell,
    counted,
    field_words,
    percent,
    steps,
)
from mirrorenv.results.runs.evaluation import Evaluation, RecordedScore
from mirrorenv.results.runs.json_values import flatten
from mirrorenv.results.runs.record import RunRecord
from mirrorenv.results.runs.run_folder import RunFolder

__all__ = [
    "configuration",
    "introduction",
    "limits_of_the_page",
    "notice",
    "row_by_row",
    "score_table",
    "short_run",
    "tiles",
]

INTRODUCTION = (
    "Several agents act in a world. Afterwards every agent is shown what all of them did, "
    "shuffled and without names, and says who did what. An agent is rewarded for being "
    "recognisable. The charts follow how recognisable the agents become, compare that with "
    "guessing and with the best that is possible, and show what it costs in the world.",
    "Start with the first chart: the solid line should leave the dotted one (chance) and come "
    "close to the dashed one (the exact limit), but not pass it.",
)
SHORT = 10
"""Iterations below which a run is called short."""
SAME = "no spread"
"""Said in place of an interval without width."""
MOST_ROWS = 400
MOST_READERS = 20
MOST_FIGURES = 40  # under names that this version does not know


def notice(missing: list[str]) -> Html:
    """What is missing or needs attention; nothing if all is there."""
    if not missing:
        return Html()
    return render("mirrorenv.results.report", "notice.html", lines=missing)


def tiles(record: RunRecord) -> Html:
    """The handful of figures a visitor looks for, from the latest evaluation."""
    last = record.last
    limit = "Exact limit (top-1)" if record.limit_holds else "Limit, not exact (top-1)"
    wanted = [
        ("Recognised (top-1)", last.learned.top1, True, ""),
        (limit, last.limit.top1, True, ""),
        ("Information", last.learned.information, False, " nats"),
        ("Share of the limit", last.learned.efficiency, True, ""),
        ("Mirror return", last.mirror_return, False, " nats"),
    ]
    if record.pays is not False:
        wanted.insert(-1, ("Environment return", last.environment_return, False, ""))
    made = []
    for name, found, share, unit in wanted:
        value, around = cell(found, share)
        about = "not given" if found is None else around or _unbounded(found)
        tile = {"name": name, "value": value, "unit": "" if found is None else unit}
        made.append({**tile, "around": about})
    return render("mirrorenv.results.report", "tiles.html", tiles=made)


def _unbounded(found: Estimate) -> str:
    return SAME if found.bounded else "no interval"


def _readers(record: RunRecord) -> list[tuple[str, RecordedScore]]:
    """Readers of the score table, as far as the latest evaluation has them."""
    last = record.last
    baselines = [
        (reader_title(name), score) for name, score in list(last.baselines.items())[:MOST_READERS]
    ]
    readers = [
        ("learned", last.learned),
        ("learned, joint", last.learned_joint),
        (record.limit_name, last.limit),
        *baselines,
    ]
    return [(name, score) for name, score in readers if score.given]


def _cells(found: Iterable[tuple[Estimate | None, bool]]) -> list[Cell]:
    """Values with their intervals below."""
    shown: list[Cell] = []
    for one, share in found:
        value, around = cell(one, share)
        same = SAME if one is not None and one.bounded and not around else around
        shown.append((value, same) if same else value)
    return shown


def score_table(record: RunRecord) -> Html:
    """Every Score field of every reader at the latest evaluation."""
    readers = _readers(record)
    if not readers:
        return paragraph("The latest evaluation holds no scores.")
    scores = [score.figures() for _, score in readers]
    unknown = sorted({name for _, score in readers for name in score.others})
    rows = []
    for name in [*SCORES, *unknown[:MOST_FIGURES]]:
        words = field_words(name)
        found = ((score.get(name), words.share) for score in scores)
        rows.append([(words.name, words.meaning), *_cells(found)])
    when = steps(record.last.env_steps or 0.0)
    caption = (
        f"Values with 95 % intervals over episodes, after {when} environment steps. {DASH}: "
        f"undefined or not given; {SAME}: the same in every episode."
    )
    heads = ["", *[name for name, _ in readers]]
    return table(heads, rows, caption, "scores") + _about_readers(record)


def _about_readers(record: RunRecord) -> Html:
    """What the simple readers are, and which of them are too sure of themselves."""
    held = record.last.baselines
    known = [(reader_title(name), READERS[name]) for name in READERS if name in held]
    said = words_list(known) if known else Html()
    chance = record.last.chance
    sure = [
        name.replace("_", " ")
        for name, score in held.items()
        if chance is not None and _too_sure(score, chance)
    ]
    if not sure:
        return said
    text = (
        f"Not calibrated: {', '.join(sure[:MOST_READERS])}. More often right than guessing and "
        "yet below 0 nats means beliefs that are too certain; its top-1 may be compared with "
        "that of the learned observers, its nats may not."
    )
    return paragraph(text, "note") + said


def _too_sure(score: RecordedScore, chance: float) -> bool:
    return (
        score.top1 is not None
        and score.information is not None
        and score.top1.low > chance
        and score.information.high < 0
    )


def short_run(record: RunRecord) -> list[str]:
    """A hint where the observers have hardly been trained, which looks like a failure."""
    learned = record.last.learned.top1
    iterations = record.last.iteration
    if learned is None or not iterations:
        return []
    ahead = [
        (score.top1.value, name.replace("_", " "))
        for name, score in record.last.baselines.items()
        if score.top1 is not None and score.top1.low > learned.high
    ]
    trained = counted(iterations, "iteration")
    if ahead:
        value, name = max(ahead)
        return [
            f"A simple reader ({name}, {percent(value)}) is ahead of the learned observers "
            f"({percent(learned.value)}), which have had {trained} of training so far: agents "
            "and observers may need more steps (--steps)."
        ]
    if iterations < SHORT:
        return [
            f"This was a short run: {trained} of training. Figures may still be moving; "
            "--steps trains longer."
        ]
    return []


Column = tuple[str, Callable[[Evaluation], Estimate | float | None], bool]
COLUMNS: tuple[Column, ...] = (
    ("top-1", lambda one: one.learned.top1, True),
    ("top-1, limit", lambda one: one.limit.top1, True),
    ("information", lambda one: one.learned.information, False),
    ("information, limit", lambda one: one.limit.information, False),
    ("return", lambda one: one.environment_return, False),
    ("mirror return", lambda one: one.mirror_return, False),
    ("lagged top-1", lambda one: one.lagged_top1, True),
    ("identities kept", lambda one: one.persistence, True),
)
"""Of the table of evaluations: heading, what is read, whether it is a share."""


def row_by_row(record: RunRecord) -> Html:
    """The numbers behind the lines, as a table."""
    rows = []
    for evaluation in record.evaluations[-MOST_ROWS:]:
        found = ((_estimate(read(evaluation)), share) for _, read, share in COLUMNS)
        rows.append([steps(evaluation.env_steps or 0.0), *_cells(found)])
    if not rows:
        return Html()
    heads = ["environment steps", *[name for name, _, _ in COLUMNS]]
    return details(
        "The numbers behind the lines", table(heads, rows, "One row an evaluation, latest last.")
    )


def _estimate(found: Estimate | float | None) -> Estimate | None:
    return found if found is None or isinstance(found, Estimate) else Estimate(found)


def _pairs(values: Any, caption: str) -> Html:
    pairs = list(flatten(values))
    rows = [[key, str(value)] for key, value in pairs[:MOST_ROWS]]
    if len(pairs) > MOST_ROWS:
        rows.append(["…", f"{len(pairs) - MOST_ROWS} more in the file"])
    return table(["key", "value"], rows, caption, "pairs")


def configuration(run: RunFolder) -> Html:
    """Seed, versions and the resolved configuration."""
    about = {
        "seed": run.info.get("seed"),
        "device": run.info.get("device"),
        "created": run.info.get("created"),
        "ended": run.info.get("ended"),
        "status": run.status,
        "git": run.info.get("git") or "no commit known",
        "version": run.info.get("versions"),
    }
    return section(
        "The run",
        _pairs(about, "Where the numbers come from (run.json)."),
        details("Configuration", _pairs(run.config, "The resolved configuration (config.json).")),
    )


def introduction() -> Html:
    """A short introduction for newcomers, folded."""
    return how_to_read(INTRODUCTION, TRAINING)


CANNOT_SAY = (
    "One run is one seed. Another seed may end elsewhere, and nothing here says how far: claims "
    "need several runs.",
    "The intervals are clustered by episode: they say how the figures vary with the episodes "
    "played, with these agents as they are. They are not intervals over seeds.",
    "The exact limit holds where agents are exchangeable in the world. Where a seat or a role "
    "gives an agent away, the world leaks identity and the limit is not the limit.",
    "The observers were trained together with these agents. How well they would know others is "
    "not measured here.",
    "Recognised means that trajectories are attributed to their authors, and nothing beyond that.",
)


def limits_of_the_page() -> Html:
    """What must not be read into the figures."""
    return section("What this page cannot say", listed(CANNOT_SAY))
