"""Codes of a language model's hidden states, predicted one place ahead: one codebook and predictor
for each way of refitting, all on the same hidden states.

Hidden states are detached, so the language model is the same whatever is done here.

Shape legend: R rows, B sequences, T places, H width of a hidden state, K codes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mirrorenv.errors import ConfigError
from mirrorenv.population.objectives.codebook import Codebook, sums_by_code
from mirrorenv.population.objectives.mind_state import EASED

__all__ = ["REFITS", "Mind", "perplexity"]


def _fresh(book: Codebook, rows: Tensor, draws: torch.Generator) -> None:
    book.fit(rows, draws)


def _matched(book: Codebook, rows: Tensor, draws: torch.Generator) -> None:
    book.refit_matched(rows, draws)


def _warm(book: Codebook, rows: Tensor, _: torch.Generator) -> None:
    book.refit_warm(rows)


def _keep(_: Codebook, __: Tensor, ___: torch.Generator) -> None:
    pass


REFITS: dict[str, Callable[[Codebook, Tensor, torch.Generator], None]] = {
    "naive": _fresh,
    "hungarian": _matched,
    "warm": _warm,
    "ema": _keep,
    "never": _keep,
}
"""What happens at a refit: the codebook, rows (1, R, H), a source."""


class Mind:
    """A codebook, a linear predictor of the next place's code, and what both did.

    Args:
        policy: a name in `REFITS`; `ema` also follows every batch.
        codes: K.
        width: H.
        draws: source of everything drawn.
        rate: of the predictor's AdamW.
    """

    def __init__(
        self, policy: str, codes: int, width: int, draws: torch.Generator, rate: float = 3e-3
    ) -> None:
        self.policy = policy
        self.draws = draws
        self.book = Codebook(1, codes, width, draws)
        self.head = nn.Linear(width, codes)
        with torch.no_grad():
            self.head.weight.normal_(std=width**-0.5, generator=draws)
            self.head.bias.zero_()
        self.optimizer = torch.optim.AdamW(self.head.parameters(), rate)
        self.counts = torch.ones(codes, codes)  # (K from, K to), of the last batches
        self.losses: list[float] = []

    @property
    def codes(self) -> int:
        """K."""
        return self.book.size

    def fit(self, rows: Tensor) -> None:
        """The first fit, on rows (R, H).

        Raises:
            ConfigError: if there are fewer rows than codes.
        """
        if len(rows) < self.codes:
            raise ConfigError(
                f"{self.codes} codes cannot be fitted on {len(rows)} hidden states: a larger "
                "--batch, or fewer --codes"
            )
        self.book.fit(rows.unsqueeze(0), self.draws)

    def refit(self, rows: Tensor) -> float:
        """What the policy does now and then; the share of rows (R, H) whose code changed."""
        before = self.assign(rows)
        REFITS[self.policy](self.book, rows.unsqueeze(0), self.draws)
        self.counts.fill_(1.0)
        return float((self.assign(rows) != before).float().mean())

    def assign(self, rows: Tensor) -> Tensor:
        """(..., H) -> (...) int64."""
        flat = rows.reshape(1, -1, rows.shape[-1])
        return self.book.assign(flat).view(rows.shape[:-1])

    def learn(self, hidden: Tensor) -> float:
        """A step of the predictor on hidden states (B, T, H); its loss before the step, nats."""
        code = self.assign(hidden)  # (B, T)
        logits = self.head(hidden[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), code[:, 1:].flatten())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.counts.mul_(0.98)
        pairs = code[:, :-1].flatten() * self.codes + code[:, 1:].flatten()
        self.counts += torch.bincount(pairs, minlength=self.codes**2).view(self.codes, -1)
        if self.policy == "ema":
            rows = hidden.reshape(1, -1, hidden.shape[-1])
            every = torch.ones(rows.shape[:2])
            sums, counts = sums_by_code(rows, code.view(1, -1), every, self.codes)
            self.book.follow(sums, counts, 0.99)
            among = torch.arange(rows.shape[1]).unsqueeze(0)
            self.book.revive(self.book.dead(0.1), rows, among, self.draws)
        if self.policy == "warm":
            self.book.ease(EASED)
        self.losses.append(float(loss.detach()))
        return self.losses[-1]

    @torch.no_grad()
    def predicted(self, hidden: Tensor) -> Tensor:
        """The likeliest next code after hidden states (..., H) -> (...)."""
        found: Tensor = self.head(hidden).argmax(-1)
        return found

    def jump(self, step: int) -> float:
        """Mean loss of the 5 steps from `step` on, minus that of the 20 before, nats."""
        after = self.losses[step : step + 5]
        return float(np.mean(after) - np.mean(self.losses[max(0, step - 20) : step]))

    @torch.no_grad()
    def evaluate(self, hidden: Tensor) -> dict[str, Any]:
        """On held-out hidden states (B, T, H): losses in nats, and how codes are used."""
        code = self.assign(hidden)
        here = code[:, :-1].flatten()
        following = code[:, 1:].flatten()
        loss = functional.cross_entropy(self.head(hidden[:, :-1]).flatten(0, 1), following)
        share = torch.bincount(following, minlength=self.codes) / len(following)
        markov = (self.counts / self.counts.sum(1, keepdim=True)).log()
        copied = self._copying(here, following)
        return {
            "loss": float(loss),
            "entropy": math.log(perplexity(share)),
            "used": int((share > 0).sum()),
            "perplexity": perplexity(share),
            "copy_last": copied,
            "markov": float(-markov[here, following].mean()),
            "lift_over_copy": copied - float(loss),
            "lift_over_markov": float(-markov[here, following].mean()) - float(loss),
            "accuracy": float(
                (self.predicted(hidden[:, :-1]).flatten() == following).float().mean()
            ),
            "copy_accuracy": float((here == following).float().mean()),
        }

    def _copying(self, here: Tensor, following: Tensor) -> float:
        """Loss of: the last code with the frequency of staying, else the usual share."""
        stay = float(self.counts.diagonal().sum() / self.counts.sum())
        usual = self.counts.sum(0) / self.counts.sum()  # (K,)
        chance = (1 - stay) * usual[following] + stay * (here == following)
        return float(-chance.log().mean())


def perplexity(share: Tensor) -> float:
    """exp of the entropy of shares (K,)."""
    used = share[share > 0].double()
    return float((-(used * used.log()).sum()).exp())
