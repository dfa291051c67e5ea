"""One player's few steps by TRL's GRPO: rewarded for being recognised by the classifiers, and for
staying natural. Needs trl.

The reward of a text is log N + log q, q being the belief in its true author, averaged over the
classifiers of all players as they stood at the beginning of the round: a voice cannot earn by
moving the states that its own classifier reads. Added to it is the text's mean log-probability
under the untouched model, times a weight.
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

from mirrorenv.preference.classifiers import PromptAndAnswer
from mirrorenv.preference.context import RunContext
from mirrorenv.preference.scoring import prompt_of
from mirrorenv.preference.trl_steps import PlayerTurn, common_arguments
from mirrorenv.preference.voices import VoicePopulation, derived_seed

__all__ = ["train_player_by_reward"]

_METRICS = {"train_loss": "loss", "reward": "reward"}


class _Trainer(GRPOTrainer):  # type: ignore[misc]
    """Asks its questions exactly as they are asked everywhere else."""

    asked: dict[str, list[int]]

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [self.asked[topic] for topic in prompts], None, {}


def train_player_by_reward(turn: PlayerTurn, topics: Sequence[str]) -> dict[str, float]:
    """Train one player's voice on the reward of being recognised, in place.

    Step size and optimiser are those of the player in the context's state, as in
    :func:`mirrorenv.preference.dpo.train_player`.

    Args:
        turn: whose, in which round.
        topics: what texts are written about.

    Returns:
        the loss and the reward of the last step.

    Raises:
        TrainingError: if memory runs out or a weight is not finite.
    """
    context = turn.context
    adam = turn.begin()
    prompt_ids = {
        topic: prompt_of(context.voices.base, topic, context.settings) for topic in topics
    }

    def reward(
        prompts: list[str], completions: Any, completion_ids: list[list[int]], **others: Any
    ) -> list[float]:
        asked = zip(prompts, completion_ids, strict=True)
        return _rewards(turn, [(prompt_ids[topic], tuple(answer)) for topic, answer in asked])

    with tempfile.TemporaryDirectory(prefix="mirrorenv-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        trainer = _Trainer(
            model=context.voices.model,
            reward_funcs=reward,
            args=_config(turn, adam, folder),
            train_dataset=Dataset.from_list([{"prompt": topic} for topic in topics]),
            processing_class=context.voices.base.tokenizer,
            optimizers=(adam, None),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.asked = {topic: list(prompt) for topic, prompt in prompt_ids.items()}
        return turn.run(trainer, adam, _METRICS)


def _config(turn: PlayerTurn, adam: torch.optim.Optimizer, folder: str) -> GRPOConfig:
    context = turn.context
    settings = context.settings
    texts = settings.learning.batch_size * settings.grpo.generations
    seed = derived_seed(settings.seed, "grpo", turn.round, turn.name)
    return GRPOConfig(
        output_dir=folder,
        per_device_train_batch_size=texts // context.workers.size,
        num_generations=settings.grpo.generations,
        max_completion_length=settings.data.tokens,
        temperature=settings.data.temperature,
        beta=0.0,
        logging_strategy="steps",
        logging_steps=settings.learning.steps,
        **common_arguments(context, adam, seed),
    )


@torch.no_grad()
def _rewards(turn: PlayerTurn, texts: list[PromptAndAnswer]) -> list[float]:
    """log N + mean log q of the true author, plus the weighted mean log-probability under the
    untouched model."""
    context = turn.context
    recognised = _recognition(context, turn.player, texts)
    weight = context.settings.grpo.naturalness
    if weight == 0.0:
        return recognised
    natural = _mean_log_probabilities(context.voices, texts)
    return [worth + weight * nats for worth, nats in zip(recognised, natural, strict=True)]


def _recognition(context: RunContext, player: int, texts: list[PromptAndAnswer]) -> list[float]:
    """Nats of each text. Every classifier reads with its own voice in the model, so the weights
    that are being trained are put aside and back."""
    weights = context.voices.parameters()
    trained = {name: parameter.detach().clone() for name, parameter in weights.items()}
    try:
        evidence = context.classifiers.evidence(context.voices, texts)  # (B, J, N)
    finally:
        for name, parameter in context.voices.parameters().items():
            parameter.data.copy_(trained[name])
    log_players = math.log(context.classifiers.players)
    return [log_players + float(row[:, player].mean()) for row in evidence]


def _mean_log_probabilities(voices: VoicePopulation, texts: list[PromptAndAnswer]) -> list[float]:
    """Nats per token of each text under the untouched model."""
    with voices.speaking(None) as model:
        return [model.score(prompt, [answer])[0] / max(1, len(answer)) for prompt, answer in texts]
