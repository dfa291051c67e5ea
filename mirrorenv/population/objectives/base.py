"""What everything a population learns from is: an objective, and how one is found by name.

PPO, recognition, the rewards that a population pays itself and the auxiliaries in
`population.auxiliaries` are objectives alike. One file with one `@register_objective(...)` in
this folder, in an installed package (entry point group `mirrorenv.objectives`) or named as
`package.module:Class` makes one available; nothing else has to know of it. Its metrics and
columns travel by name.

An objective needs no population: what it is told about its host (`Host`) are widths of layers, and
what its loss reads is a mapping of hidden states. So the same file serves the actors, a policy of
Stable-Baselines3 or a language model.

Shapes: B episodes, T time, N agents, H hidden, F fed numbers.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from pydantic import Field, JsonValue
from torch import Tensor, nn

from mirrorenv.envs.discovery import modules_of_rooms
from mirrorenv.errors import ConfigError, unknown_name
from mirrorenv.population.settings import ObserverSettings, PopulationShape
from mirrorenv.strict import StrictModel

if TYPE_CHECKING:
    from mirrorenv.mirror.arrays import Floats32
    from mirrorenv.population.experience import Experience
    from mirrorenv.population.population import Population
    from mirrorenv.population.train_batch import Lots

__all__ = [
    "PLUGIN_GROUP",
    "Batch",
    "Hidden",
    "HiddenStates",
    "Host",
    "Metrics",
    "Objective",
    "ObjectiveSettings",
    "build_objective",
    "known_objectives",
    "objective_class",
    "register_objective",
    "stream_seed",
]

PLUGIN_GROUP = "mirrorenv.objectives"

Batch = Mapping[str, Tensor]
"""Columns of a minibatch by name, (B, T, N, ...) in agent order; `mask` is always among them."""
Metrics = dict[str, Tensor]
"""Scalars by name, without gradient."""


class HiddenStates(Protocol):
    """What a loss reads of whoever acts: `mirrorenv.population.actors.ActorOutput`, or `Hidden`."""

    @property
    def hidden(self) -> Mapping[str, Tensor]:
        """Hidden states by layer name, (B, T, N, H) each."""


class Hidden(NamedTuple):
    """Hidden states of a host that is no actor."""

    hidden: Mapping[str, Tensor]
    """By layer name, (B, T, N, H) each; N is 1 for a single model."""


@dataclass(frozen=True)
class Host:
    """What an objective is attached to."""

    layers: Mapping[str, int]
    """Width H of every hidden layer, by name."""
    num_agents: int = 1
    """N; 1 for a single model."""
    action_features: int = 0
    """Width of an action as features, 0 where there are no actions."""
    shape: PopulationShape | None = None
    """What the world fixes, if the host is a population."""
    observer: ObserverSettings = field(default_factory=ObserverSettings)
    """Sizes and step size that rewards' models have in common with the observers."""
    inputs: int = 0
    """D of the column `observations`, (B, T, N, D), where batches hold one."""
    module: nn.Module | None = None
    """What computes the hidden states: its parameters, whose gradients may be compared. None where
    the host hands over nothing."""
    run: Callable[[nn.Module, Batch], HiddenStates] | None = None
    """(a copy of `module`, batch) -> its hidden states, for targets that follow slowly. None where
    there is no such way."""
    states: Callable[[Population, Batch], tuple[HiddenStates, Batch]] | None = None
    """(population, batch) -> the host's hidden states and the columns in their shape, where these
    are not its actors' on the minibatch. None: they are."""

    def width(self, layer: str) -> int:
        """Width of a hidden layer.

        Raises:
            UnknownNameError: if there is no such layer; it names the closest.
        """
        if layer not in self.layers:
            raise unknown_name("hidden layer", layer, self.layers)
        return self.layers[layer]


class ObjectiveSettings(StrictModel):
    """What every entry of `population.auxiliaries` has; an objective adds settings of its own."""

    name: str
    """A registered objective, or package.module:Class."""
    weight: float = Field(default=1.0, ge=0)
    """Factor on the loss. 0 makes a probe of it: it is trained, reads detached hidden states and
    leaves everything else as it is, to the bit."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Adam step size of its own parameters."""
    grad_norm: float = Field(default=0.5, gt=0)
    """Largest gradient norm of its own parameters."""


class Objective(nn.Module):
    """A loss that a host learns from, and perhaps a reward.

    What belongs to it are its parameters and buffers: they have an optimiser group and a gradient
    clip of their own, and are kept in checkpoints under its name. It draws from `self.draws` alone,
    a stream that no one else reads.

    Args:
        settings: of the class's `Settings`.
        host: what it is attached to.
        generator: source of its initial weights.

    Attributes:
        Settings: the typed settings of this class.
        pays: whether `mirror.reward` may name it.
        discounted: whether what it pays is discounted by `learning.gamma` and goes on behind the
            end of an episode that was cut off.
        reads_output: whether its loss reads hidden states or anything else of the host's output.
        headline: the metric that progress and report show first; empty: the first by name.
        label: its name in checkpoints and optimisers.
        prefix: what the names of its metrics begin with; an auxiliary's label and a slash.
        weight: factor on its loss.
    """

    Settings: ClassVar[type[ObjectiveSettings]] = ObjectiveSettings
    pays: ClassVar[bool] = False
    discounted: ClassVar[bool] = True
    reads_output: ClassVar[bool] = True
    headline: ClassVar[str] = ""

    def __init__(self, settings: ObjectiveSettings, host: Host, generator: torch.Generator) -> None:
        super().__init__()
        self.settings = settings
        self.host = host
        self.label = settings.name
        self.prefix = ""
        self.weight = settings.weight
        self.grad_norm = settings.grad_norm
        self.draws = torch.Generator()

    # -- what every objective has ------------------------------------------------------------------

    def parts(self) -> dict[str, tuple[nn.Module | Iterable[nn.Parameter], float]]:
        """What it optimises: name -> (module or parameters, Adam step size). Own parameters, unless
        overridden."""
        return {self.label: (self, self.settings.learning_rate)}

    def loss(
        self, population: Population | None, output: HiddenStates, batch: Batch
    ) -> tuple[Tensor, Metrics]:
        """The loss of a minibatch.

        Args:
            population: the host, if it is one.
            output: the host on the minibatch; detached where the weight is 0.
            batch: the columns of the minibatch.

        Returns:
            a scalar, not yet weighted, and metrics.
        """
        raise NotImplementedError

    # -- what an objective may have ----------------------------------------------------------------

    def pay(self, population: Population, experience: Experience, lots: Lots) -> Floats32:
        """What every agent is paid at every step, where `mirror.reward` names this objective.

        Runs where episodes are played, with the weights they were played with.

        Args:
            population: who acted.
            experience: B episodes.
            lots: what was drawn for them: lineups, and a stream of random numbers.

        Returns:
            (B, T, N) float32, zero where the mask is False.
        """
        raise NotImplementedError

    def wants_gradients(self) -> bool:
        """Whether `after_gradients` is to be called in this update; asked before each."""
        return True

    def after_gradients(self, gradients: Mapping[str, Tensor]) -> None:
        """Called after each backward pass, before gradients are clipped.

        Args:
            gradients: of the host's parameters by name; changes in place are what is applied.
        """

    def after_update(self, output: HiddenStates, batch: Batch) -> None:
        """Called after each optimiser step: state that changes outside the loss, such as a codebook
        that follows its means. Learners see parts of the episodes: sum over them with
        `all_reduced`.

        Args:
            output: the host on the minibatch, detached. It is handed over, and not computed again.
            batch: the columns of the minibatch.
        """

    def learn(self, experience: Batch) -> None:
        """Called once before the updates of an iteration, without gradient.

        Args:
            experience: all columns of the iteration's episodes (of this learner's part of them),
                `rewards` among them.
        """

    @classmethod
    def feed_width(cls, settings: ObjectiveSettings, shape: PopulationShape) -> int:
        """F, how many numbers each agent is fed beside its next observation; 0: nothing."""
        return 0

    def feed(self, output: HiddenStates) -> Tensor:
        """What every agent is fed beside its next observation, (B, N, F), of the output of this
        step, (B, N, ...). The first step is fed zeros."""
        raise NotImplementedError

    def feed_slope(self, output: HiddenStates) -> Tensor | None:
        """What stands for `feed` where gradients are taken through it (straight-through), (B, T, N,
        F), of whole episodes; only its gradient counts. None: what is fed has no gradient."""
        return None

    def separately_clipped(self) -> list[tuple[nn.Parameter, Any]]:
        """Entries of its parameters, as (parameter, index), whose gradients are clipped apart from
        the rest."""
        return []

    def reseed(self, seed: int) -> None:
        """Set the stream of its random choices; called before each iteration."""
        self.draws.manual_seed(stream_seed(seed, self.label))


def stream_seed(seed: int, name: str) -> int:
    """The seed of a random stream, from a run's seed and the name of what draws from it."""
    sequence = np.random.SeedSequence([seed, zlib.crc32(name.encode())])
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


# -- the registry ----------------------------------------------------------------------------------

_OBJECTIVES: dict[str, type[Objective]] = {}
_looked_for = False
Made = TypeVar("Made", bound=type[Objective])


def register_objective(name: str) -> Callable[[Made], Made]:
    """Class decorator: make an objective available as an auxiliary of this name and, if it `pays`,
    under `mirror.reward`."""

    def add(made: Made) -> Made:
        _OBJECTIVES[name] = made
        return made

    return add


def known_objectives(*, paying: bool = False) -> dict[str, type[Objective]]:
    """Every registered objective by name, those of installed packages included.

    Args:
        paying: only those that `mirror.reward` may name.
    """
    global _looked_for
    if not _looked_for:
        _looked_for = True
        package = import_module("mirrorenv.population.objectives")
        for module in iter_modules(package.__path__):
            import_module(f"{package.__name__}.{module.name}")
        for room in modules_of_rooms("registered_objectives"):
            import_module(room)
        for point in entry_points(group=PLUGIN_GROUP):
            point.load()
    return {name: made for name, made in _OBJECTIVES.items() if made.pays or not paying}


def objective_class(name: str, *, paying: bool = False) -> type[Objective]:
    """The class behind a name.

    Args:
        name: registered, or `package.module:Class`, which is imported: name only code you trust.
        paying: whether it has to pay.

    Raises:
        UnknownNameError: if nothing of that name is registered.
        ConfigError: if the class cannot be imported, or is none, or does not pay.
    """
    if ":" in name:
        module, _, attribute = name.partition(":")
        try:
            made = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"the objective {name} cannot be imported: {error}") from error
        if not (isinstance(made, type) and issubclass(made, Objective)):
            raise ConfigError(f"{name} is no mirrorenv.population.objectives.Objective")
    else:
        known = known_objectives()
        if name not in known or (paying and not known[name].pays):
            kind = "reward" if paying else "objective"
            raise unknown_name(kind, name, known_objectives(paying=paying))
        made = known[name]
    if paying and not made.pays:
        raise ConfigError(f"mirror.reward = {name}: it pays nothing (`pays` is False)")
    return made


def build_objective(
    given: Mapping[str, JsonValue],
    host: Host,
    *,
    seed: int = 0,
    label: str = "",
    place: str = "objective",
    generator: torch.Generator | None = None,
) -> Objective:
    """An objective from plain settings.

    Args:
        given: `name`, `weight` and whatever else the objective knows.
        host: what it is attached to.
        seed: of its initial weights; the global random state is not touched.
        label: its name in checkpoints, optimisers and metrics; by default the objective's.
        place: what messages call these settings.
        generator: source of the initial weights in place of one that follows from `seed`.

    Raises:
        ConfigError: for an unknown setting (with the closest known ones) or a wrong value.
        UnknownNameError: if no objective of that name is registered.
    """
    settings = objective_settings(given, place)
    made = objective_class(settings.name)
    label = label or settings.name.rpartition(":")[2]
    own = stream_seed(seed, label)
    # torch's own layers draw their weights from the global stream, which others read, too
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(own)
        built = made(settings, host, generator or torch.Generator().manual_seed(own))
    built.label = label
    built.prefix = f"{label}/"
    built.reseed(seed)
    return built


def objective_settings(given: Mapping[str, JsonValue], place: str) -> ObjectiveSettings:
    """The typed settings of an entry; see `build_objective`."""
    if not isinstance(given.get("name"), str):
        raise ConfigError(f"{place} has no name: write it as {{name: ..., weight: 1.0}}")
    return objective_class(str(given["name"])).Settings.checked(given, place)
