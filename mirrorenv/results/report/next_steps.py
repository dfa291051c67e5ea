"""The part of a report that says where to go from here: commands, files, documentation."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from mirrorenv.results.report.shown import Shown, Time
from mirrorenv.results.report.templates import Html, render
from mirrorenv.results.runs.run_folder import (
    CONFIG,
    EPISODES,
    EVALUATIONS,
    METRICS,
    PLOTS,
    RunFolder,
)

__all__ = ["after_training", "next_section"]

Command = tuple[str, list[str]]
"""What it does, and its words after `mirrorenv`."""

Names = Sequence[tuple[str, str]]
"""Files, and what they hold."""
_ID = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+-v[0-9]+")
_FILES: Names = (
    (CONFIG, "every setting"),
    (EVALUATIONS, "one row an evaluation"),
    (METRICS, "one row an iteration"),
    (f"{PLOTS}/", "the charts as PNG"),
)
_DOCS: Names = (
    ("getting-started.md", "from here to a result"),
    ("the-loop.md", "what is measured and paid"),
    ("run-folder.md", "what is in this folder"),
    ("playing.md", "watching episodes"),
)


def next_section(
    commands: Sequence[Command], files: Names, docs: Names, folder: Path | None = None
) -> Html:
    """What stands near the end of every page: commands to type, files beside it, and pages of the
    documentation.

    Args:
        commands: lines to paste; one with a path that cannot be typed is left out.
        files: of the folder, and what they hold; what is not there is left out.
        docs: files of `docs/`, and what they tell.
        folder: of the page.
    """
    lines = [(words, shlex.join(["mirrorenv", *parts])) for words, parts in commands]
    beside = [] if folder is None else [one for one in files if (folder / one[0]).exists()]
    return render(
        "mirrorenv.results.report",
        "next.html",
        commands=[one for one in lines if one[1].isprintable()],
        files=beside,
        docs=docs,
    )


def after_training(run: RunFolder, shown: Mapping[Time, Shown]) -> Html:
    """The section of a training run.

    Args:
        run: the run.
        shown: the episodes it kept.
    """
    films = [time for time, one in shown.items() if one.film is not None]
    files = [
        *_FILES,
        *((f"{EPISODES}/{time}.gif", f"animation, {time} training") for time in films),
    ]
    return next_section(_commands(run, bool(films)), files, _DOCS, run.path)


def _commands(run: RunFolder, drawn: bool) -> list[Command]:
    """Lines to paste. A world that is code is never named by a page: a run folder may come from
    anybody."""
    path = str(run.path)
    world = run.config.get("world")
    world = world if isinstance(world, str) and _ID.fullmatch(world) else None
    gif = ["--gif", "episode.gif"] if drawn else []
    found: list[Command] = []
    if world is not None:
        found += [
            ("Watch more episodes:", ["play", world, "--policy", path, *gif]),
            ("Measure on fresh episodes:", ["evaluate", path]),
        ]
    code = [] if world is not None else ["--world", "YOUR.MODULE:ENV"]
    return [*found, ("Make a result that others can check:", ["results", "export", path, *code])]
