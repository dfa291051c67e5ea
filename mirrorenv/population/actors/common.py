"""DiCo style: how far the policies lie apart is set, and not paid for (Bettini, Kortvelesy, Prorok,
"Controlling behavioral diversity in multi-agent reinforcement learning", ICML 2024).

Every policy is one that all share plus a deviation of its own, scaled so that they lie as far apart
as asked::

    f_i(h) = reach tanh(common(h) / reach) + (desired / estimate) (own_i(h) - mean_j own_j(h))

`estimate` is the system neural diversity (SND; Bettini, Shankar, Prorok 2023) of the own parts:
the distance between two agents' outputs after one history, mean over pairs and over the histories
of a minibatch, followed slowly. No reward and no loss asks for diversity. Gradients go through the
estimate as if it were the minibatch's own, so no one gains by a deviation that shrinks or grows.

Two things are not in the paper. The common part is bounded here, and what the own parts have in
common is taken away: without either, training for a reward of being alike ended in outputs so large
that the distance set no longer mattered. So every network reads everybody's history, and acting
costs N times as much.

Style, because outputs here may also be logits. For continuous actions the distance is the
2-Wasserstein distance between Gaussians of one spread, before squashing, as in the paper. For
discrete ones it is the Euclidean distance between centred logits: total variation does not grow in
proportion with the scale, as a constraint by scaling needs.

Shapes: B batch, T time, N agents, K slots, D observation, A policy outputs, H hidden.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from mirrorenv.population.actions import ActionLayout
from mirrorenv.population.actors.base import Actor, ActorOutput
from mirrorenv.population.actors.encoders import EncoderFactory
from mirrorenv.population.actors.network import allowed_to_each, padded
from mirrorenv.population.actors.separate import SeparateActor, of_oneself
from mirrorenv.population.distributions import ActionDistribution
from mirrorenv.population.layers import StackedLinear
from mirrorenv.population.settings import PopulationSettings, PopulationShape

__all__ = ["CommonActor", "CommonPolicy", "neural_diversity"]

_PACE = 0.1  # of the estimate, at every minibatch
# the common part's largest output; of two actions, one then has a probability of at most 0.998
_REACH = 3.0


def neural_diversity(outputs: Tensor, mask: Tensor, layout: ActionLayout) -> Tensor:
    """SND of policies on histories, a scalar of zero or more.

    Args:
        outputs: (..., N, A) of every policy for every history: logits, or means before squashing.
        mask: (...) of the histories that count.
        layout: of the actions; from the logits of a choice a constant is taken away.
    """
    outputs = layout.centred(outputs)
    first, second = torch.triu_indices(
        outputs.shape[-2], outputs.shape[-2], 1, device=outputs.device
    )
    gaps = outputs[..., first, :] - outputs[..., second, :]  # (..., pairs, A)
    # (...); a gradient where two policies are one
    apart = (gaps.square().sum(-1) + 1e-12).sqrt().mean(-1)
    weight = mask.to(apart.dtype)
    return (apart * weight).sum() / weight.sum().clamp_min(1.0)


class CommonPolicy(nn.Module):
    """What all policies share, and the scale of what they do not.

    Args:
        shape: what the world fixes.
        settings: `diversity` is the SND desired.
        features: width of an observation as networks read it.
        generator: source of the initial weights.
        encoder: makes its trunk.
    """

    estimate: Tensor

    def __init__(
        self,
        shape: PopulationShape,
        settings: PopulationSettings,
        features: int,
        generator: torch.Generator,
        encoder: EncoderFactory,
    ) -> None:
        super().__init__()
        self.desired = float(settings.diversity or 0.0)
        self.layout = shape.actions
        self.trunk: Any = encoder(1, features, settings.hidden, generator)
        self.policy = StackedLinear(
            1, settings.hidden, self.layout.policy_outputs, settings.initial_gain, generator
        )
        self.register_buffer("estimate", torch.zeros(()))  # 0: not measured yet

    @property
    def scale(self) -> Tensor:
        """desired / estimate; 1 before anything has been measured, when all deviations are
        small."""
        known = self.estimate > 0
        return torch.where(
            known, self.desired / self.estimate.clamp_min(1e-6), torch.ones_like(self.estimate)
        )

    @staticmethod
    def deviations(own: Tensor) -> Tensor:
        """Deviations: (..., N, A) of every policy for one history -> the same without what all have
        in common."""
        return own - own.mean(-2, keepdim=True)

    def sequence(self, rows: Tensor) -> Tensor:
        """The common part for whole histories: (T, R, F) -> (T, R, A)."""
        hidden = self.trunk.sequence(rows.unsqueeze(0))
        return self._bounded(self.policy(hidden.flatten(1, 2)).view(*rows.shape[:2], -1))

    def step(self, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One step: (1, R, F), memory (1, R, H) -> the common part (1, R, A), next memory."""
        hidden, state = self.trunk.step(rows, state)
        return self._bounded(self.policy(hidden)), state

    def follow(self, own: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Measure the own parts, let the estimate follow, and say by what to scale them.

        With several learners the first one's estimate counts: DDP sends its buffers to the others
        before each pass.

        Args:
            own: (..., N, A) of every policy for every history, apart but not scaled.
            mask: (...) of the histories that count.

        Returns:
            the scale, with its gradient, and the SND of the policies on these histories.
        """
        found = neural_diversity(own, mask, self.layout)
        with torch.no_grad():
            self.estimate.lerp_(found, torch.where(self.estimate > 0, _PACE, 1.0))
        # the value of the one, the gradient of the other
        scale = self.scale * (found.detach() / found)
        return scale, (scale * found).detach()

    @staticmethod
    def _bounded(outputs: Tensor) -> Tensor:
        return _REACH * torch.tanh(outputs / _REACH)


class CommonActor(Actor):
    """A wrapper around an actor of separate networks: its policies become deviations from a common
    one.

    Critics, hidden states and what observers read are those of the actor inside.
    """

    obeys_masks = True

    def __init__(
        self,
        shape: PopulationShape,
        settings: PopulationSettings,
        generator: torch.Generator,
        encoder: EncoderFactory,
    ) -> None:
        super().__init__()
        self.num_agents = shape.num_agents
        self.layout = shape.actions
        self.allowed = shape.allowed
        self.trunk_width = settings.hidden
        self.own = SeparateActor(shape, settings, generator, encoder)
        features = max(shape.observation_size, 1)
        self.common = CommonPolicy(shape, settings, features, generator, encoder)
        # deviations are of means: one spread for all
        self.own.log_std = None
        self.log_std: nn.Parameter | None = None
        if self.layout.spreads:
            spread = torch.full((1, 1, self.layout.spreads), settings.initial_log_std)
            self.log_std = nn.Parameter(spread)

    @property
    def mirror_paid(self) -> bool:
        """See `Actor`; the critics are those of the actor inside."""
        return self.own.mirror_paid

    @mirror_paid.setter
    def mirror_paid(self, paid: bool) -> None:
        self.own.mirror_paid = paid

    def initial_state(self, batch: int) -> Tensor:
        """See `Actor.initial_state`: (N + 1, B*N, state), since every network remembers every
        agent's history, and so does the common one."""
        state = self.own.common_state(batch)
        return torch.cat([state, state[:1]])

    def step(self, observations: Tensor, state: Tensor) -> tuple[ActorOutput, Tensor]:
        """See `Actor.step`."""
        batch, agents, _ = observations.shape
        outputs, values, hidden, own = self.own.step_on_all(observations, state[:-1])
        deviations = self.common.deviations(outputs)  # (B, K, N, A)
        rows = padded(observations.reshape(1, batch * agents, -1))
        shared, memory = self.common.step(rows, state[-1:])
        policy = shared.view(batch, agents, -1) + self.common.scale * of_oneself(deviations)
        output = ActorOutput(
            self._distribution(policy, self.allowed(observations)),
            values[..., 0],
            values[..., 1],
            {"trunk": hidden},
        )
        return output, torch.cat([own, memory])

    def sequence(self, observations: Tensor, mask: Tensor | None = None) -> ActorOutput:
        """See `Actor.sequence`. With a mask, the policies' distance is measured on these histories,
        and they are scaled by what is found."""
        hidden = self.own.trunk.sequence(self.own.fold(observations))  # (N, T, B, H)
        _, value, mirror_value, layers = self.own.heads(hidden, observations.shape[0])
        own = self.common.deviations(self.own.own_outputs(observations))  # (B, T, K, N, A)
        scale = self.common.scale
        metrics: dict[str, Tensor] = {}
        if mask is not None:
            scale, metrics["diversity"] = self.common.follow(own, mask)
        outputs = self._with_common(observations, scale * of_oneself(own))
        distribution = self._distribution(outputs, self.allowed(observations))
        return ActorOutput(distribution, value, mirror_value, layers, metrics)

    def replay(self, observations: Tensor) -> ActionDistribution:
        """See `Actor.replay`."""
        own = self.common.deviations(self.own.own_outputs(observations))  # (B, T, K, N, A)
        return self._distribution(
            self._with_common(observations, self.common.scale * own),
            allowed_to_each(self.allowed(observations)),
        )

    def read(self, observations: Tensor) -> Tensor:
        """See `Actor.read`."""
        return self.own.read(observations)

    def mirror_entries(self) -> list[tuple[nn.Parameter, Any]]:
        """See `Actor.mirror_entries`."""
        return self.own.mirror_entries()

    def _distribution(self, outputs: Tensor, allowed: Tensor | None) -> ActionDistribution:
        if self.log_std is None:
            return self.layout.distribution(outputs, allowed=allowed)
        spread = self.log_std.expand(self.num_agents, 1, -1)[:, 0]  # (N, spreads)
        return self.layout.distribution(outputs, spread, allowed)

    def _with_common(self, observations: Tensor, own: Tensor) -> Tensor:
        """The common policy with everybody's deviation: (B, T, K, D), own (B, T, K, ..., A) -> as
        own."""
        batch, time, slots, _ = observations.shape
        rows = padded(observations.transpose(0, 1).reshape(time, batch * slots, -1))
        # (B, T, K, A)
        shared = self.common.sequence(rows).view(time, batch, slots, -1).transpose(0, 1)
        return shared.reshape(batch, time, slots, *[1] * (own.dim() - 4), -1) + own
