"""How well a population is recognised: as a table, and as what `--json` prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirrorenv.cli._common import console
from mirrorenv.cli.tables import narrow_table

if TYPE_CHECKING:
    from mirrorenv.mirror.intervals import Estimate
    from mirrorenv.results.runs.evaluation import Evaluation

__all__ = ["TRAINING", "print_scores", "reads_worse", "summary"]

TRAINING = ("train", "torch", "safetensors", "tensorboard")
"""The extra that a population needs, and what must be installed."""


def summary(found: Evaluation, **places: Path) -> dict[str, Any]:
    """The figures of an evaluation that scripts ask for, and where things lie.

    Args:
        found: the evaluation.
        **places: under the names that all commands have for them: `run`, `page`, `checkpoint`.
    """
    row = found.shown().to_dict()
    return {
        "top1": row["learned"]["top1"],
        "information": row["learned"]["information"],
        "limit": row["limit"]["information"],
        "limit_valid": found.limit_valid,
        "return": row["return"],
        "mirror_return": row["mirror_return"],
        "num_agents": found.num_agents,
        "lineup_size": found.lineup_size or found.num_agents,
        "env_steps": found.env_steps,
        **{name: str(place) for name, place in places.items()},
    }


def print_scores(evaluation: Evaluation) -> None:
    """Learned observers, the limit and the baselines side by side."""
    from mirrorenv.results.report.glossary import reader_title

    found = evaluation.shown()
    table = narrow_table(
        "top-1",
        "exact lineup",
        "information (nats)",
        first="reader",
        title=f"{found.episodes} held-out episodes, 95 % intervals over them",
    )
    limit = "exact limit" if found.limit_valid else "limit, not exact"
    lines = {"learned": found.learned, "learned, joint": found.learned_joint, limit: found.limit}
    lines |= {reader_title(name): score for name, score in found.baselines.items()}
    for name, score in lines.items():
        if score.given:
            table.add_row(name, *map(_text, (score.top1, score.exact, score.information)))
    if "eoi" in found.baselines:
        table.caption = _NOT_CALIBRATED
    console.print(table)
    if not found.limit_valid:
        console.print(f"The limit is not exact in this world: {found.limit_reason}", soft_wrap=True)
    console.print(
        f"environment return {_text(found.environment_return)}, mirror return "
        f"{_text(found.mirror_return)}"
    )


_NOT_CALIBRATED = (
    "eoi adds up a classifier of single steps, as the original does: it may name many rightly and "
    "still be far below 0 nats."
)


def reads_worse(found: Evaluation) -> str | None:
    """The baseline that names more trajectories rightly than the learned observers, intervals
    apart; None if none is ahead, or they may be equal."""
    learned = found.learned.top1
    held = {name: one.top1.low for name, one in found.baselines.items() if one.top1 is not None}
    best = max(held, key=lambda name: held[name], default=None)
    ahead = learned is not None and best is not None and held[best] > learned.high
    return best if ahead else None


def _text(estimate: Estimate | None) -> str:
    return "undefined" if estimate is None else estimate.text()
