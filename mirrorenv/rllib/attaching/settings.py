"""What a mirror that is attached to somebody else's algorithm is made of."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue, model_validator

from mirrorenv.errors import ConfigError
from mirrorenv.population.observers.registry import find_head
from mirrorenv.population.settings import ObserverSettings
from mirrorenv.strict import StrictModel

__all__ = ["AttachSettings"]


class AttachSettings(StrictModel):
    """The mirror beside an algorithm of RLlib's own."""

    weight: float = Field(default=1.0, ge=0)
    """Factor on the mirror reward, which is added to the environment's; 0 trains observers that
    no one is paid by."""
    credit: Literal["author", "team", "observer", "self", "adversarial"] = "author"
    """Who is paid for which recognition (mirrorenv.mirror.mirror_reward)."""
    timing: Literal["dense", "terminal"] = "dense"
    """When it is paid: increments of evidence, or everything at the end."""
    floor: float = Field(default=1e-4, gt=0, lt=1)
    """Smallest belief that is charged for."""
    teams: tuple[int, ...] | None = None
    """Team of each agent in the environment's order, for `credit = "adversarial"`."""
    control: Literal["none", "shuffled_labels"] = "none"
    """What replaces the learned reward: observers that are taught permuted names."""
    bootstrap: bool = False
    """Whether the critic's value stands for what the clock cut off. A lineup is read up to the
    clock's end, after which there is nothing to be recognised by; True where the environment's own
    reward matters more."""
    head: str = "additive"
    """How a lineup is read: the name of a head, or `package.module:Class` of your own."""
    hidden: int = Field(default=64, ge=1)
    """Hidden units of a head."""
    layers: int = Field(default=1, ge=1, le=4)
    """Hidden layers of a head."""
    learning_rate: float = Field(default=3e-3, gt=0)
    """Adam step size of the heads."""
    lineups_per_update: int = Field(default=16, ge=0)
    """Lineups that the heads learn from in one update (0: all of the minibatch)."""
    unseen: tuple[int | str, ...] = ()
    """What observers must not read of an observation: numbers of its flattened form, or keys of a
    Dict. An index or a one-hot name of the agent belongs here: it would give everybody away."""
    auxiliaries: tuple[dict[str, JsonValue], ...] = ()
    """PPO: further objectives of every module that learns, as in `population.auxiliaries`. They
    read the layer `policy`, what the module's `pi` head reads."""
    seed: int = Field(default=0, ge=0)
    """Seed of the heads' weights and of the shuffles."""

    @property
    def observer(self) -> ObserverSettings:
        """The same as a population's observers are described."""
        return ObserverSettings(head=self.head, hidden=self.hidden, layers=self.layers)

    @model_validator(mode="after")
    def _fits(self) -> AttachSettings:
        if (self.teams is not None) != (self.credit == "adversarial"):
            raise ValueError("teams belong to credit 'adversarial', both ways")
        return self

    def check(self, num_agents: int) -> None:
        """Whether these settings fit so many agents.

        Args:
            num_agents: N of the environment.

        Raises:
            UnknownNameError: if no head of that name is registered.
            ConfigError: if the head needs a policy, or teams are missing for some agents.
        """
        head = find_head(self.head)
        if head.needs_own or head.joint:
            raise ConfigError(
                f"attach: the head {self.head!r} compares with policies or decodes whole lineups, "
                "which only MirrorPPO does; use head 'additive' or 'gru'"
            )
        if self.teams is not None and len(self.teams) != num_agents:
            raise ConfigError(
                f"attach: {len(self.teams)} teams for {num_agents} agents; give one number each"
            )
        if self.floor > 1 / num_agents:
            raise ConfigError(
                f"attach: floor must be at most 1/N = {1 / num_agents:.4g}, got {self.floor}"
            )
