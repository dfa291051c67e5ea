"""What a population is made of: typed settings that reject unknown keys.

These models need pydantic only; torch is not imported here, so that a configuration can be read and
checked anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from mirrorenv.population.actions import AnyLayout
from mirrorenv.strict import RenamedModel, StrictModel

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "Draws",
    "LearningSettings",
    "MirrorSettings",
    "ObserverSettings",
    "PopulationSettings",
    "PopulationShape",
]


Draws = Literal["own", "common"]
"""What agents draw in held-out episodes: draws of each seed's own, or the same under every seed."""


class PopulationShape(RenamedModel):
    """What the world fixes about a population."""

    num_agents: int = Field(ge=2)
    """N, agents per episode."""
    observation_size: int = Field(ge=0)
    """D, length of one agent's flattened observation."""
    actions: AnyLayout
    """What one action is made of."""
    mask_from: int | None = Field(default=None, ge=0)
    """The first of the numbers of an observation that say which choices are allowed, one for each
    output of a policy; None where everything always is."""
    image: tuple[int, int, int] | None = None
    """Rows, columns and channels of the image that an observation begins with, if it does."""

    renamed: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("num_actions", "action_size", "action_low", "action_high"), "actions"
    )

    def allowed(self, observations: Tensor) -> Tensor | None:
        """Which choices an agent that saw this may take.

        Args:
            observations: (..., D or more) float32, as recorded.

        Returns:
            (..., policy_outputs) bool, or None where everything is allowed.
        """
        if self.mask_from is None:
            return None
        width = self.actions.policy_outputs
        return self.actions.at_least_first(observations[..., self.mask_from :][..., :width] > 0)

    @property
    def action_features(self) -> int:
        """Width of one action as an observer reads it."""
        return self.actions.feature_width


class ObserverSettings(StrictModel):
    """The classifier head each agent carries."""

    head: str = "additive"
    """How a lineup is read: the name of a head (mirrorenv.population.observers; a wrong name is
    answered with the list), or `package.module:Class` of your own."""
    trunk: Literal["separate", "shared", "stopped"] = "separate"
    """Whether the head reads with its own weights, with its agent's policy trunk, or with that
    trunk detached."""
    reads: Literal["both", "observations", "actions"] = "both"
    """What of a trajectory the head is shown. Of observations alone it learns where agents are and
    not how they move, so that the mirror reward pays for places. Other than "both": heads that read
    with no policy, with their own trunk. The exact limit stays that of the whole trajectory, above
    what a part of it can tell."""
    hidden: int = Field(default=64, ge=1)
    """Hidden units of the head."""
    layers: int = Field(default=1, ge=1, le=4)
    """Hidden layers of the head."""
    learning_rate: float = Field(default=3e-3, gt=0)
    """Adam step size of the observers."""
    slots_per_update: int = Field(default=2, ge=0)
    """Read only this many random slots of each lineup in an update (0: all; the joint head reads
    all anyway). The cost of an update grows with N x slots instead of N x N. Rewards are always
    computed from all slots. Ignored with `neighbours` by plain updates (`learning.update`)."""
    prefixes_per_update: int = Field(default=0, ge=0)
    """Train on this many random prefixes of each episode (0: every prefix)."""
    neighbours: int = Field(default=0, ge=0)
    """Show each observer itself and this many agents, those nearest to it over the episode (0:
    everybody). For large populations: reading costs N x (neighbours + 1) instead of N x N, and
    chance is 1 in neighbours + 1. Heads additive and gru with trunk separate, credits author and
    team."""
    place: tuple[int, ...] = ()
    """Which numbers of the flattened observation say where an agent is, for `neighbours`; worlds
    with places know."""

    @model_validator(mode="after")
    def _can_read_a_part(self) -> Self:
        if self.reads != "both" and self.trunk != "separate":
            raise ValueError(
                f"reads = {self.reads!r} needs trunk = 'separate'; with trunk {self.trunk!r} "
                "observers read with a policy, which sees all of a trajectory"
            )
        return self


class PopulationSettings(RenamedModel):
    """Who acts and recognises."""

    renamed: ClassVar[Mapping[str, str]] = {"trunk": "actor"}

    weights: Literal["separate", "shared"] = "separate"
    """N networks stacked in one module, or one network that is told the agent's index."""
    actor: str = "mlp"
    """The kind of agent: mlp (feed-forward networks), gru (recurrent ones), transformer (causal
    ones over time), package.module:Encoder (networks around your own nn.Module), or a name you
    registered."""
    actor_options: dict[str, JsonValue] = Field(default_factory=dict)
    """Settings of the kind of agent itself, where it has some; a wrong one is refused by name."""
    hidden: int = Field(default=64, ge=1)
    """Units per hidden layer of an actor."""
    initial_gain: float = Field(default=0.01, gt=0)
    """Gain of the last policy layer. At 0.01 no one is identifiable at the start; at 1.0 untrained
    agents are."""
    initial_log_std: float = -0.5
    """Initial log standard deviation of continuous actions."""
    diversity: float | None = Field(default=None, ge=0)
    """If given, every policy is a common one plus a deviation of its own, scaled to this system
    neural diversity (DiCo style; mirrorenv.population.actors.common): a distance of centred
    logits, or of means. 0: all act alike. Needs separate weights."""
    observer: ObserverSettings = ObserverSettings()
    auxiliaries: tuple[dict[str, JsonValue], ...] = ()
    """Further objectives that the actors learn from, each {name: ..., weight: 1.0, ...}: names and
    settings of mirrorenv.population.objectives. Weight 0 makes a probe, which is trained and
    changes nothing else."""

    @model_validator(mode="after")
    def _weights_are_separate(self) -> Self:
        if self.diversity is not None and self.weights == "shared":
            raise ValueError(
                "diversity is that of policies with weights of their own: set weights to separate"
            )
        return self


class MirrorSettings(StrictModel):
    """The mirror reward and its controls, or another reward in its place."""

    weight: float = Field(default=1.0, ge=0)
    """Weight of the mirror reward's advantage beside the environment's; 0 trains observers that
    no one is paid by."""
    reward: str = "mirror"
    """What is paid beside the environment's reward: mirror, eoi, diayn, cds, or a name you
    registered. All but the mirror are computed from single steps by a model that knows every name,
    are discounted by `learning.gamma`, and are divided by the horizon, so that an episode of
    perfect names is worth 1 (eoi) or log N (diayn and cds' actions)."""
    final_weight: float | None = Field(default=None, ge=0)
    """If given, the weight moves linearly from `weight` to this over the run."""
    credit: Literal["author", "team", "observer", "self", "adversarial"] = "author"
    """Who is paid for which recognition (mirrorenv.mirror.mirror_reward)."""
    timing: Literal["dense", "terminal", "window"] = "dense"
    """When it is paid: increments of evidence, at the end, or increments inside a random window of
    the episode."""
    window: int = Field(default=0, ge=0)
    """Steps in the window for `timing = "window"` (0: a quarter of the horizon)."""
    floor: float = Field(default=1e-4, gt=0, lt=1)
    """Smallest belief that is charged for; the reward is bounded by log N below and above by
    this."""
    teams: tuple[int, ...] | None = None
    """Team of each agent, for `credit = "adversarial"`."""
    observers_per_author: int = Field(default=0, ge=0)
    """Average the reward over this many random observers per iteration (0: all N)."""
    control: Literal["none", "shuffled_labels", "random_reward", "limit"] = "none"
    """What replaces the learned reward: observers trained on permuted names, noise of the same
    variance, or the exact limit's belief in place of the learned one."""

    @property
    def paid(self) -> bool:
        """Whether anything is paid at any time: unpaid is weight 0 throughout the schedule."""
        return self.weight > 0 or bool(self.final_weight)

    def weight_at(self, share: float) -> float:
        """The weight after this share of the run, from 0 to 1."""
        if self.final_weight is None:
            return self.weight
        return float(self.weight + share * (self.final_weight - self.weight))

    @model_validator(mode="after")
    def _belongs_to_the_reward(self) -> Self:
        if self.reward == "mirror":
            return self
        for name, fine in (
            ("credit", ("author",)),
            ("timing", ("dense",)),
            ("control", ("none", "random_reward")),
        ):
            if (value := getattr(self, name)) not in fine:
                other = f"with reward = {self.reward!r} it is {' or '.join(fine)}"
                raise ValueError(f"{name} = {value!r} is of the mirror reward; {other}")
        return self


class LearningSettings(StrictModel):
    """Proximal policy optimisation (Schulman et al. 2017) over whole episodes."""

    episodes_per_iteration: int = Field(default=256, ge=2)
    """Episodes sampled between updates."""
    minibatch_episodes: int = Field(default=64, ge=1)
    """Episodes in a minibatch."""
    epochs: int = Field(default=4, ge=1)
    """Passes over the sampled episodes."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Adam step size of the actors and critics."""
    clip: float = Field(default=0.2, gt=0)
    """Clipping range of the probability ratio."""
    entropy: float = Field(default=0.01, ge=0)
    """Weight of the entropy bonus."""
    value_weight: float = Field(default=0.5, ge=0)
    """Weight of each critic's squared error."""
    gamma: float = Field(default=0.99, ge=0, le=1)
    """Discount of the environment's reward. The mirror reward is never discounted: that would buy
    handshakes."""
    gae_lambda: float = Field(default=0.95, ge=0, le=1)
    """Lambda of generalised advantage estimation, for both critics."""
    grad_norm: float = Field(default=0.5, gt=0)
    """Largest gradient norm of the actors and, apart, of the observers."""
    update: Literal["plain", "fast"] = "plain"
    """How an update is computed. plain: as PyTorch has it, and as every recorded run was trained;
    what a configuration that does not say means, for ever. fast: the same mathematics by products
    shaped by hand (weights within 1e-6 of plain after an iteration), choices
    drawn from another stream, and `slots_per_update` in neighbourhoods, too. Actors and heads that
    no fast path knows are computed as in plain."""
    reward_scale: float = Field(default=1.0, gt=0)
    """Factor on the environment's reward before learning (returns are reported unscaled)."""
