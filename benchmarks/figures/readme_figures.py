"""The three figures of the README, drawn from recorded results; nothing is run.

* `chain-divided.svg`: in chain-v0, divided fraction of every seed, by condition
  (`hard_roles.json`);
* `ants-information.svg`: in ants-v0, what learned observers know, beside the exact limit
  (`ants_recognition.json`);
* `voices-bounds.svg`: recognition of tuned voices over perplexity, held-out topics, and whether
  all bounds on usefulness held (`voices.json`).

Means stand with Student's t interval over seeds. Every figure brings its own white ground, for dark
pages.

    python benchmarks/figures/readme_figures.py [--results benchmarks/results] [--out docs/pictures]
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from benchmarks.shared.runner import Script
from benchmarks.studies.voices import ENOUGH, PERPLEXITY, RELEVANCE, REPETITION
from mirrorenv.mirror import t_interval
from mirrorenv.results.report.themes import LIGHT
from mirrorenv.results.runs.files import atomic_write_text, read_json

Row = dict[str, Any]

SIZE = (3.05, 2.55)  # inches: three side by side at a README's width, unscaled
SMALL = 8.0  # points
DOTTED = (0, (1.5, 2.0))
DASHED = (0, (5.0, 2.0))
ANTS = {
    "mirror": "mirror",
    "no mirror": "weight0",
    "random reward": "random-reward",
    "shuffled names": "shuffled-labels",
}


def _canvas(x_label: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=SIZE, facecolor=LIGHT.surface, edgecolor=LIGHT.grid, linewidth=2)
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.08)
    axes = figure.add_subplot()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LIGHT.grid)
    axes.tick_params(colors=LIGHT.muted, labelsize=SMALL, length=0, pad=4)
    axes.grid(color=LIGHT.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel(x_label, color=LIGHT.muted, fontsize=SMALL)
    return figure, axes


def _legend(figure: Figure, columns: int) -> None:
    figure.legend(
        loc="outside upper left",
        ncols=columns,
        frameon=False,
        fontsize=SMALL,
        labelcolor=LIGHT.ink,
        handlelength=1.2,
        handletextpad=0.5,
        columnspacing=1.0,
    )


def strips(
    rows: Mapping[str, Sequence[float]], x_label: str, limits: Mapping[str, float] | None = None
) -> Figure:
    """A row a condition, first on top and in colour: every seed pale, their mean with its interval,
    the limit's mean.

    Args:
        rows: values over seeds by condition.
        x_label: what the values are, and their unit.
        limits: exact limit by condition, mean over seeds.
    """
    figure, axes = _canvas(x_label)
    for number, (name, values) in enumerate(rows.items()):
        colour = LIGHT.muted if number else LIGHT.learned
        place = -number
        found = t_interval(values)
        spread = place + np.linspace(-0.22, 0.22, len(values))
        axes.plot(
            values,
            spread,
            ".",
            color=colour,
            alpha=0.6,
            markersize=5,
            markeredgewidth=0,
            label=None if number else "a seed",
        )
        axes.hlines(place, found.low, found.high, color=colour, linewidth=2, alpha=0.7)
        axes.plot(
            found.value, place, "o", color=colour, markersize=6, label=None if number else "mean"
        )
        if limits is not None:
            axes.plot(
                limits[name],
                place,
                "D",
                markersize=6,
                markerfacecolor="none",
                markeredgecolor=LIGHT.limit,
                markeredgewidth=1.5,
                zorder=5,
                label=None if number else "exact limit",
            )
    axes.set_yticks([-number for number in range(len(rows))], list(rows), color=LIGHT.ink)
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.margins(x=0.07)
    _legend(figure, 3)
    return figure


def bounds_held(held_out: Row) -> bool:
    """Whether a run's worst player stayed within every bound on usefulness."""
    return bool(
        held_out["repetition"] <= REPETITION
        and held_out["perplexity"] <= PERPLEXITY
        and held_out["relevance"] >= RELEVANCE
    )


def voices(runs: Sequence[Row]) -> Figure:
    """Where each run of `main` and `same_prompt` ended; hollow where a bound was broken."""
    figure, axes = _canvas("perplexity, multiple of first texts'")
    axes.axhline(ENOUGH, color=LIGHT.level, linestyle=DOTTED, linewidth=1.3, label="target")
    axes.axhline(0.5, color=LIGHT.level, linestyle=DASHED, linewidth=1.1, label="chance")
    axes.axvline(PERPLEXITY, color=LIGHT.level, linestyle=DOTTED, linewidth=1.3)
    looks = {
        "main": ("personas", "o", LIGHT.learned),
        "same_prompt": ("one prompt for all", "s", LIGHT.limit),
    }
    for condition, (title, mark, colour) in looks.items():
        ends = [run["held_out"] for run in runs if run["condition"] == condition]
        for number, end in enumerate(sorted(ends, key=lambda one: not bounds_held(one))):
            axes.plot(
                end["perplexity"],
                end["fresh_assigned"],
                linestyle="none",
                marker=mark,
                markersize=7,
                markeredgewidth=1.6,
                markeredgecolor=colour,
                label=None if number else title,
                markerfacecolor=colour if bounds_held(end) else "none",
            )
    axes.set_xlim(0.4, 1.6)
    axes.set_ylim(0.4, 1.03)
    axes.set_ylabel("two texts, by both authors", color=LIGHT.muted, fontsize=SMALL)
    _legend(figure, 2)
    return figure


def write_svg(figure: Figure, path: Path) -> None:
    """Write a figure: the same bytes for the same figure."""
    out = io.StringIO()
    with rc_context({"svg.hashsalt": "mirrorenv", "svg.fonttype": "none"}):
        FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    text = "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"
    atomic_write_text(path, text)
    print(f"wrote {path}")


def figures(results: Path) -> dict[str, Figure]:
    """All three, by file name."""
    chain = read_json(results / "hard_roles.json")
    ants = read_json(results / "ants_recognition.json")
    divided = {
        name: row["divided_fraction"]["values"]
        for name, row in chain.items()
        if "divided_fraction" in row
    }
    known = {name: ants[key]["information"]["values"] for name, key in ANTS.items()}
    limits = {name: ants[key]["limit"]["t"]["value"] for name, key in ANTS.items()}
    return {
        "chain-divided.svg": strips(divided, "divided fraction"),
        "ants-information.svg": strips(known, "information, nats", limits),
        "voices-bounds.svg": voices(read_json(results / "voices.json")["runs"]),
    }


def main() -> None:
    """Draw."""
    script = Script(__doc__)
    script.add_argument("--results", type=Path, default=Path("benchmarks/results"))
    script.add_argument("--out", type=Path, default=Path("docs/pictures"))
    given = script.parse()
    given.out.mkdir(parents=True, exist_ok=True)
    for name, figure in figures(given.results).items():
        write_svg(figure, given.out / name)


if __name__ == "__main__":
    main()
