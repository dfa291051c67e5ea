"""The page of a run: what became recognisable, and what it cost. One file that holds everything; no
torch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mirrorenv.errors import RunFolderError
from mirrorenv.mirror import Estimate
from mirrorenv.preference.callbacks import EvaluationRow
from mirrorenv.preference.charts import run_charts
from mirrorenv.preference.report_tables import (
    recognition_table,
    rounds_table,
    said_share,
    share,
    useful_table,
)
from mirrorenv.preference.settings import NOTHING_KEPT
from mirrorenv.results.report.glossary import how_to_read
from mirrorenv.results.report.next_steps import Command, next_section
from mirrorenv.results.report.page import (
    details,
    document,
    figure,
    header,
    paragraph,
    pictures,
    section,
    table,
)
from mirrorenv.results.report.templates import Html, render, text
from mirrorenv.results.runs.files import atomic_write_text, read_json
from mirrorenv.results.runs.json_lines import read_jsonl
from mirrorenv.results.runs.run_folder import RunFolder

__all__ = ["summary", "write_report"]


def summary(rows: Sequence[EvaluationRow]) -> dict[str, Any]:
    """The figures of a finished run that a script wants: recognition and usefulness on the held-out
    topics.

    Args:
        rows: all evaluations of the run.

    Returns:
        ready for JSON; the keys are those of `mirrorenv prefer train --json`.

    Raises:
        RunFolderError: if the run has not come to its end.
    """
    last = _held_out(rows)
    if last is None:
        raise RunFolderError(
            "the run has no measurement on held-out topics yet; the command that began it resumes "
            "it"
        )
    first = last["first"]["recognition"]
    fresh = last["fresh"]["recognition"]
    return {
        "best_round": last["best"],
        "rounds": last["rounds"],
        "recognition": {"first": _ways(first), "fresh": _ways(fresh)},
        "assigned": {"first": first["assigned"], "fresh": fresh["assigned"]},
        "before": last["first"]["before"]["sum"]["joint"],
        "head": last.get("head", {}).get("top1"),
        "limit": fresh["limit"]["top1"],
        "useful": last["fresh"]["useful"],
        "first_texts": last["first"]["useful"],
    }


def _ways(recognition: Mapping[str, Any]) -> dict[str, Any]:
    return {way: recognition[way]["joint"] for way in ("sum", "per_token", "pmi")}


def _held_out(rows: Sequence[EvaluationRow]) -> EvaluationRow | None:
    """The evaluation at the end of a run; None while it goes on."""
    return next((row for row in reversed(rows) if row.get("split") == "held_out"), None)


def write_report(run_path: str | os.PathLike[str]) -> Path:
    """Write `report.html` and `plots/*.png`.

    Args:
        run_path: a run folder of `mirrorenv prefer train`.

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
            f"{run.path}: nothing has been measured yet; the command that began it resumes it"
        )
    last = _held_out(rows)
    run.plots_path.mkdir(exist_ok=True)
    charts = run_charts(run.config, tuning, last)
    drawn = (figure(chart, run.plots_path / f"{name}.png") for name, chart in charts.items())
    parts = [
        _header(run, tuning, last),
        *_notices(run, tuning, last),
        how_to_read(INTRODUCTION, WORDS),
        section("Recognition and usefulness", pictures(drawn), lead=_LEAD),
    ]
    if last is not None:
        tables = recognition_table(last), useful_table(last)
        parts.append(section("On held-out topics", *tables, lead=_HELD_OUT))
    parts.append(section("What they say", *_samples(run, last)))
    parts.append(section("The first texts", *_card(run)))
    parts.append(section("All rounds", rounds_table(tuning)))
    parts.append(next_section(_commands(run), _FILES, _DOCS, run.path))
    page = document(f"{_name(run)}: mirrorenv preference report", *parts)
    return atomic_write_text(run.report_path, page)


def _commands(run: RunFolder) -> list[Command]:
    train = ["prefer", "train", "--set", "learning.rounds=8", "--run", f"{run.path}-longer"]
    return [
        ("Tune longer, in a folder of its own:", train),
        ("Make a result that others can check:", ["results", "export", str(run.path)]),
    ]


_FILES = (
    ("config.json", "every setting"),
    ("texts.jsonl", "every text that was measured"),
    ("evaluations.jsonl", "one row a round"),
    ("plots/", "the charts as PNG"),
)
_DOCS = (
    ("preference.md", "how voices are tuned and measured"),
    ("results.md", "results that others can check"),
)
INTRODUCTION = (
    "One language model is tuned into several voices, each to be recognised as itself by what it "
    "writes. Texts that a voice wrote are set against texts of the others on the same topic. The "
    "page says how far the voices can be told apart, and what became of their usefulness.",
)
WORDS = (
    ("Voice", "the model with a small set of weights of its own (an adapter), one for each player"),
    (
        "First texts, fresh texts",
        "what the untouched model wrote under the players' prompts before training, and what the "
        "voices write now",
    ),
    (
        "Alone, together",
        "a voice alone ranks its own text above another's by its own likelihood; two voices "
        "together assign a pair of texts to both authors at once",
    ),
    (
        "Exact limit",
        "the best any reader could do who knows all voices: it computes how likely each is to "
        "have written a text",
    ),
    (
        "Perplexity",
        "how surprising texts are to the untouched model: much more than before means that a "
        "voice is falling apart",
    ),
    (
        "Bound",
        "a limit on repetition, perplexity and relevance; a voice that breaks one goes back to "
        "where it was (rolled back)",
    ),
    ("Nats", "a unit of information and of log likelihood"),
    (
        "Interval",
        "where the figure lies with 95 % confidence if other topics of the same kind had been "
        "drawn: over lineups, with these voices as they are",
    ),
)
_LEAD = (
    "A model can be told apart by falling apart, so neither picture is to be read without the "
    "other."
)
_HELD_OUT = "Measured once, after the round had been chosen on other topics."


def _name(run: RunFolder) -> str:
    return run.path.resolve().name


def _header(run: RunFolder, tuning: Sequence[EvaluationRow], last: EvaluationRow | None) -> Html:
    players = ", ".join(player["name"] for player in run.config["data"]["players"])
    row = last or tuning[-1]
    recognition = row["fresh"]["recognition"]
    now = said_share(recognition["sum"]["joint"])
    on_first = said_share(row["first"]["recognition"]["sum"]["joint"])
    before = said_share(row["first"]["before"]["sum"]["joint"])
    where = "held-out" if last else "tuning"
    headline = [
        f"On {where} topics, a voice ranks its own text above another's {now} of the time; before "
        f"training it was {before}, and guessing gives 50 %.",
        *_not_guessing(recognition["sum"]["joint"]),
        "Two voices together give a pair of texts to its authors "
        f"{said_share(recognition['assigned'])} of the time, which any two models do that differ "
        f"enough. Of the first texts, which all wrote alike, a voice knows {on_first}.",
    ]
    facts = (
        f"{run.config['model']}, players {players}, seed {run.info.get('seed')}, control "
        f"{run.config['control']}"
    )
    return header(_name(run), headline, f"mirrorenv preference report, {facts}", run.status)


def _not_guessing(recorded: Mapping[str, Any]) -> list[str]:
    found = Estimate.from_dict(recorded)
    if found is None or found.low > 0.5:
        return []
    return ["That is not shown to be better than guessing."]


def _notices(
    run: RunFolder, tuning: Sequence[EvaluationRow], last: EvaluationRow | None
) -> list[Html]:
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
    return [paragraph(one, "note") for one in said]


def _samples(run: RunFolder, last: EvaluationRow | None) -> list[Html]:
    """One fresh text of each player on two topics: numbers hide a model that repeats a word, a
    reader does not."""
    texts = read_jsonl(run.path / "texts.jsonl").rows
    split, version = ("held_out", last["best"]) if last else ("tuning", 0)
    some = [one for one in texts if one["split"] == split and one["round"] == version]
    shown = []
    for topic in list(dict.fromkeys(one["topic"] for one in some))[:2]:
        rows = [
            [one["player"], text(one["text"] or "(no answer)", 600)]
            for one in some
            if one["topic"] == topic
        ]
        shown.append(table(["player", "text"], rows, topic, "pairs"))
    return shown or [paragraph("Nothing yet.")]


def _card(run: RunFolder) -> list[Html]:
    path = run.path / "data_card.json"
    if not path.is_file():
        return [paragraph("There is no data card.")]
    card = read_json(path)
    rows = [
        [
            name,
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
        accuracy = share(card["style"]["accuracy"])
        chance = card["style"]["chance"]
        said += f" Style alone names the author in {accuracy}; chance is {chance:.0%}."
    whole = details("Data card", render("mirrorenv.results.report", "pre.html", words=str(card)))
    return [paragraph(said), table(heads, rows, "First texts"), whole]
