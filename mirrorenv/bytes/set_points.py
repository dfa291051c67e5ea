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

__all__ = ["SetPointSettings", "SetPoints"]


class SetPointSettings(ObjectiveSettings):
    """Where entropy is to settle."""

    local: float = Field(default=0.9, ge=0, le=1)
    """Of each utterance."""
    whole: float | None = Field(default=0.4, ge=0, le=1)
    """Of all that an agent said in the minibatch; None leaves it alone."""


@register_objective("set_points")
class SetPoints(Objective):
    """Cross-entropy to the utterances as they were edited.

    Raises:
        ConfigError: where the host does not speak.
    """

    Settings = SetPointSettings
    settings: SetPointSettings

    def parts(self) -> dict[str, tuple[nn.Module | Iterable[nn.Parameter], float]]:
        """See `Objective.parts`: the speakers are the actors, which have an optimiser."""
        return {}

    def loss(
        self, population: Population | None, output: HiddenStates, batch: Batch
    ) -> tuple[Tensor, Metrics]:
        """See `Objective.loss`: nats for each byte."""
        actions = batch["actions"]  # (B, T, N, L)
        if not isinstance(output, ActorOutput) or actions.ndim != 4:
            raise ConfigError("set_points edits utterances: it needs agents that speak")
        wanted = self._edited(actions.cpu().numpy().astype(np.uint8))
        target = torch.from_numpy(wanted).to(actions)
        likely = output.distribution.log_probability(target)  # (B, T, N)
        mask = batch["mask"]
        loss = -(likely * mask).sum() / (mask.sum().clamp_min(1.0) * actions.shape[-1])
        return loss, {"nats_per_byte": loss.detach()}

    def _edited(
        self, said: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        """(B, T, N, L) utterances, each edited once or twice."""
        rng = np.random.default_rng(int(torch.randint(2**31, (), generator=self.draws)))
        edited = said.copy()
        for agent in range(said.shape[2]):
            counts = byte_counts(said[:, :, agent]).sum((0, 1))  # (256,)
            for place in np.ndindex(said.shape[:2]):
                one = edited[(*place, agent)]
                if self.settings.whole is not None:
                    one = set_point_edit(one, self.settings.whole, counts, rng)
                edited[(*place, agent)] = set_point_edit(one, self.settings.local, None, rng)
        return edited.astype(np.int64)
