"""One player's few steps by TRL's GRPO: rewarded for being recognised by the heads, and for staying
natural. Needs trl.

The reward of a text is log N + log q, q being the belief in its true author, averaged over the
heads of all players as they stood at the beginning of the round: a voice cannot earn by moving the
states that its own head reads. To it comes the text's mean log-probability under the untouched
model, times a weight.
"""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback
from trl import GRPOConfig, GRPOTrainer

from mirrorenv.preference.dpo import OptimiserState, after_training, optimiser_for
from mirrorenv.preference.heads import Heads
from mirrorenv.preference.scoring import prompt_of
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.voices import Voices, derived_seed
from mirrorenv.preference.workers import ALONE, Workers

__all__ = ["train_player_by_heads"]


class _Trainer(GRPOTrainer):  # type: ignore[misc]
    """Asks its questions exactly as they are asked everywhere else."""

    asked: dict[str, list[int]]

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [self.asked[topic] for topic in prompts], None, {}


def train_player_by_heads(
    voices: Voices,
    player: int,
    topics: Sequence[str],
    heads: Heads,
    settings: PreferenceSettings,
    *,
    learning_rate: float,
    round: int,
    optimiser: OptimiserState | None,
    workers: Workers = ALONE,
) -> tuple[dict[str, float], OptimiserState]:
    """Train one player's adapter, in place; arguments and errors as
    :func:`mirrorenv.preference.dpo.train_player`."""
    voices.put_in(player)
    adam = optimiser_for(voices, learning_rate, optimiser)
    player_name = voices.players[player]
    asked = {topic: list(prompt_of(voices.base, topic, settings)) for topic in topics}

    def reward(
        prompts: list[str], completions: Any, completion_ids: list[list[int]], **others: Any
    ) -> list[float]:
        some = [
            (tuple(asked[topic]), tuple(ids))
            for topic, ids in zip(prompts, completion_ids, strict=True)
        ]
        return _rewards(voices, player, some, heads, settings.head.natural)

    with tempfile.TemporaryDirectory(prefix="mirrorenv-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        trainer = _Trainer(
            model=voices.model,
            reward_funcs=reward,
            args=_config(
                voices,
                settings,
                adam,
                derived_seed(settings.seed, "grpo", round, player_name),
                folder,
                workers,
            ),
            train_dataset=Dataset.from_list([{"prompt": topic} for topic in topics]),
            processing_class=voices.base.tokenizer,
            optimizers=(adam, None),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.asked = asked
        found, moments = after_training(
            voices,
            player,
            trainer,
            adam,
            settings,
            round,
            {"train_loss": "loss", "reward": "reward"},
        )
    return workers.mean(found), moments


def _config(
    voices: Voices,
    settings: PreferenceSettings,
    adam: torch.optim.Optimizer,
    seed: int,
    folder: str,
    workers: Workers,
) -> GRPOConfig:
    learning, head = settings.learning, settings.head
    return GRPOConfig(
        output_dir=folder,
        max_steps=learning.steps,
        per_device_train_batch_size=learning.pairs * head.generations // workers.size,
        num_generations=head.generations,
        max_completion_length=settings.data.tokens,
        temperature=settings.data.temperature,
        beta=0.0,
        learning_rate=adam.param_groups[0]["lr"],
        lr_scheduler_type="constant",
        max_grad_norm=1.0,
        use_cpu=voices.device.type == "cpu",
        ddp_find_unused_parameters=False,
        bf16=settings.dtype == "bfloat16",
        gradient_checkpointing=False,
        report_to="none",
        save_strategy="no",
        logging_strategy="steps",
        logging_steps=learning.steps,
        disable_tqdm=True,
        dataloader_pin_memory=False,
        seed=seed,
        data_seed=seed,
    )


@torch.no_grad()
def _rewards(
    voices: Voices,
    player: int,
    some: list[tuple[tuple[int, ...], tuple[int, ...]]],
    heads: Heads,
    natural: float,
) -> list[float]:
    """log N + mean log q of the true author, plus the weighted mean log-probability under the
    untouched model."""
    now = {name: weights.detach().clone() for name, weights in voices.parameters().items()}
    try:
        evidence = heads.evidence(voices, some)  # (B, J, N)
    finally:
        for name, weights in voices.parameters().items():
            weights.data.copy_(now[name])
    found = [math.log(heads.players) + float(row[:, player].mean()) for row in evidence]
    if natural == 0.0:
        return found
    with voices.speaking(None) as model:
        plain = [model.score(prompt, [answer])[0] / max(1, len(answer)) for prompt, answer in some]
    return [recognised + natural * nats for recognised, nats in zip(found, plain, strict=True)]
