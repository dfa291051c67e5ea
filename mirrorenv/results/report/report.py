"""The report of a run: pictures in `plots/` and one page that holds everything.

The page is made from whatever the run folder holds. What is missing is left out and named; what is
damaged is an error, because a report of half-read numbers would be worse than none.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from mirrorenv.errors import RunFolderError
from mirrorenv.mirror.leak import log_e_threshold
from mirrorenv.results.report.account import account_sections
from mirrorenv.results.report.agents import OF_AGENTS, agents_section, shown_of
from mirrorenv.results.report.chart import Chart
from mirrorenv.results.report.charts import CHARTS
from mirrorenv.results.report.charts_training import ALPHA
from mirrorenv.results.report.next_steps import after_training
from mirrorenv.results.report.page import document, figure, header, paragraph, pictures, section
from mirrorenv.results.report.sections import (
    configuration,
    introduction,
    limits_of_the_page,
    notice,
    row_by_row,
    score_table,
    short_run,
    tiles,
)
from mirrorenv.results.report.templates import Html, render
from mirrorenv.results.report.words import headline, plain, steps
from mirrorenv.results.runs.files import atomic_write_text
from mirrorenv.results.runs.json_values import flatten, number
from mirrorenv.results.runs.record import RunRecord
from mirrorenv.results.runs.run_folder import RunFolder

__all__ = ["write_report"]

COSTS = "What it costs"
NO_PAY = (
    "The world paid nothing in any episode of this run, so its return is not drawn: being "
    "recognised is all there was to earn."
)
LEADS = {
    "Recognition": "Can the observers say whose trajectory it was, and how close do they come to "
    "the best possible?",
    "Agent by agent": "The latest evaluation, agent by agent.",
    "Where it comes from": "When in an episode the evidence arrives, and how much a simple reader "
    "already sees.",
    COSTS: "The world's reward and the mirror's reward, kept apart.",
    "Can it be trusted?": "Two checks: nothing may know more than the limit allows, and identities "
    "should settle.",
}


def write_report(
    run_path: str | os.PathLike[str], weight0: str | os.PathLike[str] | None = None
) -> Path:
    """Write `report.html` and `plots/*.png` into a run folder.

    Args:
        run_path: the run folder.
        weight0: run folder of the same training with mirror weight 0, drawn beside it.

    Returns:
        Path of the page.

    Raises:
        RunFolderError: if a folder is missing or damaged, `weight0` has another mirror weight or
            world, or the page cannot be written.
    """
    run = RunFolder.open(run_path)
    record = RunRecord.of(run.evaluations(), run.metrics())
    other_run = None if weight0 is None else RunFolder.open(weight0)
    other = (
        None if other_run is None else RunRecord.of(other_run.evaluations(), name="mirror weight 0")
    )
    missing = _shortcomings(run, record)
    if other_run is not None:
        missing += _differences(run, other_run)
    shown = shown_of(run)
    record = replace(record, agents=next((one.agents for one in shown.values()), ()))
    charts, absent = _charts(record, other)
    if absent:
        missing.append(f"This run does not hold {', '.join(absent)}; so those charts are left out.")
    _clear_plots(run)
    page = document(
        f"{_world(run)}: mirrorenv report",
        _header(run, record, other),
        notice(missing),
        tiles(record),
        introduction(),
        agents_section(run, shown),
        *(_chart_section(run, heading, made, record) for heading, made in charts.items()),
        *account_sections(run.path),
        section("All figures", score_table(record), row_by_row(record)),
        after_training(run, shown),
        limits_of_the_page(),
        configuration(run),
        _footer(run),
    )
    return atomic_write_text(run.report_path, page)


def _world(run: RunFolder) -> str:
    for key in ("world", "env", "environment"):
        name = run.config.get(key)
        if isinstance(name, str) and name:
            return name
    return run.path.resolve().name


def _before_last(record: RunRecord) -> str:
    """On how many episodes the curve rests, where those are fewer than the last evaluation's."""
    fewest = record.fewest_episodes
    if not fewest or not record.episodes or fewest >= record.episodes:
        return ""
    return f" in the last evaluation and {steps(fewest)} in those before it"


def _header(run: RunFolder, record: RunRecord, other: RunRecord | None) -> Html:
    facts = [
        f"{record.num_agents} agents" if record.num_agents else "",
        f"seed {run.info.get('seed')}",
    ]
    asked = run.config.get("total_steps")
    taken = record.last.env_steps
    if taken and isinstance(asked, int) and asked != taken:
        facts.append(f"{steps(taken)} steps of {steps(asked)} asked for")
    if record.episodes:
        facts.append(f"{steps(record.episodes)} evaluation episodes{_before_last(record)}")
    kicker = f"mirrorenv report, {', '.join(fact for fact in facts if fact)}"
    return header(_world(run), headline(record, other), kicker, run.status)


def _footer(run: RunFolder) -> Html:
    versions = run.info.get("versions")
    made_with = versions.get("mirrorenv", "unknown") if isinstance(versions, dict) else "unknown"
    folder = run.path.resolve().name
    said = f"Written by mirrorenv from {folder}; the run used mirrorenv {made_with}."
    return render("mirrorenv.results.report", "footer.html", words=said)


def _shortcomings(run: RunFolder, record: RunRecord) -> list[str]:
    """What a reader must know before believing the page."""
    said = list(run.notes)
    if run.status == "interrupted":
        said.append("Training was interrupted; the figures are of the latest evaluation.")
    elif run.status == "failed":
        said.append(f"Training failed: {run.info.get('reason') or 'no reason was written down'}.")
    elif run.status != "finished":
        said.append(
            "Training had not finished when this page was written; the figures are of the latest "
            "evaluation."
        )
    if record.dropped:
        said.append(f"{record.dropped} rows without a usable env_steps were left out.")
    if not record.metrics:
        said.append("There are no training metrics (metrics.jsonl).")
    if not record.evaluations:
        said.append("There are no evaluations (evaluations.jsonl).")
        return said
    if record.before is None:
        said.append(
            "There is no evaluation before training (iteration 0), so nothing shows where the "
            "agents started."
        )
    for name, scores in (
        ("of the learned observers", [one.learned for one in record.evaluations]),
        ("of the exact limit", [one.limit for one in record.evaluations]),
    ):
        if all(score.top1 is None and score.information is None for score in scores):
            said.append(f"The evaluations hold no figures {name}.")
    if not record.limit_holds:
        reason = record.last.limit_reason or "agents are not exchangeable in it"
        said.append(
            f"The limit is not exact in this world ({reason}): being above or below it proves "
            "nothing."
        )
    if record.num_agents and record.lineup_size and record.lineup_size < record.num_agents:
        said.append(
            f"An observer was shown a neighbourhood: itself and the {record.lineup_size - 1} "
            "nearest of "
            f"{record.num_agents} agents. Where this page says N of a lineup, for chance and log "
            "N, it is "
            f"{record.lineup_size}. The exact limit also knows what being shown gives away, which "
            "observers that read "
            "trajectory by trajectory cannot; “policies without places” is the limit without it."
        )
    said += short_run(record)
    if len(record.evaluations) == 1:
        said.append("There is one evaluation only: lines over training are single points.")
    if record.num_agents is None:
        said.append(
            "The evaluations do not say how many agents there are, so chance and log N are not "
            "drawn."
        )
    return said


def _differences(run: RunFolder, other: RunFolder) -> list[str]:
    """Whether the run given as weight 0 is one, and whether it is otherwise the same training."""
    said = []
    weight = number(dict(flatten(other.config)).get("mirror.weight"))
    if weight is None:
        said.append("The run drawn as mirror weight 0 does not say its mirror weight.")
    elif weight != 0:
        raise RunFolderError(
            f"{other.path} has mirror weight {plain(weight)}: name a run that was trained with "
            "mirror weight 0, or leave it out"
        )
    mine = dict(flatten(run.config))
    its = dict(flatten(other.config))
    if mine.get("world") != its.get("world"):
        raise RunFolderError(
            f"{other.path} is of another world ({its.get('world')}) than {run.path} "
            f"({mine.get('world')}): name the same training at mirror weight 0"
        )
    keys = sorted(key for key in {*mine, *its} - {"mirror.weight"} if mine.get(key) != its.get(key))
    if keys:
        shown = ", ".join(keys[:8]) + (f" and {len(keys) - 8} more" if len(keys) > 8 else "")
        said.append(
            "The run drawn as mirror weight 0 differs from this one in more than the weight: "
            f"{shown}."
        )
    return said


def _charts(
    record: RunRecord, other: RunRecord | None
) -> tuple[dict[str, list[tuple[str, Chart]]], list[str]]:
    """The charts that can be drawn, by section, and in words what is absent for the others."""
    made: dict[str, list[tuple[str, Chart]]] = {}
    absent: list[str] = []
    for heading, entries in CHARTS.items():
        for name, needs, maker in entries:
            chart = maker(record, other)
            if chart is not None:
                made.setdefault(heading, []).append((name, chart))
            elif needs and not (heading == COSTS and record.pays is False):
                absent.append(needs)
    return made, absent if record.evaluations else []


def _clear_plots(run: RunFolder) -> None:
    """An empty place for the pictures: one left from an earlier report would pass for part of this
    one."""
    try:
        run.plots_path.mkdir(exist_ok=True)
        drawn = [name for entries in CHARTS.values() for name, _, _ in entries]
        for name in [*drawn, *OF_AGENTS]:
            (run.plots_path / f"{name}.png").unlink(missing_ok=True)
    except OSError as error:
        raise RunFolderError(
            f"cannot write to {run.plots_path}: {error.strerror}; check the folder"
        ) from error


def _chart_section(
    run: RunFolder, heading: str, made: list[tuple[str, Chart]], record: RunRecord
) -> Html:
    said = []
    if heading == "Can it be trusted?":
        said = _e_value_sentence(record)
    elif heading == COSTS and record.pays is False:
        said = [paragraph(NO_PAY)]
    shown = pictures(figure(chart, run.plots_path / f"{name}.png") for name, chart in made)
    return section(heading, *said, shown, lead=LEADS[heading])


def _e_value_sentence(record: RunRecord) -> list[Html]:
    series = record.series(lambda one: one.log_e_value)
    if series is None:
        return []
    count = len(series.value)
    most = float(series.value.max())
    threshold = log_e_threshold(ALPHA, count)
    above = [
        steps(step)
        for step, value in zip(series.steps, series.value, strict=True)
        if value >= threshold
    ]
    tested = (
        f"log e-value at most {plain(most)}, threshold log({count}/{ALPHA:g}) = {plain(threshold)}"
    )
    if above and not record.limit_holds:
        text = (
            "The learned observers are above the limit, which is not exact in this world "
            f"({tested})."
        )
    elif above:
        text = (
            f"The learned observers are above the exact limit after {', '.join(above[:5])} steps "
            f"({tested}). "
            "Look for a leak or a bug."
        )
    else:
        text = (
            f"No evidence at any of {count} checkpoints that the learned observers are above the "
            f"limit ({tested})."
        )
    return [paragraph(text)]
