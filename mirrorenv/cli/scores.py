"""How well a population is recognised: as a table, and as what `--json` prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from mirrorenv.cli._common import console

if TYPE_CHECKING:
    from mirrorenv.mirror.intervals import Estimate
    from mirrorenv.results.runs.evaluation import Evaluation

__all__ = ["TRAINING", "print_scores", "reads_worse", "summary"]

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
    marked = False
    for name, score in lines.items():
        if score.given:
            shares = [_share(figure) for figure in (score.top1, score.exact)]
            marked = marked or any(text.endswith(_MARK) for text in shares)
            table.add_row(name, *shares, _text(score.information))
    notes = [_ALL_ALIKE.format(episodes=found.episodes)] if marked else []
    notes += [_NOT_CALIBRATED] if "eoi" in found.baselines else []
    table.caption = "\n".join(notes) or None
    console.print(table)
    if not found.limit_valid:
        console.print(f"The limit is not exact in this world: {found.limit_reason}", soft_wrap=True)
    console.print(
        f"environment return {_text(found.environment_return)}, mirror return "
        f"{_text(found.mirror_return)}"
    )


_MARK = " *"
_ALL_ALIKE = (
    "* the same in each of {episodes} episodes: there is no spread to measure, and the interval is "
    "the exact binomial one (Clopper-Pearson), wider than those from the spread over episodes "
    "(Student's t). To compare two such rows, play more episodes."
)


_NOT_CALIBRATED = (
    "eoi adds up a classifier of single steps and is not calibrated: it may name many rightly and "
    "still be far below 0 nats."
)


def reads_worse(found: Evaluation) -> str | None:
    """The baseline that names more trajectories rightly than the learned observers; None if they
    are ahead of all."""
    if found.learned.top1 is None:
        return None
    held = {name: one.top1.value for name, one in found.baselines.items() if one.top1 is not None}
    best = max(held, key=lambda name: held[name], default=None)
    return best if best is not None and held[best] > found.learned.top1.value else None


def _share(estimate: Estimate | None) -> str:
    """A share with its interval, and a mark where that was made in another way than the others."""
    if estimate is None or not estimate.bounded:
        return _text(estimate)
    alike = estimate.value in (0.0, 1.0) and estimate.low < estimate.high
    return _text(estimate) + (_MARK if alike else "")


def _text(estimate: Estimate | None) -> str:
    return "undefined" if estimate is None else estimate.text()
