"""The page of a run: what became recognisable, and what it cost. One file that holds everything; no
torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mirrorenv.errors import RunFolderError
from mirrorenv.mirror.intervals import Estimate, TextStyle
from mirrorenv.preference.charts import over_rounds, pareto, points_of
from mirrorenv.preference.settings import NOTHING_KEPT
from mirrorenv.results.report.chart import Chart
from mirrorenv.results.report.page import (
    details,
    document,
    escape,
    paragraph,
    picture,
    section,
    table,
)
from mirrorenv.results.report.plots import DARK, LIGHT, Level, png
from mirrorenv.results.runs.files import (
    atomic_write_bytes,
    atomic_write_text,
    read_json,
    read_jsonl,
)
from mirrorenv.results.runs.run_folder import RunFolder

__all__ = ["summary", "write_report"]

Row = dict[str, Any]


def summary(rows: Sequence[Row]) -> Row:
    """The figures of a finished run that a script wants: recognition and usefulness on the held-out
    topics.

    Raises:
        RunFolderError: if the run has not come to its end.
    """
    last = next((row for row in reversed(rows) if row.get("split") == "held_out"), None)
    if last is None:
        raise RunFolderError(
            "the run has no measurement on held-out topics yet; the command that began it goes on"
        )
    return {
        "best_round": last["best"],
        "rounds": last["rounds"],
        "recognition": {
            kind: {
                way: last[kind]["recognition"][way]["joint"] for way in ("sum", "per_token", "pmi")
            }
            for kind in ("first", "fresh")
        },
        "assigned": {kind: last[kind]["recognition"]["assigned"] for kind in ("first", "fresh")},
        "before": last["first"]["before"]["sum"]["joint"],
        "head": last.get("head", {}).get("top1"),
        "limit": last["fresh"]["recognition"]["limit"]["top1"],
        "useful": last["fresh"]["useful"],
        "first_texts": last["first"]["useful"],
    }


def write_report(run_path: str | os.PathLike[str]) -> Path:
    """Write ``report.html`` and ``plots/*.png``.

    Args:
        run_path: a run folder of ``mirrorenv prefer train``.

    Returns:
        the page's path.

    Raises:
        RunFolderError: if it is no such folder, or nothing has been measured yet.
    """
    run = RunFolder.open(run_path)
    if run.config.get("room") != "preference":
        raise RunFolderError(
            f"{run.path} is a run of another kind; 'mirrorenv report {run.path}' may know it"
        )
    rows = run.evaluations()
    tuning = [row for row in rows if row.get("split") == "tuning"]
    if not tuning:
        raise RunFolderError(
            f"{run.path}: nothing has been measured yet; the command that began it goes on"
        )
    last = next((row for row in reversed(rows) if row.get("split") == "held_out"), None)
    body = [_header(run, tuning, last), _notices(run, tuning, last)]
    body.append(
        section("Recognition and usefulness", _pictures(run, _charts(run, tuning, last)), _LEAD)
    )
    if last is not None:
        body += [
            section("On held-out topics", _recognition_table(last) + _useful_table(last), _HELD_OUT)
        ]
    body += [section("What they say", _samples(run, last)), section("The first texts", _card(run))]
    body.append(section("All rounds", _rounds(tuning)))
    return atomic_write_text(
        run.report_path, document(f"{_name(run)}: mirrorenv preference report", "\n".join(body))
    )


_LEAD = (
    "A model can be told apart by falling apart, so neither picture is to be read without the "
    "other."
)
_HELD_OUT = "Measured once, after the round had been chosen on other topics."


def _name(run: RunFolder) -> str:
    return run.path.resolve().name


def _header(run: RunFolder, tuning: Sequence[Row], last: Row | None) -> str:
    players = ", ".join(player["name"] for player in run.config["data"]["players"])
    row = last or tuning[-1]
    now, before = (
        row["fresh"]["recognition"]["sum"]["joint"],
        row["first"]["before"]["sum"]["joint"],
    )
    told, both = (
        row["first"]["recognition"]["sum"]["joint"],
        row["fresh"]["recognition"]["assigned"],
    )
    where = "held-out" if last else "tuning"
    said = (
        f"On {where} topics two voices together give {_share(both)} of pairs of fresh texts to "
        "their authors; alone, a "
        f"voice ranks its own above another's in {_share(now)}, on the first texts in "
        f"{_share(told)}, and before "
        f"training in {_share(before)}."
    )
    facts = (
        f"{run.config['model']}, players {players}, seed {run.info.get('seed')}, control "
        f"{run.config['control']}"
    )
    return (
        f'<header><p class="kicker">mirrorenv preference report, {escape(facts)}'
        '<span class="badge '
        f'{escape(run.status)}">{escape(run.status)}</span></p><h1>{escape(_name(run))}</h1>'
        f'<p class="headline"><strong>{escape(said, 2000)}</strong></p></header>'
    )


def _notices(run: RunFolder, tuning: Sequence[Row], last: Row | None) -> str:
    said = list(run.notes)
    if run.status != "finished":
        said.append("The run had not finished when this page was written.")
    for row in tuning:
        if row.get("rolled_back"):
            why = "; ".join(
                f"{name}: {', '.join(reasons)}" for name, reasons in row["reasons"].items()
            )
            said.append(f"Round {row['iteration']} was rolled back: {why}.")
    if last and not last["best"]:
        said.append(f"{NOTHING_KEPT[0].upper()}{NOTHING_KEPT[1:]}.")
    if run.config["control"] != "none":
        said.append(f"This run is a control: {run.config['control']}.")
    return "".join(paragraph(one, "note") for one in said)


def _charts(run: RunFolder, tuning: Sequence[Row], last: Row | None) -> list[tuple[str, Chart]]:
    names = [player["name"] for player in run.config["data"]["players"]]
    bound = run.config["bound"]

    def fresh(*keys: str) -> Any:
        def read(row: Row) -> Any:
            found: Any = row["fresh"]
            for key in keys:
                found = found[key]
            return found

        return read

    ways = [
        (label, fresh("recognition", way, "joint"))
        for label, way in (("sum", "sum"), ("per token", "per_token"), ("against untouched", "pmi"))
    ]
    ways.append(("both authors together", fresh("recognition", "assigned")))
    heads = [("each by its head", lambda row: row["head"]["top1"])] if "head" in tuning[0] else []
    lineup = [
        *heads,
        ("each by its own likelihood", fresh("recognition", "lineup", "top1")),
        ("exact limit", fresh("recognition", "limit", "top1")),
    ]
    each = [Level("chance", 1 / len(names))]
    if len(names) > 2:  # its own text, and one of the others by luck
        each.append(Level("who knows only itself", 2 / len(names), (0, (5, 2))))
    told = {
        "recognition": over_rounds(
            "Own against other",
            "Fresh texts on tuning topics; mean over players.",
            tuning,
            ways,
            levels=[Level("chance", 0.5)],
            percent=True,
            y_label="accuracy",
        ),
        "lineups": over_rounds(
            "Lineups",
            "Who wrote which of N texts: every player by its own likelihood only, and the exact "
            "limit, "
            "which knows all players.",
            tuning,
            lineup,
            levels=each,
            percent=True,
            y_label="share named rightly",
        ),
        "repetition": over_rounds(
            "Repetition",
            "Share of three-token pieces that a text says again.",
            tuning,
            [(name, fresh("useful", name, "repetition")) for name in names],
            percent=True,
            y_label="repeated pieces",
        ),
        "relevance": over_rounds(
            "Topic relevance",
            "What a text tells of its topic, by the untouched model.",
            tuning,
            [(name, fresh("useful", name, "relevance")) for name in names],
            y_label="nats",
        ),
        "kl": over_rounds(
            "Distance from the untouched model",
            "By the players' own texts.",
            tuning,
            [(name, fresh("useful", name, "kl")) for name in names],
            y_label="nats per token",
        ),
    }
    return [
        ("pareto", pareto(points_of(tuning), bound["perplexity"], last["best"] if last else -1)),
        *told.items(),
    ]


def _pictures(run: RunFolder, charts: Sequence[tuple[str, Chart]]) -> str:
    run.plots_path.mkdir(exist_ok=True)
    shown = []
    for name, chart in charts:
        light, dark = png(chart.draw(LIGHT)), png(chart.draw(DARK))
        atomic_write_bytes(run.plots_path / f"{name}.png", light)
        shown.append(picture(chart.title, chart.caption, chart.alt, light, dark))
    return f'<div class="pictures">{"".join(shown)}</div>'


def _recognition_table(last: Row) -> str:
    rows = []
    for kind, label in (("fresh", "fresh texts"), ("first", "first texts")):
        found, before = last[kind]["recognition"], last[kind]["before"]
        for way, name in (
            ("sum", "whole text"),
            ("per_token", "per token"),
            ("pmi", "against the untouched model"),
        ):
            rows.append(
                [
                    f"{label}, {name}",
                    _share(found[way]["joint"]),
                    _share(before[way]["joint"]),
                    *(f"{value:.2f}" for value in found[way]["players"]),
                ]
            )
        rows.append(
            [
                f"{label}, two texts by both authors together",
                _share(found["assigned"]),
                _share(before["assigned"]),
            ]
        )
        # the voices did not write first texts
        together = "exact limit" if kind == "fresh" else "all voices together"
        for way, name in (("lineup", "own likelihood"), ("limit", together)):
            rows.append(
                [
                    f"{label}, lineup, {name}",
                    *(_share(some[way]["top1"]) for some in (found, before)),
                ]
            )
        rows.append(
            [
                f"{label}, self-advantage (nats per token)",
                _plain(found["self_advantage"]),
                _plain(before["self_advantage"]),
            ]
        )
    if "head" in last:
        rows.append(["fresh texts, lineup, heads", _share(last["head"]["top1"])])
    names = list(last["fresh"]["useful"])
    cells = [[*row, *[""] * (3 + len(names) - len(row))] for row in rows]
    return table(
        ["figure", "tuned", "untouched", *names],
        cells,
        "Recognition, with 95 % intervals over lineups",
    )


def _useful_table(last: Row) -> str:
    rows = []
    for name, now in last["fresh"]["useful"].items():
        first = last["first"]["useful"][name]
        follows = last.get("instructions", {})
        rows.append(
            [
                escape(name),
                f"{first['perplexity']:.3g} → {now['perplexity']:.3g}",
                *(
                    f"{_value(first[key])} → {_value(now[key])}"
                    for key in ("repetition", "relevance")
                ),
                *(
                    f"{first[key]:.3g} → {now[key]:.3g}"
                    for key in ("length", "distinct2", "unfinished")
                ),
                f"{now['kl']:.3g}",
                f"{follows[name]:.0%} (untouched {follows['untouched']:.0%})"
                if name in follows
                else "",
            ]
        )
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
    return table(heads, rows, "Usefulness: first texts → fresh texts after training")


def _rounds(tuning: Sequence[Row]) -> str:
    rows = []
    for row in tuning:
        useful = row["fresh"]["useful"]
        rows.append(
            [
                str(row["iteration"]),
                _share(row["fresh"]["recognition"]["sum"]["joint"]),
                _share(row["first"]["recognition"]["sum"]["joint"]),
                ", ".join(f"{one['perplexity']:.3g}" for one in useful.values()),
                ", ".join(_value(one["repetition"]) for one in useful.values()),
                "rolled back" if row.get("rolled_back") else "",
            ]
        )
    heads = [
        "round",
        "recognition, fresh",
        "recognition, first texts",
        "perplexity",
        "repetition",
        "",
    ]
    return table(heads, rows, "On tuning topics")


def _samples(run: RunFolder, last: Row | None) -> str:
    """One fresh text of each player on two topics: numbers hide a model that repeats a word, a
    reader does not."""
    texts = read_jsonl(run.path / "texts.jsonl").rows
    split, version = ("held_out", last["best"]) if last else ("tuning", 0)
    some = [one for one in texts if one["split"] == split and one["round"] == version]
    shown = []
    for topic in list(dict.fromkeys(one["topic"] for one in some))[:2]:
        rows = [
            [escape(one["player"]), escape(one["text"], 600)]
            for one in some
            if one["topic"] == topic
        ]
        shown.append(table(["player", "text"], rows, topic, "pairs"))
    return "".join(shown) or paragraph("Nothing yet.")


def _card(run: RunFolder) -> str:
    path = run.path / "data_card.json"
    if not path.is_file():
        return paragraph("There is no data card.")
    card = read_json(path)
    rows = [
        [
            escape(name),
            str(one["texts"]),
            str(one["unfinished"]),
            f"{one['length']['mean']:.1f}",
            f"{one['typicality']:.3f}",
        ]
        for name, one in card["texts"].items()
    ]
    heads = ["player", "texts", "unfinished", "tokens", "typicality (nats per token)"]
    said = (
        f"Topics: {', '.join(f'{count} {split}' for split, count in card['topics'].items())}. Left "
        "out of training: "
    )
    said += (
        ", ".join(f"{count} {why}" for why, count in card["dropped"].items() if why != "trimmed")
        + "."
    )
    if cut := card["dropped"].get("trimmed"):
        said += f" {cut} more were cut after their last whole sentence."
    if card["style"]:
        accuracy, chance = _share(card["style"]["accuracy"]), card["style"]["chance"]
        said += f" Style alone names the author in {accuracy}; chance is {chance:.0%}."
    whole = details("Data card", f"<pre>{escape(card, 4000)}</pre>")
    return paragraph(said) + table(heads, rows, "First texts") + whole


SHARE = TextStyle(lambda value: f"{100 * value:.0f} %", end=lambda value: f"{100 * value:.0f}")
"""``95 % [93, 97]``"""


def _value(recorded: Row) -> str:
    found = Estimate.from_dict(recorded)
    return "?" if found is None else f"{found.value:.3g}"


def _plain(recorded: Row | None) -> str:
    found = Estimate.from_dict(recorded)
    return "undefined" if found is None else found.text()


def _share(recorded: Row | None) -> str:
    found = Estimate.from_dict(recorded)
    return "undefined" if found is None else found.text(SHARE)
