"""How well a population is recognised: as a table, and as what `--json` prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from mirrorenv.cli._common import console

if TYPE_CHECKING:
    from mirrorenv.mirror.intervals import Estimate
    from mirrorenv.results.runs.evaluation import Evaluation

__all__ = ["TRAINING", "print_scores", "summary"]

TRAINING = ("train", "torch", "safetensors", "tensorboard")
"""The extra that a population needs, and what must be installed."""


def summary(found: Evaluation, path: Path, report_path: Path | None) -> dict[str, Any]:
    """The figures of an evaluation that scripts ask for, and where things lie."""
    row = found.to_dict()
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
        "path": str(path),
        "report": None if report_path is None else str(report_path),
    }


def print_scores(found: Evaluation) -> None:
    """Learned observers, the limit and the baselines side by side."""
    table = Table(
        "observer",
        "top-1",
        "exact lineup",
        "information (nats)",
        title=f"{found.episodes} held-out episodes",
    )
    limit = "exact limit" if found.limit_valid else "limit, not exact"
    lines = {"learned": found.learned, "learned, joint": found.learned_joint, limit: found.limit}
    lines |= {f"baseline: {name}": score for name, score in found.baselines.items()}
    for name, score in lines.items():
        if score.given:
            figures = (score.top1, score.exact, score.information)
            table.add_row(name, *(_text(figure) for figure in figures))
    console.print(table)
    if not found.limit_valid:
        console.print(f"The limit is not exact in this world: {found.limit_reason}", soft_wrap=True)
    console.print(
        f"environment return {_text(found.environment_return)}, mirror return "
        f"{_text(found.mirror_return)}"
    )


def _text(estimate: Estimate | None) -> str:
    return "undefined" if estimate is None else estimate.text()
