"""What every kind of agent is: a pure module from what agents saw to how they act.

An actor keeps no hidden memory: what it remembers is handed in and handed back as a state, so that
episodes can be replayed, cut and compared at will. One file and one `@register_actor(...)` make a
kind of agent available under `population.actor = name`.

Shapes: B batch, T time, N agents, K slots, D observation, H hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from mirrorenv.errors import ConfigError
from mirrorenv.population.distributions import ActionDistribution
from mirrorenv.population.settings import PopulationSettings, PopulationShape
from mirrorenv.strict import StrictModel

if TYPE_CHECKING:
    from mirrorenv.envs.account import Account
    from mirrorenv.envs.base import ArrayWorld
    from mirrorenv.population.objectives.base import Objective
    from mirrorenv.population.population import Population

__all__ = [
    "ACCOUNTS",
    "ACTORS",
    "Actor",
    "ActorFactory",
    "ActorOutput",
    "State",
    "Teller",
    "register_account",
    "register_actor",
]

State = Any
"""What an actor remembers between two steps: a tensor, or a tree of tensors in tuples and dicts."""

_NOTHING: Mapping[str, Tensor] = MappingProxyType({})


class ActorOutput(NamedTuple):
    """What the actors say about one step (B, N, ...) or a stretch of episodes (B, T, N, ...)."""

    distribution: ActionDistribution
    """How every agent acts."""
    environment_value: Tensor
    """(B, [T,] N), the critic of the environment's reward."""
    mirror_value: Tensor
    """(B, [T,] N), the critic of the mirror's reward, or of what is paid in its place."""
    hidden: Mapping[str, Tensor] = _NOTHING
    """Hidden states by layer name, (B, [T,] N, H) each. Network actors give "trunk"."""
    metrics: Mapping[str, Tensor] = _NOTHING
    """Whatever else is worth logging, scalars by name without gradient; "diversity" for one."""


class Actor(nn.Module):
    """N agents that act. Subclasses give `initial_state`, `step`, `sequence` and `replay`.

    Attributes:
        Settings: the typed settings that `population.actor_options` holds, if this kind of agent
            has settings of its own.
        num_agents: N.
        trunk_width: H of what `read` returns, 0 where observers cannot read through the actor
            (`population.observer.trunk` is then "separate").
        mirror_paid: whether anything is paid that the mirror critic predicts. If it is False,
            `mirror_value` must be computed from detached hidden states, so that its error trains
            nothing but the critic itself (`mirror_entries`); its parameters stay where they are.
        environment_teaches: whether the environment's advantages teach what has a gradient. False
            where it can make no difference to the return: what is left is the error of a critic,
            and agents would part by that alone.
        obeys_masks: whether its distributions keep to what `PopulationShape.allowed` says.
        fast: whether `step` and `sequence` may compute the same in other arithmetic
            (`learning.update`); an actor that has none takes no notice. What others measure,
            `replay` and `read`, is always plain.
    """

    Settings: ClassVar[type[StrictModel] | None] = None
    num_agents: int
    trunk_width: int = 0
    mirror_paid: bool = True
    environment_teaches: bool = True
    obeys_masks: bool = False
    fast: bool = False

    @property
    def fusable(self) -> bool:
        """Whether there is another arithmetic for these networks, and `fast` asks for it."""
        return False

    def initial_state(self, batch: int) -> State:
        """Empty memory for `batch` episodes, on the device of the parameters."""
        raise NotImplementedError

    def step(self, observations: Tensor, state: State) -> tuple[ActorOutput, State]:
        """One step of every agent.

        Args:
            observations: (B, N, D) float32.
            state: from `initial_state` or the step before; left as it is.

        Returns:
            outputs shaped (B, N, ...), and the next state.
        """
        raise NotImplementedError

    def sequence(self, observations: Tensor, mask: Tensor | None = None) -> ActorOutput:
        """Whole episodes from empty memory.

        Args:
            observations: (B, T, N, D) float32.
            mask: (B, T, N) of the steps that happened, in training only: what is measured on a
                minibatch (`ActorOutput.metrics`) is measured on these.

        Returns:
            outputs shaped (B, T, N, ...).
        """
        raise NotImplementedError

    def replay(self, observations: Tensor) -> ActionDistribution:
        """Every policy on every trajectory, its own memory replayed; the exact limit rests on it.

        Args:
            observations: (B, T, K, D) float32.

        Returns:
            distribution over (B, T, K, N): how agent n would act, had it seen what k saw.
        """
        raise NotImplementedError

    def replay_log_probability(self, observations: Tensor, actions: Tensor) -> Tensor:
        """How probable every policy n finds every step of every trajectory k, in nats.

        Args:
            observations: (B, T, K, D).
            actions: (B, T, K, ...) as the population's layout holds them.

        Returns:
            (B, T, K, N) log pi_n(a | h), policy n's own memory replayed on k's observations.
        """
        each = actions.unsqueeze(3).expand(*actions.shape[:3], self.num_agents, *actions.shape[3:])
        return self.replay(observations).log_probability(each)

    def read(self, observations: Tensor) -> Tensor:
        """Each observer's trunk on every trajectory, told no index: (B, T, K, D) -> hidden
        (J, T, B*K, H), J = 1 where all agents share one.

        Raises:
            ConfigError: if this kind of agent has no trunk to read through (`trunk_width` is 0).
        """
        raise ConfigError(
            f"{type(self).__name__} has no trunk that observers can read through: set "
            "population.observer.trunk to separate"
        )

    def objectives(self) -> dict[str, Objective]:
        """Objectives that come with this kind of agent, by label: what it learns besides its policy
        gradient, without anybody asking for it in the settings."""
        return {}

    def mirror_entries(self) -> list[tuple[nn.Parameter, Any]]:
        """The entries of parameters that belong to the mirror critic alone, as (parameter, index).

        `parameter.grad[index]` is what its error does. Whoever clips gradients takes these apart
        where the mirror is not paid. An actor with a critic in parameters of its own returns them
        with the index `...`.
        """
        return []


ActorFactory = Callable[[PopulationShape, PopulationSettings, torch.Generator], Actor]
ACTORS: dict[str, ActorFactory] = {}
Teller = Callable[["Population", "ArrayWorld", int], "list[Account]"]
ACCOUNTS: dict[str, Teller] = {}


def register_actor(name: str) -> Callable[[ActorFactory], ActorFactory]:
    """Decorator: make a kind of agent available under `population.actor = name`.

    What is registered is called with the shape, the settings and the generator of the initial
    weights; a subclass of `Actor` with these three arguments is one.
    """

    def add(factory: ActorFactory) -> ActorFactory:
        ACTORS[name] = factory
        return factory

    return add


def register_account(name: str) -> Callable[[Teller], Teller]:
    """Decorator: what a run's report tells of the agents `population.actor = name`, besides what it
    tells of all.

    What is registered is called at the last evaluation with the population, the world of the run
    to play held-out episodes in, and the seed of the run.
    """

    def add(teller: Teller) -> Teller:
        ACCOUNTS[name] = teller
        return teller

    return add
