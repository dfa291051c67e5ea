"""The rows of a run: evaluations, metrics and TensorBoard, written by the main worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mirrorenv.preference.callbacks import EvaluationRow, RunCallbacks
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.results.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["RoundLog", "row_figures"]

Losses = Sequence[Mapping[str, float]]
"""Figures of each player's training."""


class RoundLog:
    """Writes the rows of one run.

    Args:
        folder: of the run.
        settings: of the run.
        callbacks: told about each evaluation.
    """

    def __init__(
        self, folder: RunFolder, settings: PreferenceSettings, callbacks: RunCallbacks
    ) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.folder = folder
        self.settings = settings
        self.callbacks = callbacks
        self._board: SummaryWriter = SummaryWriter(str(folder.tensorboard_path))

    def close(self) -> None:
        """Flush what TensorBoard shows."""
        self._board.close()

    def write(self, row: EvaluationRow, number: int, losses: Losses = ()) -> None:
        """Add an evaluation, and where it is of the tuning topics a row of metrics.

        Args:
            row: of the evaluation, without its place in the run.
            number: of the round.
            losses: figures of each player's training in that round, if it has just been.
        """
        steps = number * self.settings.learning.steps
        place = {"iteration": number, "env_steps": steps}
        row = {**place, **row}
        self.folder.log_evaluation(row)
        figures = row_figures(row)
        for name, found in zip(self.settings.names, losses, strict=False):
            figures |= {f"train/{name}/{key}": value for key, value in found.items()}
        if row["split"] == "tuning":
            self.folder.log_metrics({**place, **figures})
        for key, value in figures.items():
            self._board.add_scalar(f"{row['split']}/{key}", value, steps)
        self.callbacks.evaluation(row)


def row_figures(row: EvaluationRow) -> dict[str, float]:
    """The figures of an evaluation that are worth a curve, by name."""
    fresh = row["fresh"]
    found = {
        f"recognition/{way}": fresh["recognition"][way]["joint"]["value"]
        for way in ("sum", "per_token", "pmi")
    }
    found["recognition/assigned"] = fresh["recognition"]["assigned"]["value"]
    found["recognition/first_texts"] = row["first"]["recognition"]["sum"]["joint"]["value"]
    if "head" in row:
        found["recognition/head"] = row["head"]["top1"]["value"]
    for name, useful in fresh["useful"].items():
        for key in ("perplexity", "kl", "length", "unfinished"):
            found[f"{key}/{name}"] = useful[key]
        for key in ("repetition", "relevance"):
            found[f"{key}/{name}"] = useful[key]["value"]
    return {key: float(value) for key, value in found.items() if value is not None}
