"""What the origin really trains: utterances edited towards a set-point of entropy, and learned.

A supervised step beside the policy gradient. Every utterance of a minibatch is edited once towards
the global set-point, 0.4, and once towards the local one, 0.9; the speaker learns to say the edited
text. It brings the measured entropy to a set-point in between and does not maximise it.

Shape legend: B episodes, T time, N agents, L bytes.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from mirrorenv.bytes.entropy import byte_counts, set_point_edit
from mirrorenv.errors import ConfigError
from mirrorenv.population.actors.base import ActorOutput
from mirrorenv.population.objectives.base import (
    Batch,
    HiddenStates,
    Metrics,
    Objective,
    ObjectiveSettings,
    register_objective,
)
from mirrorenv.population.population import Population

__all__ = ["EditedUtterances", "Octets", "SetPointSettings", "SetPoints"]

Octets = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


class SetPointSettings(ObjectiveSettings):
    """Where entropy is to settle."""

    local: float = Field(default=0.9, ge=0, le=1)
    """Of each utterance."""
    whole: float | None = Field(default=0.4, ge=0, le=1)
    """Of all that an agent said in the minibatch; None leaves it alone."""


class EditedUtterances(Objective):
    """Agents learn to say their utterances as somebody edited them, by cross-entropy.

    Raises:
        ConfigError: where the host does not speak.
    """

    def parts(self) -> dict[str, tuple[nn.Module | Iterable[nn.Parameter], float]]:
        """See `Objective.parts`: the speakers are the actors, which have an optimiser."""
        return {}

    def edited(self, said: Octets, rng: np.random.Generator) -> Octets:
        """What is to be said instead.

        Args:
            said: (B, T, N, L), not changed.
            rng: source of the edits.
        """
        raise NotImplementedError

    def loss(
        self, population: Population | None, output: HiddenStates, batch: Batch
    ) -> tuple[Tensor, Metrics]:
        """See `Objective.loss`: nats for each byte."""
        actions = batch["actions"]  # (B, T, N, L)
        if not isinstance(output, ActorOutput) or actions.ndim != 4:
            raise ConfigError(f"{type(self).__name__} edits utterances: it needs agents that speak")
        rng = np.random.default_rng(int(torch.randint(2**31, (), generator=self.draws)))
        wanted = self.edited(actions.cpu().numpy().astype(np.uint8), rng).astype(np.int64)
        target = torch.from_numpy(wanted).to(actions)
        likely = output.distribution.log_probability(target)  # (B, T, N)
        mask = batch["mask"]
        loss = -(likely * mask).sum() / (mask.sum().clamp_min(1.0) * actions.shape[-1])
        return loss, {"nats_per_byte": loss.detach()}


@register_objective("set_points")
class SetPoints(EditedUtterances):
    """Cross-entropy to utterances that were edited towards a set-point."""

    Settings = SetPointSettings
    settings: SetPointSettings

    def edited(self, said: Octets, rng: np.random.Generator) -> Octets:
        """See `EditedUtterances.edited`: each once or twice."""
        edited = said.copy()
        for agent in range(said.shape[2]):
            counts = byte_counts(said[:, :, agent]).sum((0, 1))  # (256,)
            for place in np.ndindex(said.shape[:2]):
                one = edited[(*place, agent)]
                if self.settings.whole is not None:
                    one = set_point_edit(one, self.settings.whole, counts, rng)
                edited[(*place, agent)] = set_point_edit(one, self.settings.local, None, rng)
        return edited
