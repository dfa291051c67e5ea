"""One player's few steps in a round, by TRL's trainer: own texts chosen, others' rejected. Needs
trl.

Token ids are handed over as they were drawn, and the untouched model's log-probabilities with them,
so that what is trained on is exactly what is measured. The optimiser is the player's own and is
continued from round to round.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback
from trl import DPOConfig, DPOTrainer

from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.trl_steps import PlayerTurn, Tokens, common_arguments
from mirrorenv.preference.voices import derived_seed

__all__ = ["Pair", "train_player"]


@dataclass(frozen=True)
class Pair:
    """Own text against another's.

    Attributes:
        prompt: ids up to where the answer begins.
        chosen: ids of what is preferred.
        rejected: ids of the other.
        chosen_reference: nats of the chosen text under the untouched model, at temperature 1.
        rejected_reference: the same for the rejected one.
    """

    prompt: Tokens
    chosen: Tokens
    rejected: Tokens
    chosen_reference: float
    rejected_reference: float


class _Trainer(DPOTrainer):  # type: ignore[misc]
    """Takes token ids and reference log-probabilities as they are, and has many workers do what one
    would."""

    loss_weights: list[float]

    def _prepare_dataset(self, dataset: Dataset, *given: Any) -> Dataset:
        return dataset

    def _precompute_ref_logps(self, dataset: Dataset, *given: Any) -> Dataset:
        return dataset

    def _compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool
    ) -> Any:
        """TRL's supervised term is a mean over this worker's tokens; weighed so that the workers'
        mean is over all."""
        if self.accelerator.num_processes == 1 or "sft" not in self.loss_types:
            return super()._compute_loss(model, inputs, return_outputs)
        tokens = inputs["completion_mask"].chunk(2, dim=0)[0].sum()
        share = tokens / self.accelerator.gather(tokens).float().mean()
        usual: list[float] = list(self.loss_weights)
        self.loss_weights = [
            weight * float(share) if kind == "sft" else weight
            for kind, weight in zip(self.loss_types, usual, strict=True)
        ]
        try:
            return super()._compute_loss(model, inputs, return_outputs)
        finally:
            self.loss_weights = usual


def train_player(turn: PlayerTurn, pairs: Sequence[Pair]) -> dict[str, float]:
    """Train one player's voice on pairs, in place.

    KL weight, step size and optimiser are those of the player in the context's state. The
    optimiser's state there is replaced by the one after these steps. All workers share every step's
    pairs; their number divides `learning.batch_size`.

    Args:
        turn: whose, in which round.
        pairs: to learn from, at least one.

    Returns:
        means of the loss, the margins and the log-probabilities over the steps.

    Raises:
        TrainingError: if memory runs out or the loss is not finite.
    """
    adam = turn.begin()
    with tempfile.TemporaryDirectory(prefix="mirrorenv-") as folder, warnings.catch_warnings():
        # TRL's names of settings that transformers has renamed
        warnings.simplefilter("ignore", FutureWarning)
        trainer = _trainer(turn, pairs, adam, folder)
        return turn.run(trainer, adam, _METRICS)


def _trainer(
    turn: PlayerTurn, pairs: Sequence[Pair], adam: torch.optim.Optimizer, folder: str
) -> _Trainer:
    context = turn.context
    settings = context.settings
    losses = _loss_weights(settings)
    seed = derived_seed(settings.seed, "order", turn.round, turn.name)
    trainer = _Trainer(
        model=context.voices.model,
        args=DPOConfig(
            output_dir=folder,
            per_device_train_batch_size=settings.learning.batch_size // context.workers.size,
            beta=context.state.betas[turn.player],
            loss_type=list(losses),
            loss_weights=list(losses.values()),
            max_length=None,
            # or TRL would load a second model to compare with
            precompute_ref_log_probs=context.voices.whole_models,
            logging_strategy="no",
            **common_arguments(context, adam, seed),
        ),
        train_dataset=_dataset(pairs, free=settings.loss.kind == "reference_free"),
        processing_class=context.voices.base.tokenizer,
        optimizers=(adam, None),
    )
    context.voices.remove_reference_copy()
    trainer.precompute_ref_logps = True
    trainer.remove_callback(PrinterCallback)
    return trainer


def _loss_weights(settings: PreferenceSettings) -> dict[str, float]:
    """TRL's names of the terms of the loss, and their weights."""
    if settings.control == "supervised":
        return {"sft": 1.0}
    weights = {_KINDS[settings.loss.kind]: 1.0}
    if settings.loss.supervised > 0.0:
        weights["sft"] = settings.loss.supervised
    return weights


_METRICS = {
    "train_loss": "loss",
    "rewards/margins": "margin",
    "rewards/accuracies": "accuracy",
    "logps/chosen": "chosen",
    "logps/rejected": "rejected",
}
_KINDS = {"sigmoid": "sigmoid", "normalised": "sigmoid_norm", "reference_free": "sigmoid"}


def _dataset(pairs: Sequence[Pair], free: bool) -> Dataset:
    return Dataset.from_list([_row(one, free) for one in pairs])


def _row(pair: Pair, free: bool) -> dict[str, Any]:
    return {
        "prompt_ids": list(pair.prompt),
        "chosen_ids": list(pair.chosen),
        "rejected_ids": list(pair.rejected),
        "ref_chosen_logps": 0.0 if free else pair.chosen_reference,
        "ref_rejected_logps": 0.0 if free else pair.rejected_reference,
    }
