"""The parts of a report that are text and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mirrorenv.results.report.page import details, escape, paragraph, section, table
from mirrorenv.results.report.words import (
    SCORES,
    cell,
    field_words,
    interval,
    percent,
    plain,
    steps,
)
from mirrorenv.results.runs.record import Record, dig, figure, flatten, number
from mirrorenv.results.runs.run_folder import RunFolder

__all__ = [
    "configuration",
    "how_to_read",
    "limits_of_the_page",
    "notice",
    "row_by_row",
    "score_table",
    "tiles",
]

DASH = "\N{EN DASH}"
MOST_ROWS = 400


def notice(missing: list[str]) -> str:
    """What is missing or needs attention; nothing if all is there."""
    if not missing:
        return ""
    items = "".join(f"<li>{escape(item, 2000)}</li>" for item in missing)
    return (
        f'<div class="notice" role="note"><p>Missing or to keep in mind</p><ul>{items}</ul></div>'
    )


def _tile(name: str, value: str, around: str) -> str:
    return (
        f'<div class="tile"><dt>{escape(name)}</dt><dd><div class="value">{escape(value)}</div>'
        f'<div class="around">{escape(around)}</div></dd></div>'
    )


def tiles(record: Record) -> str:
    """The handful of figures a visitor looks for, from the latest evaluation."""
    wanted = (
        ("Recognised (top-1)", ("learned", "top1"), True, ""),
        (
            "Exact limit (top-1)" if record.limit_holds else "Limit, not exact (top-1)",
            ("limit", "top1"),
            True,
            "",
        ),
        ("Information", ("learned", "information"), False, " nats"),
        ("Share of the limit", ("learned", "efficiency"), True, ""),
        ("Environment return", ("return",), False, ""),
        ("Mirror return", ("mirror_return",), False, " nats"),
    )
    made = []
    for name, place, share, unit in wanted:
        found = figure(record.last, *place)
        if found is None:
            made.append(_tile(name, DASH, "not given"))
            continue
        value = (percent(found.value) if share else plain(found.value)) + unit
        made.append(_tile(name, value, interval(found, share) or "no interval"))
    return f'<dl class="tiles">{"".join(made)}</dl>'


def _columns(record: Record) -> list[tuple[str, Any]]:
    """Readers of the score table with their Score dicts."""
    row = record.last
    readers: list[tuple[str, Any]] = [
        ("learned, independent", dig(row, "learned")),
        ("learned, joint", dig(row, "learned_joint")),
        (record.limit_name, dig(row, "limit")),
    ]
    baselines = dig(row, "baselines")
    if isinstance(baselines, Mapping):
        readers += [
            (str(name).replace("_", " "), score) for name, score in list(baselines.items())[:20]
        ]
    return [(name, score) for name, score in readers if isinstance(score, Mapping)]


def score_table(record: Record) -> str:
    """Every Score field of every reader at the latest evaluation."""
    readers = _columns(record)
    extra = sorted({key for _, score in readers for key in score if key not in SCORES})
    rows = []
    for key in [*SCORES, *extra[:40]]:
        words = field_words(key)
        cells = [cell(score.get(key), words.share) for _, score in readers]
        shown = [
            escape(value) + (f"<small>{escape(around)}</small>" if around else "")
            for value, around in cells
        ]
        rows.append(
            [
                escape(words.name)
                + (f"<small>{escape(words.meaning)}</small>" if words.meaning else ""),
                *shown,
            ]
        )
    if not readers:
        return paragraph("The latest evaluation holds no scores.")
    when = steps(number(record.last.get("env_steps")) or 0.0)
    caption = (
        f"Values with 95 % intervals over episodes, after {when} environment steps; {DASH}: "
        "undefined or not given."
    )
    return table(["", *[name for name, _ in readers]], rows, caption, "scores")


def row_by_row(record: Record) -> str:
    """The numbers behind the lines, as a table."""
    columns: tuple[tuple[str, tuple[str, ...], bool], ...] = (
        ("top-1", ("learned", "top1"), True),
        ("top-1, limit", ("limit", "top1"), True),
        ("information", ("learned", "information"), False),
        ("information, limit", ("limit", "information"), False),
        ("return", ("return",), False),
        ("mirror return", ("mirror_return",), False),
        ("lagged top-1", ("lagged_top1",), True),
        ("identities kept", ("persistence",), True),
    )
    rows = []
    for row in record.evaluations[-MOST_ROWS:]:
        cells = [cell(dig(row, *place), share) for _, place, share in columns]
        shown = [
            escape(value) + (f"<small>{escape(around)}</small>" if around else "")
            for value, around in cells
        ]
        rows.append([steps(float(row["env_steps"])), *shown])
    if not rows:
        return ""
    return details(
        "The numbers behind the lines",
        table(
            ["environment steps", *[name for name, _, _ in columns]],
            rows,
            "One row an evaluation, latest last.",
        ),
    )


def _pairs(values: Any, caption: str) -> str:
    pairs = list(flatten(values))
    rows = [[escape(key), escape(value)] for key, value in pairs[:MOST_ROWS]]
    if len(pairs) > MOST_ROWS:
        rows.append(["…", escape(f"{len(pairs) - MOST_ROWS} more in the file")])
    return table(["key", "value"], rows, caption, "pairs")


def configuration(run: RunFolder) -> str:
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
    body = _pairs(about, "Where the numbers come from (run.json).")
    body += details(
        "Configuration", _pairs(run.config, "The resolved configuration (config.json).")
    )
    return section("The run", body)


WORDS = (
    ("Trajectory", "what one agent saw and did in one episode, without its name"),
    (
        "Lineup",
        "the trajectories of one episode in shuffled order; who made which is kept apart until the "
        "end",
    ),
    (
        "Observer",
        "reads a lineup and says for each trajectory how likely each agent is to be its author",
    ),
    (
        "Top-1",
        "how often the agent believed most is the true author; with N agents guessing gives 1 in N",
    ),
    (
        "Exact limit",
        "the best any observer could do on these episodes, computed from the agents' own policies",
    ),
    ("Nats", "a unit of information; log N nats say exactly which of N agents it was"),
    ("Mirror reward", "what an agent is paid for being recognised: zero at chance, at most log N"),
    (
        "Interval",
        "where the true figure lies with 95 % confidence if other episodes of the same run had "
        "been played",
    ),
)


def how_to_read() -> str:
    """A short introduction for newcomers, folded."""
    body = paragraph(
        "Several agents act in a world. Afterwards every agent is shown what all of them did, "
        "shuffled and without "
        "names, and says who did what. An agent is rewarded for being recognisable. The charts "
        "follow how recognisable "
        "the agents become, compare that with guessing and with the best that is possible, and "
        "show what it costs in "
        "the world."
    )
    body += paragraph(
        "Start with the first chart: the solid line should leave the dotted one (chance) and come "
        "close to the dashed "
        "one (the exact limit), but not pass it."
    )
    body += (
        '<dl class="words">'
        + "".join(f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>" for a, b in WORDS)
        + "</dl>"
    )
    return details("New here? How to read this page", body)


def limits_of_the_page() -> str:
    """What must not be read into the figures."""
    items = (
        "One run is one seed. Another seed may end elsewhere, and nothing here says how far: "
        "claims need several runs.",
        "The intervals are clustered by episode: they say how the figures vary with the episodes "
        "played, with these "
        "agents as they are. They are not intervals over seeds.",
        "The exact limit holds where agents are exchangeable in the world. Where a seat or a role "
        "gives an agent away, "
        "the world leaks identity and the limit is not the limit.",
        "The observers were trained together with these agents. How well they would know others is "
        "not measured here.",
        "Recognised means that trajectories are attributed to their authors, and nothing beyond "
        "that.",
    )
    body = "<ul>" + "".join(f"<li>{escape(item, 2000)}</li>" for item in items) + "</ul>"
    return section("What this page cannot say", body)
