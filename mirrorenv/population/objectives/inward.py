"""What all objectives that look inward have in common: a layer, a gradient measured beside the
policy's, and a guard against collapse.

Shapes: B episodes, T time, N agents, H hidden, R rows.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from mirrorenv.complexity.weights import effective_rank
from mirrorenv.errors import ConfigError
from mirrorenv.population.objectives.base import (
    Batch,
    Hidden,
    HiddenStates,
    Host,
    Metrics,
    Objective,
    ObjectiveSettings,
)
from mirrorenv.population.objectives.rows import felt, first_episodes
from mirrorenv.population.objectives.updates import all_reduced, detached
from mirrorenv.population.population import Population

__all__ = [
    "Inward",
    "InwardSettings",
    "live_pairs",
    "masked_mean",
]

logger = logging.getLogger(__name__)

UNMEASURED_SCALE = 1e-6
"""Scale of the first update where `share` sets it: too small to be felt, large enough to
measure."""
LARGEST_SCALE = 1e4
RANK_ROWS = 256
"""Rows that an effective rank is taken of."""


class InwardSettings(ObjectiveSettings):
    """Of whatever predicts or restrains a layer of its host."""

    host: Literal["actors", "observers"] = "actors"
    """Whose hidden layer: the actors', or the observers' on the lineups that they are taught with.
    There every slot is an episode of its own, and N observers stand in the agents' place."""
    layer: str = ""
    """Hidden layer that is read; empty: the last that the host lists."""
    episodes: float = Field(default=1.0, gt=0, le=1)
    """Share of a minibatch's episodes that it reads, at least one. It costs that much less, and
    learns from every episode in as many of its updates."""
    share: float | None = Field(default=None, gt=0)
    """If given, the loss is scaled so that its gradient is this share of the norm of everything
    else's, the policy's. Arms with one share are matched in gradient norm; `weight` is then 1, or
    0 for a probe."""
    measure_every: int = Field(default=10, ge=1)
    """Updates between two measurements of gradients, activation size and rank."""
    guard: float = Field(default=0.1, ge=0, lt=1)
    """Collapse is a policy share of the gradient below this, or activation size or effective rank
    below this share of what they were at first. 0: no guard."""
    patience: int = Field(default=5, ge=1)
    """Measurements in a row that have to find a collapse before the guard acts."""


@dataclass
class _Known:
    """What the host has read of the buffers: they may stand on a device, where to look is to wait,
    and change in measurements only, but for the number of updates."""

    updates: int
    strength: float
    active: bool
    compared: bool


class Inward(Objective):
    """An objective on one hidden layer. A subclass gives `inward_loss`.

    Every `measure_every` updates, the norms of its gradient and of the rest's with respect to the
    host's parameters and the cosine between them are measured, and activation size and effective
    rank of the layer. The guard turns it into a probe for good: from then on it reads detached
    hidden states.

    Raises:
        UnknownNameError: if the host has no such layer.
        ConfigError: if the host has no layer at all, or `share` is given where no gradient can be
            measured.
    """

    Settings: ClassVar[type[ObjectiveSettings]] = InwardSettings
    updates: Tensor
    scale: Tensor
    gradients: Tensor
    activity: Tensor
    first_activity: Tensor
    strikes: Tensor
    stopped: Tensor

    def __init__(self, settings: InwardSettings, host: Host, generator: torch.Generator) -> None:
        super().__init__(settings, host, generator)
        if (settings.host == "observers") != (host.states is not None):
            raise ConfigError(
                f"{settings.name}: host = {settings.host}, and what it is attached to here is "
                "another host: observers are a host in population.auxiliaries itself"
            )
        if not host.layers:
            raise ConfigError(f"{settings.name}: its host lists no hidden layer to read")
        self.inward = settings
        self.layer = settings.layer or list(host.layers)[-1]
        self.width = host.width(self.layer)
        self.num_agents = host.num_agents
        if settings.share is not None:
            self._check_share(settings, host)
        self._own_gradient: list[Tensor | None] | None = None
        self._learning: list[nn.Parameter] | None = None  # found once, asked for in every update
        self._read: _Known | None = None
        self._shown: tuple[HiddenStates, Batch] | None = None  # of a host that is not the actors
        starts_at = 1.0 if settings.share is None else UNMEASURED_SCALE
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self.register_buffer("scale", torch.tensor(starts_at))
        # its own norm, the rest's norm, cosine; NaN until measured
        self.register_buffer("gradients", torch.full((3,), torch.nan))
        # root mean square, effective rank
        self.register_buffer("activity", torch.full((2,), torch.nan))
        self.register_buffer("first_activity", torch.full((2,), torch.nan))
        self.register_buffer("strikes", torch.zeros((), dtype=torch.int64))
        self.register_buffer("stopped", torch.zeros((), dtype=torch.bool))

    @staticmethod
    def _check_share(settings: InwardSettings, host: Host) -> None:
        if host.module is None:
            raise ConfigError(
                f"{settings.name}: share needs the gradients of the policy, which this host does "
                "not hand over: give a fixed weight in its place"
            )
        if settings.weight not in (0.0, 1.0):
            raise ConfigError(
                f"{settings.name}: share = {settings.share} sets the weight, so weight = "
                f"{settings.weight} has no place: leave it at 1, or 0 for a probe"
            )

    # -- what a subclass gives ---------------------------------------------------------------------

    def inward_loss(
        self, population: Population | None, output: HiddenStates, batch: Batch
    ) -> tuple[Tensor, Metrics]:
        """See `Objective.loss`; the gradient of these hidden states is scaled as the settings
        say."""
        raise NotImplementedError

    def after_inward(self, output: HiddenStates, batch: Batch) -> None:
        """As `Objective.after_update`."""

    # -- the protocol ------------------------------------------------------------------------------

    def parts(self) -> dict[str, tuple[nn.Module | Iterable[nn.Parameter], float]]:
        """See `Objective.parts`: what learns; slow copies do not."""
        if self._learning is None:
            self._learning = [one for one in self.parameters() if one.requires_grad]
        return {self.label: (self._learning, self.settings.learning_rate)}

    def loss(
        self, population: Population | None, output: HiddenStates, batch: Batch
    ) -> tuple[Tensor, Metrics]:
        """See `Objective.loss`."""
        if self.host.states is not None:
            assert population is not None
            output, batch = self.host.states(population, batch)
            self._shown = detached(output), batch
            output = output if self.weight else self._shown[0]
        output, batch = self._few(output, batch)
        strength = self._known().strength
        seen = Hidden({name: felt(one, strength) for name, one in output.hidden.items()})
        loss, metrics = self.inward_loss(population, seen, batch)
        if strength and self.weight and loss.requires_grad and self._due():
            self._measure_own(loss)
        return loss, {**metrics, **self._measured()}

    def wants_gradients(self) -> bool:
        """See `Objective.wants_gradients`: in updates that measure."""
        return self._own_gradient is not None

    def after_gradients(self, gradients: object) -> None:
        """See `Objective.after_gradients`: compare its own gradient with the rest's."""
        if self._own_gradient is None:
            return
        assert self.host.module is not None
        parameters = list(self.host.module.parameters())
        learners = all_reduced(torch.ones(()))
        own = self.weight * all_reduced(_flat(self._own_gradient, parameters)) / learners
        rest = _flat([one.grad for one in parameters], parameters) - own
        self._own_gradient = None
        self._read = None
        norm = own.norm()
        others = rest.norm()
        if others <= 1e-6 * norm:  # nothing else has trained the host in this step
            return
        cosine = own @ rest / (norm * others).clamp_min(1e-12)
        self.gradients.copy_(torch.stack([norm, others, cosine]))
        share = self.inward.share
        if share is not None and norm > 0:
            wanted = share * others * self.scale / norm
            self.scale.copy_(wanted.clamp(UNMEASURED_SCALE, LARGEST_SCALE))

    @torch.no_grad()
    def after_update(self, output: HiddenStates, batch: Batch) -> None:
        """See `Objective.after_update`."""
        if self._shown is not None:
            output, batch = self._shown
            self._shown = None
        output, batch = self._few(output, batch)
        self.after_inward(output, batch)
        if self._due():
            self._measure_activity(output.hidden[self.layer], batch["mask"])
            self._watch()
            self._read = None
        self.updates += 1
        if self._read is not None:
            self._read.updates += 1

    def _few(self, output: HiddenStates, batch: Batch) -> tuple[HiddenStates, Batch]:
        """The episodes that are read: the first, since minibatches are drawn in random order."""
        if self.inward.episodes == 1.0:
            return output, batch
        size = len(batch["mask"])
        few = max(1, round(self.inward.episodes * size))
        hidden = {name: first_episodes(one, few) for name, one in output.hidden.items()}
        return Hidden(hidden), {name: column[:few] for name, column in batch.items()}

    # -- measuring ---------------------------------------------------------------------------------

    def _due(self) -> bool:
        return self._known().updates % self.inward.measure_every == 0

    def _known(self) -> _Known:
        """What the buffers hold, read once between two measurements."""
        if self._read is None:
            self._read = _Known(
                updates=int(self.updates),
                strength=0.0 if self.stopped else float(self.scale),
                active=not bool(self.activity.isnan().any()),
                compared=not bool(self.gradients.isnan().any()),
            )
        return self._read

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._read = None
        super()._load_from_state_dict(*args, **kwargs)

    def _measure_own(self, loss: Tensor) -> None:
        if self.host.module is None:
            return
        parameters = [one for one in self.host.module.parameters() if one.requires_grad]
        found = iter(torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True))
        self._own_gradient = [
            next(found) if one.requires_grad else None for one in self.host.module.parameters()
        ]

    def _measure_activity(self, hidden: Tensor, mask: Tensor) -> None:
        rows = hidden[mask > 0]  # (R, H)
        few = rows[:: max(1, len(rows) // RANK_ROWS)][:RANK_ROWS].double()
        rank = effective_rank(few - few.mean(0))
        found = torch.stack([rows.square().mean().sqrt(), rows.new_tensor(rank)])
        found = all_reduced(found) / all_reduced(torch.ones(()))
        self.activity.copy_(found)
        if self.first_activity.isnan().any():
            self.first_activity.copy_(found)

    def _measured(self) -> Metrics:
        """What has been measured so far; nothing before the first time."""
        found: Metrics = {}
        if self._known().active:
            found |= {"activation_rms": self.activity[0], "effective_rank": self.activity[1]}
            found["stopped"] = self.stopped.float()
        if self._known().compared:
            own, others, cosine = self.gradients
            found |= {"gradient_cosine": cosine, "gradient_norm": own}
            found["policy_share"] = others / (own + others)
            found["scale"] = self.scale
        return {name: value.detach().clone() for name, value in found.items()}

    # -- the guard ---------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Count measurements that find a collapse, and stop at the last that is allowed."""
        reason = self._collapse()
        if reason is None or not self.weight or self.stopped:
            self.strikes.zero_()
            return
        self.strikes += 1
        if self.strikes < self.inward.patience:
            return
        self.stopped.fill_(True)
        logger.warning(
            "%s: collapse guard after update %d: %s in %d measurements in a row. From here on it "
            "is a probe: it goes on reading and learning, and the policy no longer feels it. "
            "Nothing was lost; a smaller weight or guard: 0 keeps it",
            self.label,
            int(self.updates),
            reason,
            self.inward.patience,
        )

    def _collapse(self) -> str | None:
        """What has collapsed, in words; None if nothing has."""
        guard = self.inward.guard
        size, rank = self.activity.tolist()
        first_size, first_rank = self.first_activity.tolist()
        if not guard:
            return None
        own, others, _ = self.gradients.tolist()
        if self.inward.share is None and others / max(own + others, 1e-12) < guard:
            share = others / (own + others)
            return f"the policy's share of the gradient was {share:.1%}, below {guard:.0%}"
        if size < guard * first_size:
            return f"activations of {self.layer} shrank from {first_size:.3g} to {size:.3g}"
        if first_rank > 2 and rank - 1 < guard * (first_rank - 1):
            return f"the effective rank of {self.layer} fell from {first_rank:.1f} to {rank:.1f}"
        return None


# -- helpers ---------------------------------------------------------------------------------------


def live_pairs(mask: Tensor, ahead: int) -> Tensor:
    """Where both a step and the one `ahead` happened: (B, T, N) -> (B, T - ahead, N) float32."""
    live = (mask > 0).float()
    return live[:, : live.shape[1] - ahead] * live[:, ahead:]


def masked_mean(values: Tensor, live: Tensor) -> Tensor:
    """Mean over the steps that count, (B, T, N) or (N, rows) both."""
    return (values * live).sum() / live.sum().clamp_min(1.0)


def _flat(gradients: Iterable[Tensor | None], parameters: Iterable[Tensor]) -> Tensor:
    """One vector of gradients, zeros where there is none."""
    pairs = zip(gradients, parameters, strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for g, p in pairs])
