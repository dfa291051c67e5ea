"""Linear classifiers on hidden states: each voice carries one, which says who wrote a text.

A classifier sees the mean of the last hidden states over a text's tokens. The states are taken as
they are: fitting a classifier does not change the voice that carries it. Needs torch.

Shape legend: B texts, N players, H hidden units.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from mirrorenv.mirror.arrays import Floats64
from mirrorenv.preference.voices import VoicePopulation, Weights

__all__ = ["AuthorClassifiers", "PromptAndAnswer", "hidden_states"]

PromptAndAnswer = tuple[tuple[int, ...], tuple[int, ...]]
"""Ids of a question, up to where the answer begins, and of an answer."""

_WIDEST = 64  # texts read at once
# of a classifier's regression: a second on states of any size met so far
_STEPS = 150
_RATE = 0.05
_DECAY = 1e-3


@torch.no_grad()
def hidden_states(voices: VoicePopulation, some: Sequence[PromptAndAnswer]) -> torch.Tensor:
    """(B, H) float32, the mean last hidden state over each answer, by the weights that are in the
    model now."""
    model = voices.model
    found: list[torch.Tensor] = []
    training = model.training
    model.eval()
    for start in range(0, len(some), _WIDEST):
        part = [(prompt, answer or prompt[-1:]) for prompt, answer in some[start : start + _WIDEST]]
        longest = max(len(prompt) + len(answer) for prompt, answer in part)
        ids = torch.zeros(len(part), longest, dtype=torch.long)  # (B, T), padded on the right
        written = torch.zeros(len(part), longest)
        for row, (prompt, answer) in enumerate(part):
            whole = len(prompt) + len(answer)
            ids[row, :whole] = torch.tensor([*prompt, *answer])
            written[row, len(prompt) : whole] = 1.0
        device = model.device
        read = (
            model(ids.to(device), output_hidden_states=True, use_cache=False)
            .hidden_states[-1]
            .float()
            .cpu()
        )
        found.append((read * written[..., None]).sum(dim=1) / written.sum(dim=1, keepdim=True))
    model.train(training)
    return torch.cat(found)


class AuthorClassifiers:
    """N linear classifiers, one on each voice.

    Args:
        players: N.
        states: weights to begin with, one mapping each; None for classifiers that know nothing.
    """

    def __init__(self, players: int, states: Sequence[Weights] | None = None) -> None:
        self.players = players
        self.states: list[Weights] = (
            list(states) if states is not None else [{} for _ in range(players)]
        )

    def fit(self, observer: int, states: torch.Tensor, authors: Sequence[int]) -> float:
        """Fit a classifier by cross-entropy, from where it is.

        Args:
            observer: whose classifier.
            states: (B, H), see :func:`hidden_states`.
            authors: B players.

        Returns:
            the loss in nats on what it was fitted to.
        """
        middle = states.mean(dim=0)  # (H,)
        spread = states.std(dim=0).clamp_min(1e-6)  # (H,)
        known = self.states[observer]
        weights = (
            known.get("weights", torch.zeros(states.shape[1], self.players))
            .clone()
            .requires_grad_()
        )
        bias = known.get("bias", torch.zeros(self.players)).clone().requires_grad_()
        adam = torch.optim.AdamW([weights, bias], lr=_RATE, weight_decay=_DECAY)
        truth = torch.tensor(list(authors))  # (B,)
        scaled = (states - middle) / spread  # (B, H)
        loss = torch.zeros(())
        for _ in range(_STEPS):
            adam.zero_grad()
            loss = torch.nn.functional.cross_entropy(scaled @ weights + bias, truth)
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()
        self.states[observer] = {
            "weights": weights.detach(),
            "bias": bias.detach(),
            "middle": middle,
            "spread": spread,
        }
        return float(loss.detach())

    def log_belief(self, observer: int, states: torch.Tensor) -> torch.Tensor:
        """(B, N) log probabilities of each author, by one classifier; uniform before it is fitted.

        Args:
            observer: whose classifier.
            states: (B, H) of the same voice.
        """
        known = self.states[observer]
        if not known:
            return torch.full((len(states), self.players), -float(np.log(self.players)))
        scaled = (states - known["middle"]) / known["spread"]
        return torch.log_softmax(scaled @ known["weights"] + known["bias"], dim=-1)

    def evidence(self, voices: VoicePopulation, some: Sequence[PromptAndAnswer]) -> Floats64:
        """(B, J, N) log probabilities of each author by every voice's classifier."""
        columns = []
        for observer in range(self.players):
            voices.load(observer)
            columns.append(self.log_belief(observer, hidden_states(voices, some)).double().numpy())
        return np.stack(columns, axis=1)
