"""One player's few steps in a round, by TRL's trainer: own texts chosen, others' rejected. Needs
trl.

Token ids are handed over as they were drawn, and the untouched model's log-probabilities with them,
so that what is trained on is exactly what is measured. The optimiser is the player's own and goes
on from round to round.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback
from trl import DPOConfig, DPOTrainer

from mirrorenv.errors import TrainingError
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.voices import Voices, derived_seed
from mirrorenv.preference.workers import ALONE, Workers

__all__ = ["OptimiserState", "Pair", "Tokens", "after_training", "optimiser_for", "train_player"]

Tokens = tuple[int, ...]
OptimiserState = dict[int, dict[str, torch.Tensor]]
"""By number of the weight tensor: AdamW's moments and step."""


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


def train_player(
    voices: Voices,
    player: int,
    pairs: Sequence[Pair],
    settings: PreferenceSettings,
    *,
    beta: float,
    learning_rate: float,
    round: int,
    optimiser: OptimiserState | None,
    workers: Workers = ALONE,
) -> tuple[dict[str, float], OptimiserState]:
    """Train one player's adapter, in place.

    Args:
        voices: the population.
        player: its number.
        pairs: to learn from, at least one.
        settings: of the run.
        beta: KL weight of this round.
        learning_rate: of this round.
        round: for the seed of the data order.
        optimiser: state of the optimiser after the last round, taken over and changed; None for a
            new one.
        workers: share every step's pairs; their number divides `learning.pairs`.

    Returns:
        means of the loss, the margins and the log-probabilities over the steps, and the optimiser's
        state.

    Raises:
        TrainingError: if memory runs out or the loss is not finite.
    """
    voices.put_in(player)
    adam = optimiser_for(voices, learning_rate, optimiser)
    with tempfile.TemporaryDirectory(prefix="mirrorenv-") as folder, warnings.catch_warnings():
        # TRL's names of settings that transformers has renamed
        warnings.simplefilter("ignore", FutureWarning)
        trainer = _trainer(voices, pairs, settings, beta, round, player, adam, folder, workers)
        found, moments = after_training(voices, player, trainer, adam, settings, round, _METRICS)
    return workers.mean(found), moments


def optimiser_for(
    voices: Voices, learning_rate: float, optimiser: OptimiserState | None
) -> torch.optim.Optimizer:
    """AdamW on the voice that is in the model, going on from an earlier state, which it takes
    over."""
    adam = torch.optim.AdamW(list(voices.parameters().values()), lr=learning_rate, weight_decay=0.0)
    if optimiser is not None:
        adam.load_state_dict(
            {"state": optimiser, "param_groups": adam.state_dict()["param_groups"]}
        )
    return adam


def after_training(
    voices: Voices,
    player: int,
    trainer: Any,
    adam: torch.optim.Optimizer,
    settings: PreferenceSettings,
    round: int,
    metrics: Mapping[str, str],
) -> tuple[dict[str, float], OptimiserState]:
    """Run a trainer of TRL, keep the adapter as the player's, and say what went wrong in words.

    Args:
        voices: the population.
        player: whose adapter is in the model.
        trainer: ready to run.
        adam: its optimiser.
        settings: of the run.
        round: for messages.
        metrics: the trainer's names of figures, and ours.

    Returns:
        the last figures and the optimiser's state.

    Raises:
        TrainingError: if memory runs out or a weight is not finite.
    """
    try:
        trainer.train()
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error).lower():
            raise
        raise TrainingError(
            f"out of memory in a step of {settings.learning.pairs} pairs of up to "
            f"{settings.data.tokens} tokens: "
            "set learning.pairs or data.tokens lower, or dtype=bfloat16; the same command goes on"
        ) from error
    finally:
        voices.unpatch()
    if not all(torch.isfinite(p).all() for p in voices.parameters().values()):
        raise TrainingError(
            f"player '{voices.players[player]}': weights are no longer finite after round {round}; "
            "set learning.learning_rate lower"
        )
    voices.take_out(player)
    history = {key: value for row in trainer.state.log_history for key, value in row.items()}
    found = {name: float(history[key]) for key, name in metrics.items() if key in history}
    moments = adam.state_dict()["state"]
    return found, {
        index: {name: one.cpu() for name, one in some.items()} for index, some in moments.items()
    }


def _trainer(
    voices: Voices,
    pairs: Sequence[Pair],
    settings: PreferenceSettings,
    beta: float,
    round: int,
    player: int,
    adam: torch.optim.Optimizer,
    folder: str,
    workers: Workers,
) -> Any:
    learning, loss = settings.learning, settings.loss
    kinds = ["sft"] if settings.control == "supervised" else [_KINDS[loss.kind], "sft"]
    shares = [1.0] if settings.control == "supervised" else [1.0, loss.supervised]
    if shares[-1] == 0.0:
        kinds, shares = kinds[:-1], shares[:-1]
    seed = derived_seed(settings.seed, "order", round, voices.players[player])
    args = DPOConfig(
        output_dir=folder,
        max_steps=learning.steps,
        per_device_train_batch_size=learning.pairs // workers.size,
        learning_rate=adam.param_groups[0]["lr"],
        lr_scheduler_type="constant",
        max_grad_norm=1.0,
        beta=beta,
        loss_type=kinds,
        loss_weights=shares,
        max_length=None,
        precompute_ref_log_probs=voices.whole,  # or TRL would load a second model to compare with
        use_cpu=voices.device.type == "cpu",
        ddp_find_unused_parameters=False,
        bf16=settings.dtype == "bfloat16",
        gradient_checkpointing=False,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        seed=seed,
        data_seed=seed,
    )
    trainer = _Trainer(
        model=voices.model,
        args=args,
        train_dataset=_dataset(pairs, free=loss.kind == "reference_free"),
        processing_class=voices.base.tokenizer,
        optimizers=(adam, None),
    )
    voices.only_voice()
    trainer.precompute_ref_logps = True
    trainer.remove_callback(PrinterCallback)
    return trainer


_METRICS = {
    "train_loss": "loss",
    "rewards/margins": "margin",
    "rewards/accuracies": "accuracy",
    "logps/chosen": "chosen",
    "logps/rejected": "rejected",
}
_KINDS = {"sigmoid": "sigmoid", "normalised": "sigmoid_norm", "reference_free": "sigmoid"}


def _dataset(pairs: Sequence[Pair], free: bool) -> Dataset:
    return Dataset.from_list(
        [
            {
                "prompt_ids": list(one.prompt),
                "chosen_ids": list(one.chosen),
                "rejected_ids": list(one.rejected),
                "ref_chosen_logps": 0.0 if free else one.chosen_reference,
                "ref_rejected_logps": 0.0 if free else one.rejected_reference,
            }
            for one in pairs
        ]
    )
