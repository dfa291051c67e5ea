"""What the network kernels have in common: several hypotheses, each a subgoal and its score.

A state and a goal are read into S slots. Of a lesson only one slot learns, so that each comes to
hold one hypothesis; the scores of the others are pushed down. Asked, the slot with the highest
score answers.

Shapes: M lessons in a minibatch, Q queries, S slots, A answers, H hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn

from mirrorenv.errors import ConfigError
from mirrorenv.goals.hindsight import Lessons
from mirrorenv.goals.kernels.base import Answers, Kernel, KernelSize
from mirrorenv.mirror.arrays import Floats64, Ints64
from mirrorenv.strict import StrictModel

__all__ = ["SlotKernel", "SlotSettings"]


_NATS_PER_SQUARE = 10.0
"""Nats that a squared difference of scores counts, where the nearest slot is looked for."""


class SlotSettings(StrictModel):
    """Settings of the network kernels."""

    slots: int = Field(default=1, ge=1)
    """Hypotheses of each state and goal."""
    access: Literal["value", "score"] = "value"
    """Which slot a lesson teaches: the one whose answer and score are nearest to it, or the one
    that is there for scores like its own."""
    asymmetric: bool = True
    """Lessons that score lower than what the slot believes count little (`below`)."""
    below: float = Field(default=0.02, ge=0, le=1)
    """How much they count."""
    push: float = Field(default=0.01, ge=0)
    """Weight of the mean logsumexp of scores, which pushes down what nothing speaks for."""
    hidden: int = Field(default=128, ge=1)
    """Units of a hidden layer."""
    steps: int = Field(default=800, ge=1)
    """Adam steps in each round of lessons."""
    minibatch: int = Field(default=512, ge=1)
    """Lessons in a step."""
    learning_rate: float = Field(default=3e-3, gt=0)
    """Adam step size."""
    compiled: bool = False
    """Whether the network runs through torch.compile."""


class SlotKernel(Kernel):
    """A network in the place of a table. Subclasses give `network`.

    Args:
        size: what it is about.
        settings: of the kernel.
    """

    Settings = SlotSettings

    def __init__(self, size: KernelSize, settings: SlotSettings) -> None:
        self.size = size
        self.settings = settings
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(size.seed)  # torch's layers draw from the global stream
            self.body = self.network(settings.slots * (size.answers + 1))
        self.optimiser = torch.optim.Adam(self.body.parameters(), lr=settings.learning_rate)
        self.read = torch.compile(self.body) if settings.compiled else self.body
        self.generator = torch.Generator().manual_seed(size.seed)
        self.losses: list[float] = []
        self._lessons: list[tuple[Lessons, Floats64]] = []
        self._taught = False

    def network(self, outputs: int) -> nn.Module:
        """What reads nodes (Q,) and goals (Q,) into (Q, outputs)."""
        raise NotImplementedError

    def learn(self, lessons: Lessons, scores: Floats64) -> None:
        """See `Kernel.learn`: kept until `settle`."""
        self._lessons.append((lessons, scores))

    def settle(self) -> None:
        """Learn from all lessons of the round."""
        if not self._lessons:
            return

        def told(name: str) -> torch.Tensor:
            column = np.concatenate([getattr(lesson, name) for lesson, _ in self._lessons])
            return torch.from_numpy(column).long()

        states, goals, subgoals = map(told, ("states", "goals", "subgoals"))
        scores = torch.from_numpy(np.concatenate([score for _, score in self._lessons])).float()
        self._lessons = []
        for _ in range(self.settings.steps):
            index = torch.randint(len(states), (self.settings.minibatch,), generator=self.generator)
            loss = self._loss(states[index], goals[index], subgoals[index], scores[index])
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            self.losses.append(float(loss.detach()))
        self._taught = True

    def _slots(self, states: Tensor, goals: Tensor) -> tuple[Tensor, Tensor]:
        """Answers (Q, S, A) as log probabilities, and scores (Q, S)."""
        found = self.read(states, goals).view(len(states), self.settings.slots, -1)
        return found[..., :-1].log_softmax(-1), found[..., -1]

    def _loss(self, states: Tensor, goals: Tensor, subgoals: Tensor, scores: Tensor) -> Tensor:
        values, believed = self._slots(states, goals)
        index = subgoals.view(-1, 1, 1).expand(-1, self.settings.slots, 1)
        said = values.gather(2, index).squeeze(2)  # (M, S) nats for the lesson
        if self.settings.access == "value":
            # by the answer alone, a slot that once took two answers for itself keeps both
            apart = (scores.unsqueeze(1) - believed).square()  # (M, S)
            slot = (said - _NATS_PER_SQUARE * apart).detach().argmax(1, keepdim=True)  # (M, 1)
        else:
            last = self.settings.slots - 1
            slot = (scores * last).round().clamp(0, last).long().unsqueeze(1)
        error = scores - believed.gather(1, slot).squeeze(1)  # (M,)
        weight = torch.ones_like(error)
        if self.settings.asymmetric:
            weight = torch.where(error.detach() > 0, 1.0, self.settings.below)
        taught = weight * (error.square() - said.gather(1, slot).squeeze(1))
        return taught.mean() + self.settings.push * believed.logsumexp(1).mean()

    @torch.no_grad()
    def infer(self, states: Ints64, goals: Ints64) -> Answers:
        """See `Kernel.infer`."""
        if not self._taught:
            return Answers(np.full(len(states), -1), np.full(len(states), -np.inf))
        values, believed = self._slots(torch.from_numpy(states), torch.from_numpy(goals))
        best, slot = believed.max(1)  # (Q,)
        rows = torch.arange(len(states))
        chosen = values[rows, slot].argmax(-1)
        return Answers(chosen.numpy(), best.double().numpy())

    # -- going on ----------------------------------------------------------------------------------

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """See `Kernel.state`: weights, the optimiser's moments, and the stream of random
        numbers."""
        found: dict[str, npt.NDArray[np.generic]] = {
            "taught": np.array(self._taught),
            "draws": self.generator.get_state().numpy().copy(),
        }
        for number, parameter in enumerate(self.body.parameters()):
            found[f"weight-{number}"] = parameter.detach().numpy().copy()
            for name, value in self.optimiser.state[parameter].items():
                found[f"{name}-{number}"] = value.detach().numpy().copy()
        return found

    def restore(self, state: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """See `Kernel.restore`.

        Raises:
            ConfigError: if it is the state of a network of another size.
        """
        self._taught = bool(state["taught"])
        self.generator.set_state(torch.from_numpy(np.array(state["draws"])))
        with torch.no_grad():
            for number, parameter in enumerate(self.body.parameters()):
                weight = torch.from_numpy(np.array(state[f"weight-{number}"]))
                if weight.shape != parameter.shape:
                    raise ConfigError(
                        f"kernel: weight {number} of the state is {tuple(weight.shape)}, here it "
                        f"is {tuple(parameter.shape)}: build it with the settings it had"
                    )
                parameter.copy_(weight)
                names = ("step", "exp_avg", "exp_avg_sq")
                if f"step-{number}" in state:
                    self.optimiser.state[parameter] = {
                        name: torch.from_numpy(np.array(state[f"{name}-{number}"]))
                        for name in names
                    }
