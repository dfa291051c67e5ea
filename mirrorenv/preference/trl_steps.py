"""What training one player has in common for every trainer of TRL. Needs trl."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from mirrorenv.errors import TrainingError
from mirrorenv.preference.context import RunContext
from mirrorenv.preference.state import OptimiserState

__all__ = ["PlayerTurn", "Tokens", "common_arguments"]

Tokens = tuple[int, ...]
"""Token ids."""


@dataclass(frozen=True)
class PlayerTurn:
    """One player's few steps in one round.

    Attributes:
        context: of the run; its state is changed in place.
        player: number of the player.
        round: number of the round, from 1; for seeds and messages.
    """

    context: RunContext
    player: int
    round: int

    @property
    def name(self) -> str:
        """The player's name."""
        return self.context.voices.players[self.player]

    def begin(self) -> torch.optim.Optimizer:
        """Load the player's voice into the model.

        Returns:
            AdamW on that voice, continued from its state after the player's last steps.
        """
        state = self.context.state
        self.context.voices.load(self.player)
        weights = list(self.context.voices.parameters().values())
        adam = torch.optim.AdamW(weights, lr=state.rates[self.player], weight_decay=0.0)
        known = state.optimisers[self.player]
        if known is not None:
            adam.load_state_dict(
                {"state": known, "param_groups": adam.state_dict()["param_groups"]}
            )
        return adam

    def run(
        self, trainer: Any, adam: torch.optim.Optimizer, metrics: Mapping[str, str]
    ) -> dict[str, float]:
        """Run a trainer of TRL, and keep what the voice and its optimiser have become.

        Args:
            trainer: one of TRL's, ready to run.
            adam: its optimiser, from :meth:`begin`.
            metrics: the trainer's names of figures, and ours.

        Returns:
            the last value of each figure that the trainer logged, mean over the workers.

        Raises:
            TrainingError: if memory runs out or a weight is not finite.
        """
        voices = self.context.voices
        self._train(trainer)
        if not all(torch.isfinite(p).all() for p in voices.parameters().values()):
            raise TrainingError(
                f"player '{self.name}': weights are no longer finite after round {self.round}; "
                "set learning.learning_rate lower"
            )
        voices.store(self.player)
        self.context.state.optimisers[self.player] = _on_cpu(adam.state_dict()["state"])
        logged: dict[str, Any] = {}
        for row in trainer.state.log_history:
            logged |= row
        found = {name: float(logged[key]) for key, name in metrics.items() if key in logged}
        return self.context.workers.mean(found)

    def _train(self, trainer: Any) -> None:
        settings = self.context.settings
        try:
            trainer.train()
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "memory" not in str(error).lower():
                raise
            raise TrainingError(
                f"out of memory in a step of {settings.learning.batch_size} pairs of up to "
                f"{settings.data.tokens} tokens: set learning.batch_size or data.tokens lower, or "
                "dtype=bfloat16; the same command resumes the run"
            ) from error
        finally:
            self.context.voices.remove_trainer_patches()


def _on_cpu(moments: OptimiserState) -> OptimiserState:
    return {index: _entry_on_cpu(entry) for index, entry in moments.items()}


def _entry_on_cpu(entry: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.cpu() for name, tensor in entry.items()}


def common_arguments(context: RunContext, adam: torch.optim.Optimizer, seed: int) -> dict[str, Any]:
    """Keyword arguments that both of TRL's configurations take.

    Args:
        context: of the run.
        adam: whose step size is used.
        seed: of the data order and of sampling.
    """
    return {
        "max_steps": context.settings.learning.steps,
        "learning_rate": adam.param_groups[0]["lr"],
        "lr_scheduler_type": "constant",
        "max_grad_norm": 1.0,
        "use_cpu": context.voices.device.type == "cpu",
        "ddp_find_unused_parameters": False,
        "bf16": context.settings.dtype == "bfloat16",
        "gradient_checkpointing": False,
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "seed": seed,
        "data_seed": seed,
    }
