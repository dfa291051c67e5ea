"""Agents that go to goals by near-optimal steps, and differ in which of them they like.

What leads where is learned by hindsight, without a gradient, and all agents share it: none is an
individual by what it happens to know. Among steps that are equally good, as far as is known, a
learned preference decides. It has a gradient, and costs nothing: identity for free.

Shapes: B batch, T time, N agents, K slots, D observation, V nodes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from mirrorenv.errors import ConfigError
from mirrorenv.goals.distances import FAR, Ways, paths_of
from mirrorenv.population.actors.base import Actor, ActorOutput, register_actor
from mirrorenv.population.distributions import ActionDistribution
from mirrorenv.population.layers import StackedLinear
from mirrorenv.population.objectives.base import (
    Batch,
    HiddenStates,
    Host,
    Metrics,
    Objective,
    ObjectiveSettings,
)
from mirrorenv.population.settings import PopulationSettings, PopulationShape
from mirrorenv.strict import StrictModel

__all__ = ["GoalActor", "GoalSettings", "Wandering"]

_MOST = 3.0
_SCALE = 10.0


class GoalSettings(StrictModel):
    """`population.actor_options` of the actor `goals`."""

    slack: int = Field(default=0, ge=0)
    """Steps that a way may be longer than the best known and still count as equally good."""
    firmness: float = Field(default=16.0, gt=0)
    """Nats by which each step more makes a choice less likely."""
    strength: float = Field(default=4.0, gt=0)
    """The most that a preference speaks for or against a choice, in nats. Well below half of
    `firmness`, identity cannot be bought with longer ways."""
    curiosity: float = Field(default=0.3, ge=0)
    """Steps that a choice never tried is taken to cost more than the best known."""
    stitch: bool = True
    """Whether ways of different walks are joined (a temporal difference), or whole stretches of
    walks alone count."""
    preference: Literal["mirror", "return"] = "mirror"
    """What teaches a preference. mirror: what is paid beside the environment's reward, alone, since
    among equally good steps the return cannot tell which is better. return: the environment's
    advantages, too, whose noise makes agents drift apart without any mirror."""


@register_actor("goals")
class GoalActor(Actor):
    """N agents with one map and N preferences.

    The preference for a next node is the sum of three learned numbers: of the node, of the node
    from here, and of the node towards this goal.

    Raises:
        ConfigError: for a world that does not show its node and its goal as `mirrorenv/graph-v0`
            does.
    """

    Settings = GoalSettings

    def __init__(
        self, shape: PopulationShape, settings: PopulationSettings, generator: torch.Generator
    ) -> None:
        super().__init__()
        nodes = shape.actions.policy_outputs
        if shape.actions.kind != "choice" or shape.observation_size != 2 * nodes + 2:
            raise ConfigError(
                f"population.actor = goals goes from node to node of a graph: it needs one choice "
                f"of V nodes and observations of 2 V + 2 numbers (own node, own goal, goals to "
                f"come, time left) as mirrorenv/graph-v0 has; this world has {nodes} policy "
                f"outputs and {shape.observation_size} numbers (an auxiliary that feeds agents "
                "adds to them)"
            )
        if settings.weights != "separate" or settings.diversity is not None:
            raise ConfigError(
                "population.actor = goals has a preference for each agent and no networks: leave "
                "population.weights and population.diversity as they are"
            )
        self.num_agents = shape.num_agents
        self.num_nodes = nodes
        self.layout = shape.actions
        self.options = GoalSettings.checked(settings.actor_options, "population.actor_options")
        self.environment_teaches = self.options.preference == "return"
        self.ways = Ways(nodes, self.options.stitch)
        gain = settings.initial_gain / _SCALE
        size = (shape.num_agents, nodes, nodes)

        def drawn(*shape: int) -> nn.Parameter:
            return nn.Parameter(gain * torch.randn(*shape, generator=generator))

        self.liked = drawn(shape.num_agents, 1, nodes)  # (N, 1, V)
        self.liked_from = drawn(*size)  # (N, V node, V)
        self.liked_towards = drawn(*size)  # (N, V goal, V)
        self.critics = StackedLinear(shape.num_agents, shape.observation_size, 2, 0.1, generator)

    # -- acting ------------------------------------------------------------------------------------

    def initial_state(self, batch: int) -> Tensor:
        """See `Actor.initial_state`: there is nothing to remember."""
        return torch.zeros(batch, 0, device=self.liked.device)

    def step(self, observations: Tensor, state: Tensor) -> tuple[ActorOutput, Tensor]:
        """See `Actor.step`."""
        return self._output(observations), state

    def sequence(self, observations: Tensor, mask: Tensor | None = None) -> ActorOutput:
        """See `Actor.sequence`."""
        return self._output(observations)

    def replay(self, observations: Tensor) -> ActionDistribution:
        """See `Actor.replay`."""
        here, goal = self._read(observations)  # (B, T, K)
        everyone = torch.arange(self.num_agents, device=here.device)
        here, goal = here.unsqueeze(-1), goal.unsqueeze(-1)  # (B, T, K, 1)
        return self.layout.distribution(self.logits(here, goal, everyone))

    def plan(self, node: Tensor, goal: Tensor, generator: torch.Generator) -> Tensor:
        """Whole ways, thought out before a step is taken: each agent's policy, unrolled on its map.

        Args:
            node: (B, N) int64, where each agent stands.
            goal: (B, N) int64.
            generator: source of the choices.

        Returns:
            (B, N, L) int64 nodes that follow, the goal repeated once it is reached; L is 16, the
            most substeps a plan may have. A plan that does not reach its goal ends elsewhere.
        """
        everyone = torch.arange(self.num_agents, device=node.device)
        ways = []
        for _ in range(16):
            policy = self.layout.distribution(self.logits(node, goal, everyone))
            node = torch.where(node == goal, goal, policy.sample(generator))
            ways.append(node)
        return torch.stack(ways, -1)

    def _read(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Own node and own goal, (...) each."""
        size = self.num_nodes
        here = observations[..., :size].argmax(-1)
        return here, observations[..., size : 2 * size].argmax(-1)

    def logits(self, here: Tensor, goal: Tensor, agents: Tensor) -> Tensor:
        """How every agent would go on.

        Args:
            here: (..., N) or (..., 1) int64 nodes.
            goal: of the same shape.
            agents: (N,) 0 to N - 1.

        Returns:
            (..., N, V) logits of next nodes.
        """
        liked = self.liked[:, 0] + self.liked_from[agents, here]
        liked = liked + self.liked_towards[agents, goal]
        bound = self.options.strength
        preference = bound * torch.tanh(_SCALE * liked / bound)
        return preference - self.options.firmness * self._cost()[here, goal]

    def _cost(self) -> Tensor:
        """(V node, V goal, V next) steps beyond what counts as equally good, at most 3."""
        excess = (self.ways.excess() - self.options.slack).clamp(0.0, _MOST)
        untried = ~self.ways.tried[:, None, :]
        known = (self.ways.far.amin(-1, keepdim=True) < FAR) & untried
        return torch.where(known, excess.clamp_max(self.options.curiosity), excess)

    def _output(self, observations: Tensor) -> ActorOutput:
        """(B, [T,] N, D)."""
        here, goal = self._read(observations)
        everyone = torch.arange(self.num_agents, device=here.device)
        logits = self.logits(here, goal, everyone)  # (B, [T,] N, V)
        rows = observations.reshape(-1, *observations.shape[-2:]).transpose(0, 1)  # (N, R, D)
        values = self.critics(rows).transpose(0, 1).reshape(*observations.shape[:-1], 2)
        return ActorOutput(
            self.layout.distribution(logits), values[..., 0], values[..., 1], {"choice": logits}
        )

    def mirror_entries(self) -> list[tuple[nn.Parameter, Any]]:
        """See `Actor.mirror_entries`: the second output of the critics."""
        return [(self.critics.weight, (..., 1)), (self.critics.bias, (..., 1))]

    def objectives(self) -> dict[str, Objective]:
        """See `Actor.objectives`: the map is learned from what all have walked."""
        return {"wandering": Wandering(self)}


class Wandering(Objective):
    """The map learns by hindsight from every iteration's episodes, without a gradient."""

    reads_output = False

    def __init__(self, actor: GoalActor) -> None:
        super().__init__(ObjectiveSettings(name="wandering"), Host({}), torch.Generator())
        self.prefix = "wandering/"
        self._actor = (actor,)  # the population's, not a part of this

    def parts(self) -> dict[str, tuple[nn.Module | Iterable[nn.Parameter], float]]:
        """See `Objective.parts`: nothing with a gradient."""
        return {}

    def loss(self, population: Any, output: HiddenStates, batch: Batch) -> tuple[Tensor, Metrics]:
        """See `Objective.loss`: none; the share of pairs with a known way is logged."""
        distance = self._actor[0].ways.distance()
        known = (distance < FAR).float().mean()
        return torch.zeros((), device=distance.device), {"ways_known": known}

    def learn(self, experience: Batch) -> None:
        """See `Objective.learn`.

        Raises:
            ConfigError: if what agents see does not begin with two one-hot codes.
        """
        actor = self._actor[0]
        size = actor.num_nodes
        codes = experience["observations"][..., : 2 * size]
        live = codes[experience["mask"].bool()]
        if not torch.equal(live, (live == 1.0).to(live.dtype)) or (live.sum(-1) != 2.0).any():
            raise ConfigError(
                "population.actor = goals: an observation must begin with the own node and the own "
                "goal, one-hot each, as in mirrorenv/graph-v0"
            )
        actor.ways.learn(paths_of(experience, size))
