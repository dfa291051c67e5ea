"""What `self_modelling.py` shows: a table in the terminal, pictures, TensorBoard, and a page that
needs nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mirrorenv.mirror import t_interval
from mirrorenv.mirror.intervals import Estimate, TextStyle
from mirrorenv.results.report import page, plots, themes
from mirrorenv.results.report.chart import Chart
from mirrorenv.results.report.templates import Html
from mirrorenv.results.runs.files import atomic_write_text
from mirrorenv.results.runs.record import Series

__all__ = ["coefficient_cell", "show", "write"]

Row = dict[str, Any]
PAPER_WEIGHTS = (0, 1, 5, 10, 20, 50)
PAPER_SPREADS = {
    64: (0.262, 0.235, 0.222, 0.231, 0.120, 0.096),
    128: (0.190, 0.176, 0.165, 0.160, 0.170, 0.080),
    256: (0.136, 0.130, 0.124, 0.118, 0.115, 0.113),
    512: (0.098, 0.093, 0.091, 0.089, 0.087, 0.083),
}
"""Premakumar et al. (arXiv 2407.10188), MNIST: spread of the last layer, read off their figure."""
PAPER_COEFFICIENTS = {512: (58, 58, 56, 53, 49, 37), 64: (33, 31, 29.5, 25.5, -3.5, -5)}
REPLICATION_COEFFICIENTS = {
    512: (56.50, 56.90, 54.87, 51.32, 46.76, 36.51),
    64: (32.5, 30.5, 28.5, 26.0, -8.9, -6.0),
}
"""A public replication of theirs (nikhil-vytla/marimo-notebooks), same estimator."""
COLUMNS: tuple[tuple[str, Callable[[Row], list[float]], int], ...] = (
    ("accuracy", lambda row: _trained(row, "accuracy"), 4),
    ("spread, last layer", lambda row: _trained(row, "spread_last"), 4),
    ("spread, first layer", lambda row: _trained(row, "spread_first"), 4),
    ("activation RMS", lambda row: _trained(row, "activation_rms"), 3),
    ("RMS x spread", lambda row: _trained(row, "scaled_spread"), 4),
    ("path norm", lambda row: _trained(row, "path_norm"), 2),
    ("effective rank", lambda row: _trained(row, "effective_rank"), 1),
)
SAID = (
    "Classifiers that predict their own hidden layer, and every control.",
    "All seeds of an arm begin with the same weights and see the same batches as those of every "
    "other arm. The spread of one layer can be anything, because scale moves between layers: read "
    "it beside RMS x spread. A local learning coefficient is flagged where it is no number of a "
    "minimum.",
)
SETTINGS = ("paper", "n / log n", "n / log n, annealed")
LABELS = {
    "paper": "LLC as published (n beta 82, gamma 100)",
    "n / log n": "LLC (n / log n, gamma 100)",
    "n / log n, annealed": "LLC after annealing",
}


def _trained(row: Row, name: str) -> list[float]:
    """One value a seed, NaN where training left the numbers."""
    return [seed.get(name, np.nan) for seed in row["trained"]]


def _estimates(row: Row, setting: str) -> list[float]:
    """One value a seed, NaN where nothing could be measured."""
    rows = row["coefficients"][setting]
    return [np.nan if seed["estimate"] is None else seed["estimate"] for seed in rows]


def _interval(values: Any) -> Estimate:
    """Over the seeds that have a value; all NaN if none has."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    return t_interval(known) if len(known) else Estimate(np.nan, np.nan, np.nan, 0, "no seed")


def _refused(row: Row, setting: str) -> Counter[str]:
    """Why coefficients of a setting are no numbers, in a few words, and how often."""
    reasons = [seed["reason"] for seed in row["coefficients"][setting] if seed["reason"]]
    return Counter(_few_words(reason) for reason in reasons)


def _few_words(reason: str) -> str:
    for word in ("negative", "gradient", "settled", "left", "diverged"):
        if word in reason:
            return {"gradient": "on a slope", "settled": "not settled"}.get(word, word)
    return reason


def _name(row: Row) -> str:
    return str(row["arm"]["name"])


def _cell(values: Sequence[float], digits: int) -> str:
    found = _interval(values)
    if not found.n:
        return "none"
    half = found.high - found.value
    return f"{found.value:.{digits}f} ± {half:.{digits}f}"


def coefficient_cell(row: Row, setting: str) -> str:
    """An arm's coefficients at one setting, with how many are no numbers and why."""
    text = _cell(_estimates(row, setting), 2)
    refused = _refused(row, setting)
    if not refused:
        return text
    reason, _ = refused.most_common(1)[0]
    return f"{text} [invalid {refused.total()} of {len(row['trained'])}: {reason}]"


def _against_base(rows: Sequence[Row], row: Row, values: Callable[[Row], list[float]]) -> Estimate:
    """Mean paired difference with the base arm, seed by seed."""
    base = next(one for one in rows if _name(one) == "base")
    return _interval(np.asarray(values(row)) - np.asarray(values(base)))


def show(content: Row) -> None:
    """Print every width's table."""
    for group in content["widths"]:
        settings = group["settings"]
        print(
            f"\n{settings['name']}: {settings['train']} examples, {settings['hidden']} hidden "
            f"units, {settings['epochs']} epochs, {settings['seeds']} seeds; mean ± half of the "
            "95 % t interval"
        )
        for row in group["arms"]:
            cells = [f"{label} {_cell(values(row), d)}" for label, values, d in COLUMNS[:5]]
            print(f"{_name(row):24}", "; ".join(cells))
        for row in group["arms"]:
            cells = [f"{LABELS[name]} {coefficient_cell(row, name)}" for name in SETTINGS]
            print(f"{_name(row):24}", "; ".join(cells))
        print(_beside(group))


def _ladder(group: Row) -> list[Row]:
    """Base and the self-models of a fixed weight, by weight."""
    rows = [
        row
        for row in group["arms"]
        if _name(row) == "base"
        or (row["arm"]["auxiliary"] == "own" and not row["arm"].get("share"))
    ]
    return sorted(rows, key=lambda row: float(row["arm"]["weight"]))


def _beside(group: Row) -> str:
    """The paper's row beside ours, for its widths."""
    hidden = group["settings"]["hidden"]
    if hidden not in PAPER_SPREADS:
        return f"the paper has no row of {hidden} hidden units"
    ours = [f"{np.nanmean(_trained(row, 'spread_last')):.3f}" for row in _ladder(group)]
    weights = [f"{row['arm']['weight']:g}" for row in _ladder(group)]
    theirs = [f"{value:.3f}" for value in PAPER_SPREADS[hidden]]
    return (
        f"spread of the last layer at weights {' '.join(weights)}: {' '.join(ours)}\n"
        f"the paper's, MNIST, at {' '.join(map(str, PAPER_WEIGHTS))}: {' '.join(theirs)}"
    )


def write(content: Row, folder: Path) -> Path:
    """Write pictures, TensorBoard curves and the page.

    Args:
        content: all widths' results.
        folder: where.

    Returns:
        the page.
    """
    sections = []
    for group in content["widths"]:
        _tensorboard(group, folder / "tensorboard" / f"hidden-{group['settings']['hidden']}")
        sections.append(_section(group, folder))
    title = f"Self-modelling: {content['data']['name']}"
    made = page.document(title, page.header(title, SAID), *sections)
    return atomic_write_text(folder / "page.html", made)


def _file(name: str) -> str:
    return name.lower().replace(" ", "-").replace(",", "")


def _section(group: Row, folder: Path) -> Html:
    settings = group["settings"]
    rows = group["arms"]
    shown = page.pictures(
        page.figure(chart, folder / f"hidden-{settings['hidden']}-{_file(chart.title)}.png")
        for chart in _charts(group)
    )
    measures = page.table(
        ["arm", *(label for label, _, _ in COLUMNS)],
        [[_name(row), *(_cell(of(row), d) for _, of, d in COLUMNS)] for row in rows],
        "Trained classifiers: mean and half of the 95 % t interval over seeds.",
        "scores",
    )
    coefficients = page.table(
        ["arm", *(LABELS[name] for name in SETTINGS), "chance is", "mean chain loss"],
        [_coefficient_row(row, settings) for row in rows],
        "Local learning coefficients; what is invalid is counted with its commonest reason.",
        "scores",
    )
    heading = f"{settings['hidden']} hidden units"
    lead = (
        f"{settings['name']}: {settings['train']} training examples, {settings['test']} for the "
        f"test, {settings['epochs']} epochs in batches of {settings['batch']}, "
        f"{settings['seeds']} seeds. "
        f"Epochs on cross-entropy alone afterwards: {settings['anneal']}."
    )
    parts = [shown, measures, coefficients, *_differences(rows), *_paper_table(group)]
    return page.section(heading, *parts, lead=lead)


def _coefficient_row(row: Row, settings: Row) -> list[str]:
    losses = [seed["chain_loss"] or np.nan for seed in row["coefficients"]["paper"]]
    cells = [coefficient_cell(row, name) for name in SETTINGS]
    chance = np.log(settings["classes"])
    return [_name(row), *cells, f"{chance:.2f}", f"{np.nanmean(losses):.3f}"]


def _differences(rows: Sequence[Row]) -> list[Html]:
    """Paired differences with base, if it is among the arms."""
    others = [row for row in rows if _name(row) != "base"]
    if len(others) == len(rows):
        return []
    heads = ["arm", "spread, last layer", "RMS x spread", "LLC (n / log n)", "LLC after annealing"]
    caption = (
        "Paired difference with base, seed by seed, 95 % t interval; not corrected for the number "
        "of arms."
    )
    cells = [_difference_row(rows, row) for row in others]
    return [page.table(heads, cells, caption, "scores")]


def _difference_row(rows: Sequence[Row], row: Row) -> list[str]:
    measures: Mapping[str, Callable[[Row], list[float]]] = {
        "spread": lambda one: _trained(one, "spread_last"),
        "scaled": lambda one: _trained(one, "scaled_spread"),
        "coefficient": lambda one: _estimates(one, "n / log n"),
        "annealed": lambda one: _estimates(one, "n / log n, annealed"),
    }
    cells = []
    for name, values in measures.items():
        digits = 4 if name in ("spread", "scaled") else 2
        found = _against_base(rows, row, values)
        cells.append(found.text(TextStyle(f"{{:+.{digits}f}}".format)))
    return [_name(row), *cells]


def _paper_table(group: Row) -> list[Html]:
    hidden = group["settings"]["hidden"]
    if hidden not in PAPER_SPREADS:
        return []
    ladder = _ladder(group)
    rows = [
        _paper_row("ours: spread", [_trained(row, "spread_last") for row in ladder], ladder),
        ["paper: spread", *(f"{value:.3f}" for value in PAPER_SPREADS[hidden])],
        _paper_row("ours: LLC as published", [_estimates(r, "paper") for r in ladder], ladder),
    ]
    for name, known in (("paper", PAPER_COEFFICIENTS), ("replication", REPLICATION_COEFFICIENTS)):
        if hidden in known:
            rows.append([f"{name}: LLC", *(f"{value:g}" for value in known[hidden])])
    caption = (
        "Beside the paper's MNIST figures (arXiv 2407.10188, read off its plots; negative ones are "
        f"no coefficients). Ours is {group['settings']['name']}, which is another task unless it "
        "is MNIST itself."
    )
    heads = ["weight of the self-model", *map(str, PAPER_WEIGHTS)]
    return [page.table(heads, rows, caption, "scores")]


def _paper_row(name: str, values: Sequence[Sequence[float]], ladder: Sequence[Row]) -> list[str]:
    by_weight = {
        float(row["arm"]["weight"]): f"{np.nanmean(found):.3f}"
        for row, found in zip(ladder, values, strict=True)
    }
    return [name, *(by_weight.get(float(weight), "") for weight in PAPER_WEIGHTS)]


def _charts(group: Row) -> list[Chart]:
    rows = group["arms"]
    dots: list[tuple[str, Callable[[Row], list[float]], str]] = [
        ("Spread of the last layer", COLUMNS[1][1], "Standard deviation of its weights."),
        ("RMS x spread", COLUMNS[4][1], "The same however scale is shared among layers."),
        ("Accuracy", COLUMNS[0][1], "On test data, which nothing was chosen by."),
        (
            "Learning coefficient",
            lambda row: _estimates(row, "n / log n"),
            "Local learning coefficient at n / log n, gamma 100, valid or not: see the table.",
        ),
        (
            "Learning coefficient, annealed",
            lambda row: _estimates(row, "n / log n, annealed"),
            "After epochs on cross-entropy alone, so that every arm sits at a minimum of it.",
        ),
    ]
    found = [_dot_chart(rows, *one) for one in dots]
    if len(_ladder(group)) > 1:
        said = (
            "Learning coefficient as published (n beta 82, gamma 100), mean over seeds and 95 % t "
            "interval, valid or not, by the self-model's weight"
        )
        if _width(group) in PAPER_COEFFICIENTS:
            said += ", beside the paper's and a replication's on MNIST"
        name = "Coefficient against the weight"
        found.append(Chart(name, f"{said}.", f"{said}.", lambda theme: _line(theme, group)))
    caption = "Share of the last layer's weights in each of 40 bins, all seeds together."
    found.append(Chart("Weight distributions", caption, caption, lambda t: _weights(t, group)))
    return found


def _width(group: Row) -> int:
    return int(group["settings"]["hidden"])


def _line(theme: themes.Theme, group: Row) -> Any:
    ladder = _ladder(group)
    found = [_interval(_estimates(row, "paper")) for row in ladder]
    weights = np.array([float(row["arm"]["weight"]) for row in ladder])
    low, high = (np.array([getattr(one, end) for one in found]) for end in ("low", "high"))
    ours = Series(weights, np.array([one.value for one in found]), low, high)
    tracks = [plots.Track("ours", ours, colour="learned")]
    known = {
        "paper": (PAPER_COEFFICIENTS, "limit"),
        "replication": (REPLICATION_COEFFICIENTS, "other"),
    }
    for name, (table, colour) in known.items():
        if _width(group) in table:
            unknown = np.full(len(PAPER_WEIGHTS), np.nan)
            values = np.asarray(table[_width(group)], np.float64)
            series = Series(np.asarray(PAPER_WEIGHTS, np.float64), values, unknown, unknown)
            tracks.append(plots.Track(f"{name}, MNIST", series, colour=colour))
    return plots.line_chart(
        theme, tracks, x_label="weight of the self-model", y_label="coefficient"
    )


def _dot_chart(
    rows: Sequence[Row], name: str, values: Callable[[Row], list[float]], caption: str
) -> Chart:
    whole = f"{caption} Mean and 95 % t interval over seeds."
    return Chart(name, whole, f"{name}: {whole}", lambda theme: _dots(theme, rows, values, name))


def _dots(
    theme: themes.Theme, rows: Sequence[Row], values: Callable[[Row], list[float]], label: str
) -> Any:
    found = [_interval(values(row)) for row in rows]
    marks = plots.Dots(
        "",
        np.array([one.value for one in found]),
        np.array([one.low for one in found]),
        np.array([one.high for one in found]),
    )
    return plots.dot_plot(theme, [_name(row) for row in rows], [marks], x_label=label)


def _weights(theme: themes.Theme, group: Row) -> Any:
    wanted = {"base": "other", "self-model 50": "learned", "no stop-gradient 20": "limit"}
    tracks = []
    for row in group["arms"]:
        if _name(row) in wanted:
            share = np.asarray(row["histogram"])
            middle = (np.arange(len(share)) + 0.5) / len(share) - 0.5
            unknown = np.full(len(share), np.nan)
            tracks.append(
                plots.Track(
                    _name(row),
                    Series(middle, share, unknown, unknown),
                    colour=wanted[_name(row)],
                    marker="",
                )
            )
    return plots.line_chart(theme, tracks, x_label="weight", y_label="share", whole_x=True)


def _tensorboard(group: Row, folder: Path) -> None:
    """Curves over epochs, one run an arm; nothing where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return
    for row in group["arms"]:
        inside = folder / _file(_name(row))
        if inside.exists():
            continue
        with SummaryWriter(str(inside)) as writer:  # type: ignore[no-untyped-call]
            for name, curve in row["curve"].items():
                for epoch, value in enumerate(curve):
                    writer.add_scalar(name, value, epoch)  # type: ignore[no-untyped-call]
