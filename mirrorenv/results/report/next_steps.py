"""The part of a report that says where to go from here: commands, files, documentation."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from mirrorenv.results.report.shown import Shown, Time
from mirrorenv.results.report.templates import render
from mirrorenv.results.runs.run_folder import (
    CONFIG,
    EPISODES,
    EVALUATIONS,
    METRICS,
    PLOTS,
    RunFolder,
)

__all__ = ["next_section"]

_ID = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+-v[0-9]+")
_DOCS = (
    ("getting-started.md", "from here to a result"),
    ("the-loop.md", "what is measured and paid"),
    ("run-folder.md", "what is in this folder"),
    ("playing.md", "watching episodes"),
)


def next_section(run: RunFolder, shown: Mapping[Time, Shown]) -> str:
    """Commands to type, files beside this page, and pages of the documentation.

    Args:
        run: the run.
        shown: the episodes it kept.
    """
    return render(
        "mirrorenv.results.report",
        "next.html",
        commands=_commands(run),
        files=_files(run, shown),
        docs=[{"name": name, "words": words} for name, words in _DOCS],
    )


def _commands(run: RunFolder) -> list[dict[str, str]]:
    """Lines to paste. A world that is code is never named by a page: a run folder may come from
    anybody."""
    path = str(run.path)
    world = run.config.get("world")
    known = isinstance(world, str) and _ID.fullmatch(world) is not None
    found: list[tuple[str, list[Any]]] = []
    if known:
        found += [
            ("Watch more episodes:", ["play", world, "--policy", path, "--gif", "episode.gif"]),
            ("Measure on fresh episodes:", ["evaluate", path]),
        ]
    code = [] if known else ["--world", "YOUR.MODULE:ENV"]
    found.append(("Make a result that others can check:", ["results", "export", path, *code]))
    return [
        {"words": words, "line": shlex.join(["mirrorenv", *parts])}
        for words, parts in found
        if path.isprintable()
    ]


def _files(run: RunFolder, shown: Mapping[Time, Shown]) -> list[dict[str, str]]:
    films = [time for time, one in shown.items() if one.film is not None]
    named = [
        (CONFIG, "every setting"),
        (EVALUATIONS, "one row an evaluation"),
        (METRICS, "one row an iteration"),
        (f"{PLOTS}/", "the charts as PNG"),
        *((f"{EPISODES}/{time}.gif", f"animation, {time} training") for time in films),
    ]
    return [{"name": name, "words": words} for name, words in named if (run.path / name).exists()]
