"""What `mind_states.py` shows: tables in the terminal, and a page that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mirrorenv.mirror import t_interval
from mirrorenv.mirror.intervals import TextStyle
from mirrorenv.results.report import chart, page, plots, themes
from mirrorenv.results.runs.files import atomic_write_text
from mirrorenv.results.runs.record import Series

__all__ = ["show", "write"]

Row = dict[str, Any]
Table = tuple[str, list[str], list[list[str]]]
STYLES = {
    "naive": ("limit", "-"),
    "hungarian": ("other", (0, (5, 2))),
    "warm": ("level", "-"),
    "ema": ("learned", "-"),
    "never": ("muted", (0, (1.5, 2))),
}


def _cell(values: Sequence[float], digits: int = 3) -> str:
    return t_interval(values).text(TextStyle(f"{{:.{digits}f}}".format, least=2))


def _of(content: Row, *path: str) -> list[Any]:
    """A value of every seed."""
    found = []
    for seed in content["seeds"]:
        value = seed
        for name in path:
            value = value[name]
        found.append(value)
    return found


def _refits(content: Row) -> Table:
    rows = []
    for name in content["seeds"][0]["refits"]:
        jumps = np.array(_of(content, "refits", name, "jumps"))  # (seeds, refits)
        changed = np.array(_of(content, "refits", name, "changed"))
        rows.append(
            [
                name,
                *(_cell(jumps[:, refit]) for refit in range(jumps.shape[1])),
                _cell(changed.mean(1)),
            ]
        )
    heads = ["policy", "jump at the first refit", "at the second", "labels changed"]
    return "Refitting a codebook: jump of the predictor's loss, nats", heads, rows


def _predictions(content: Row) -> Table:
    columns = (
        "loss",
        "entropy",
        "lift_over_copy",
        "lift_over_markov",
        "accuracy",
        "copy_accuracy",
        "used",
        "perplexity",
    )
    rows = [
        [name, *(_cell(_of(content, "refits", name, column), 2) for column in columns)]
        for name in content["seeds"][0]["refits"]
    ]
    heads = ["policy", *(column.replace("_", " ") for column in columns)]
    return "Predicting the next code, held-out text, nats", heads, rows


def _diversity(content: Row) -> Table:
    rows = []
    for number, first in enumerate(content["seeds"][0]["diversity"]):
        each = [seed["diversity"][number] for seed in content["seeds"]]
        rows.append(
            [
                str(first["topics"]),
                *(
                    _cell([one[name] for one in each], 1)
                    for name in ("used", "perplexity", "token_perplexity")
                ),
            ]
        )
    heads = ["topics", "codes used", "perplexity of codes", "perplexity of tokens"]
    return "Codes used by texts on few or many topics (EMA codebook)", heads, rows


def _added(content: Row) -> Table:
    rows = [
        [
            name,
            _cell(_of(content, "added", name, "plain")),
            _cell(_of(content, "added", name, "with token")),
        ]
        for name in content["seeds"][0]["added"]
    ]
    heads = ["new rows start at", "on plain text", "with one token in it"]
    count = content["settings"]["codes"]
    return f"Jump of the language model's loss when {count} tokens are added, nats", heads, rows


def _arms(content: Row) -> Table:
    rows = []
    constant = np.array(_of(content, "arms", "constant", "loss"))
    for name in content["seeds"][0]["arms"]:
        loss = np.array(_of(content, "arms", name, "loss"))
        rows.append(
            [
                name,
                _cell(loss),
                _cell(loss - constant, 4),
                _cell(_of(content, "arms", name, "first_token")),
                _cell(_of(content, "arms", name, "rest")),
                _cell(_of(content, "arms", name, "attention"), 4),
            ]
        )
    heads = [
        "token in the middle",
        "loss of what follows",
        "less the constant token's",
        "of the next token",
        "of the rest",
        "attention it gets",
    ]
    return "A token in the middle, after training with it, nats a token", heads, rows


def _tables(content: Row) -> list[Table]:
    makers = (_refits, _predictions, _added, _arms, _diversity)
    return [make(content) for make in makers]


def show(content: Row) -> None:
    """Print the tables."""
    settings = content["settings"]
    print(
        f"{settings['model']}: {settings['steps']} steps of {settings['batch']} x "
        f"{settings['length']} tokens of {settings['text']}, {len(content['seeds'])} seeds; mean "
        "[95 % t interval]"
    )
    for title, heads, rows in _tables(content):
        print(f"\n{title}\n{' | '.join(heads)}")
        for row in rows:
            print(" | ".join(row))


NOTES = (
    "The published policy, naive, numbers its clusters from nothing at every refit; hungarian does "
    "too, and matches numbers by how often old and new clusters meet; warm starts from the old "
    "centres; ema follows every batch and is never refitted.",
    "Copy-last says the code stays, as often as it does; Markov counts transitions. A lift is what "
    "the predictor, which sees the hidden state, is better by.",
    "With tied embeddings a new row is also a new answer: where it starts decides how much "
    "probability it takes from the others.",
    "True is the code of the state that comes after the next token: it reads the future, and shows "
    "what a perfect prediction could be worth. All other arms read the past only. The attention of "
    "'none' is what an ordinary token in that place gets.",
    "Texts of as many tokens, on 1, 4 or 16 topics.",
)


def write(content: Row, folder: Path) -> Path:
    """Write the picture and the page.

    Args:
        content: all seeds' results.
        folder: where.

    Returns:
        the page.
    """
    caption = (
        "Loss of the predictor in each step, first seed, mean of 5 steps; codebooks are refitted "
        "at a third and two thirds of the run."
    )
    drawn = chart.Chart("Refits", caption, caption, lambda theme: _curves(theme, content))
    settings = content["settings"]
    said = (
        f"{settings['model']}, {settings['steps']} steps on {settings['text']}, "
        f"{len(content['seeds'])} seeds; means with 95 % t intervals over seeds."
    )
    shown = zip(_tables(content), NOTES, strict=True)
    made = page.document(
        "Mind states",
        page.header("Mind states of a language model", [said]),
        page.pictures([page.figure(drawn, folder / "refits.png")]),
        *(
            page.section(title, page.table(heads, rows, note, "scores"))
            for (title, heads, rows), note in shown
        ),
    )
    return atomic_write_text(folder / "page.html", made)


def _curves(theme: themes.Theme, content: Row) -> Any:
    steps = content["settings"]["steps"]
    first = max(1, steps // 10)
    tracks = []
    for name, losses in content["seeds"][0]["curves"].items():
        width = min(5, len(losses))
        smooth = np.convolve(losses, np.ones(width) / width, mode="valid")
        unknown = np.full(len(smooth), np.nan)
        at = first + np.arange(len(smooth), dtype=np.float64)
        colour, style = STYLES[name]
        tracks.append(
            plots.Track(
                name,
                Series(at, smooth, unknown, unknown),
                colour=colour,
                style=style,
                marker="",
                width=1.4,
            )
        )
    return plots.line_chart(theme, tracks, x_label="step", y_label="loss, nats", whole_x=True)
