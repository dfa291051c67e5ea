"""A population: N actors and their N observer heads, in one torch module.

Shapes: B batch, T time, N agents, K lineup slots (K = N), J observers (J = N), D observation.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from mirrorenv.errors import ConfigError, TrainingError
from mirrorenv.population.actors import Actor, ActorOutput, build_actor
from mirrorenv.population.columns import as_floats
from mirrorenv.population.objectives.base import (
    Batch,
    Hidden,
    HiddenStates,
    Host,
    Metrics,
    Objective,
    build_objective,
    objective_class,
    objective_settings,
)
from mirrorenv.population.objectives.feeding import FED, FedActor
from mirrorenv.population.objectives.updates import sum_of_losses
from mirrorenv.population.observers import (
    LineupTensors,
    build_head,
    check_reads_neighbourhoods,
)
from mirrorenv.population.settings import PopulationSettings, PopulationShape

__all__ = ["Population", "lineup_tensors"]


class Population(nn.Module):
    """Who acts (`actor`), who recognises (`observers`), and what both learn from (`objectives`).

    Args:
        shape: what the world fixes.
        settings: what the user chose.
        seed: seed of the initial weights; the global random state is not touched.

    Attributes:
        auxiliaries: the objectives in `population.auxiliaries`, part of every checkpoint.
        objectives: what it learns from, set by `mirrorenv.population.learning.set_objectives`.
        paying: label of the objective that `mirror.reward` names; empty for the mirror.
        observers_paid: whether somebody is paid for what the observers believe. If not, they read
            the actors' trunks detached.
        fast: whether updates are computed as `learning.update = "fast"` has it.

    Raises:
        UnknownNameError: if no actor or head of the names in the settings is registered.
        ConfigError: for an auxiliary that is unknown or has a wrong setting, or if observers are to
            read through an actor that has no trunk.
    """

    objectives: dict[str, Objective]

    def __init__(self, shape: PopulationShape, settings: PopulationSettings, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.shape = shape
        self.settings = settings
        fed = self._fed_widths()
        wider = {"observation_size": shape.observation_size + sum(fed)}
        self.actor = build_actor(shape.model_copy(update=wider), settings, generator)
        reads_trunk = settings.observer.trunk != "separate"
        if reads_trunk and not self.actor.trunk_width:
            raise ConfigError(
                f"population.actor = {settings.actor!r} has no trunk that observers can read "
                "through: set population.observer.trunk to separate"
            )
        width = self.actor.trunk_width
        self.observers = build_head(shape, settings.observer, width, generator)
        self.observers_paid = True
        self.fast = False
        self.objectives = {}
        self.paying = ""
        self.auxiliaries = nn.ModuleDict(self._auxiliaries(seed))
        if any(fed):
            feeders = zip((one for _, one in self.named_auxiliaries()), fed, strict=True)
            self.actor = FedActor(self.actor, [(one, width) for one, width in feeders if width])

    # -- objectives --------------------------------------------------------------------------------

    def named_auxiliaries(self) -> Iterator[tuple[str, Objective]]:
        """The auxiliaries by label, in the order of the settings."""
        for label, one in self.auxiliaries.items():
            assert isinstance(one, Objective)
            yield label, one

    @torch.no_grad()
    def host(self) -> Host:
        """What an objective is told of this population: found out by one step of its actors."""
        device = next(self.actor.parameters()).device
        fed = self.actor.width if isinstance(self.actor, FedActor) else sum(self._fed_widths())
        inner = self.actor.inner if isinstance(self.actor, FedActor) else self.actor
        size = self.shape.observation_size + fed
        seen = torch.zeros(1, self.shape.num_agents, size, device=device)
        output, _ = inner.step(seen, inner.initial_state(1))
        return Host(
            layers={name: layer.shape[-1] for name, layer in output.hidden.items()},
            num_agents=self.shape.num_agents,
            action_features=self.shape.action_features,
            shape=self.shape,
            observer=self.settings.observer,
            inputs=self.shape.observation_size,
            module=inner,
            run=_run_copy,
        )

    def observer_host(self) -> Host:
        """What an objective is told of this population's observers; see `Head.states`.

        Raises:
            ConfigError: if the head shows no hidden layer.
        """
        head = self.settings.observer.head
        if not self.observers.state_width:
            raise ConfigError(
                f"host = observers: head {head} has no `states`, the hidden layer to read"
            )
        return Host(
            layers={"observer": self.observers.state_width},
            num_agents=self.shape.num_agents,
            observer=self.settings.observer,
            inputs=self.shape.observation_size + self.shape.action_features,
            module=self.observers,
            states=_observer_states,
        )

    def _fed_widths(self) -> list[int]:
        """How many numbers each auxiliary feeds back."""
        widths = []
        for number, given in enumerate(self.settings.auxiliaries):
            settings = objective_settings(given, f"population.auxiliaries[{number}]")
            widths.append(objective_class(settings.name).feed_width(settings, self.shape))
        if any(widths) and self.settings.observer.trunk != "separate":
            raise ConfigError(
                "an auxiliary that feeds something back changes what the actors' trunks read, so "
                "observers cannot read through them: set population.observer.trunk to separate"
            )
        return widths

    def _auxiliaries(self, seed: int) -> dict[str, Objective]:
        """The objectives that the settings list, by label: the name, with a number from the second
        of one name on."""
        if not self.settings.auxiliaries:
            return {}
        hosts = {"actors": self.host, "observers": self.observer_host}
        made: dict[str, Objective] = {}
        names: list[str] = []
        for number, given in enumerate(self.settings.auxiliaries):
            name = str(given["name"]).rpartition(":")[2]
            names.append(name)
            twin = names.count(name)
            label = name if twin == 1 else f"{name}-{twin}"
            place = f"population.auxiliaries[{number}]"
            host = hosts.get(str(given.get("host")), self.host)()
            made[label] = build_objective(given, host, seed=seed, label=label, place=place)
        return made

    def output(self, batch: Batch) -> ActorOutput:
        """The actors on whole episodes, as they were fed: (B, T, N, ...)."""
        return self.actor.sequence(_as_fed(batch), batch["mask"])

    def loss(self, batch: Batch, output: HiddenStates | None = None) -> tuple[Tensor, Metrics]:
        """The sum of all objectives' losses on a minibatch: what everybody who trains calls.

        Args:
            batch: columns of whole episodes, see `mirrorenv.population.train_batch`.
            output: what acts on them; these actors themselves, if it is not given.

        Returns:
            a scalar, and metrics by name without gradient.

        Raises:
            TrainingError: if no one has said what is learned from.
        """
        if not self.objectives:
            raise TrainingError(
                "this population has no objective: call mirrorenv.population.learning."
                "set_objectives first"
            )
        if output is None:
            asked = any(objective.reads_output for objective in self.objectives.values())
            output = self.output(batch) if asked else Hidden({})
        return sum_of_losses(self.objectives, self, output, batch)

    @property
    def payer(self) -> Objective | None:
        """The objective that pays `mirror.reward`; None before `learning.set_objectives`."""
        return self.objectives.get(self.paying)

    def reseed(self, seed: int) -> None:
        """Fix the random choices of the next updates; called before each iteration, so that a
        resumed run agrees."""
        for objective in self.objectives.values():
            objective.reseed(seed)

    # -- recognition -------------------------------------------------------------------------------

    def evidence(self, lineup: LineupTensors, observers: Tensor | None = None) -> Tensor:
        """What observers make of every slot after every step.

        Args:
            lineup: one for all observers, or one for each of them.
            observers: (J',) int64, only these, on one lineup for all; None: all N.

        Returns:
            (B, T, J, K, C) evidence in nats that slot k was made by candidate c; C = N where all
            agents are candidates. See `Head.evidence`.

        Raises:
            ConfigError: if each observer has candidates of its own, and the head cannot read that.
        """
        lineup = self.hide_unread(lineup)
        if lineup.shared:
            return self._read(lineup, slice(None) if observers is None else observers)
        if lineup.candidates is None:  # the order alone is each observer's own: one at a time
            each = (self._read(lineup.of(j), slice(j, j + 1)) for j in range(len(lineup.mask)))
            return torch.cat(list(each), 2)
        check_reads_neighbourhoods(self.settings.observer)
        evidence = self.observers.evidence(lineup)  # (B, T, J, K, N), or of candidates
        if self.observers.names_candidates:
            return evidence
        columns = lineup.candidates[:, None, :, None, :]
        return evidence.gather(4, columns.expand(*evidence.shape[:4], -1))

    def _read(self, lineup: LineupTensors, observers: slice | Tensor) -> Tensor:
        """Evidence (B, T, J', K, N) of some observers about one lineup."""
        own = self._own_log_probability(lineup) if self.observers.needs_own else None
        hidden = self.trunks(lineup)
        if isinstance(observers, slice) and observers == slice(None):
            return self.observers.evidence(lineup, hidden, own)
        return self.observers.evidence_of(observers, lineup, hidden, own)

    def trunks(self, lineup: LineupTensors) -> Tensor | None:
        """What the observers are given of the actors' trunks; None where they read observations."""
        if not self.observers.reads_hidden:
            return None
        hidden = self.actor.read(lineup.observations)
        stopped = self.settings.observer.trunk == "stopped" or not self.observers_paid
        return hidden.detach() if stopped else hidden

    def hide_unread(self, lineup: LineupTensors) -> LineupTensors:
        """The lineup with zeros in the place of what observers do not read (`observer.reads`)."""
        reads = self.settings.observer.reads
        if reads == "observations":
            return lineup._replace(actions=torch.zeros_like(lineup.actions))
        if reads == "actions":
            return lineup._replace(observations=torch.zeros_like(lineup.observations))
        return lineup

    @torch.no_grad()
    def _own_log_probability(self, lineup: LineupTensors) -> Tensor:
        """How probable observer j's own policy finds slot k's step, (B, T, J, K), by its present
        weights."""
        actions = self.shape.actions.from_features(lineup.actions)
        return self.actor.replay_log_probability(lineup.observations, actions).transpose(2, 3)

    def action_features(self, actions: Tensor) -> Tensor:
        """Actions (..., *shape) as observers read them, (..., A) float32."""
        return self.shape.actions.features(actions)


def _as_fed(batch: Batch) -> Tensor:
    """What actors saw, and what objectives fed them beside it: (B, T, N, D + F)."""
    observations = batch["observations"]
    return torch.cat([observations, batch[FED]], -1) if FED in batch else observations


def _run_copy(module: nn.Module, batch: Batch) -> HiddenStates:
    """Hidden states of a copy of the actors."""
    assert isinstance(module, Actor)
    return module.sequence(_as_fed(batch), batch["mask"])


def _observer_states(population: Population, batch: Batch) -> tuple[HiddenStates, Batch]:
    """The observers' hidden layer on a minibatch's lineups, (B*K, T, J, H): each slot an episode.

    Raises:
        ConfigError: if each observer has a lineup of its own.
    """
    authors = batch["permutation"]  # (B, J, K)
    if authors.shape[1] > 1:
        raise ConfigError(
            "host = observers: here every observer has a lineup of its own, and auxiliaries read "
            "one that all observers see"
        )
    columns = (batch["observations"], batch["actions"], batch["mask"])
    lineup = population.hide_unread(lineup_tensors(population, *columns, authors))
    states = population.observers.states(lineup, population.trunks(lineup))  # (J, T, B*K, H)
    observers = len(states)

    def by_slot(x: Tensor) -> Tensor:
        """(B, T, K, X) -> (B*K, T, J, X)."""
        return x.transpose(1, 2).flatten(0, 1).unsqueeze(2).expand(-1, -1, observers, -1)

    shown = {
        "observations": by_slot(lineup.features()),
        "mask": by_slot(lineup.mask.unsqueeze(-1)).squeeze(-1),
    }
    return Hidden({"observer": states.permute(2, 1, 0, 3)}), shown


def lineup_tensors(
    population: Population,
    observations: Tensor,
    actions: Tensor,
    mask: Tensor,
    authors: Tensor,
    candidates: Tensor | None = None,
) -> LineupTensors:
    """Shuffle author-ordered episodes into lineups.

    Args:
        population: knows how actions are encoded.
        observations: (B, T, N, D) float32 or uint8.
        actions: (B, T, N, ...) as the population's layout holds them.
        mask: (B, T, N) bool or float32.
        authors: (B, J, K) int64, whose trajectory stands in each slot; J = 1 for one lineup that
            all observers read.
        candidates: (B, J, C) int64, which agents each observer may name; None: all agents.

    Returns:
        lineups (B, T, K, ...) if J = 1, else (J, B, T, K, ...).
    """
    batch, observers, slots = authors.shape
    time = mask.shape[1]
    index = authors.reshape(batch, 1, observers * slots, 1)

    def shuffle(x: Tensor) -> Tensor:
        """(B, T, N, X) -> (J, B, T, K, X), or (B, T, K, X)."""
        chosen = x.gather(2, index.expand(-1, time, -1, x.shape[-1]))
        if observers == 1:
            return chosen
        return chosen.view(batch, time, observers, slots, -1).permute(2, 0, 1, 3, 4)

    live = shuffle(mask.to(torch.float32).unsqueeze(-1)).squeeze(-1)
    features = population.action_features(actions)
    return LineupTensors(as_floats(shuffle(observations)), shuffle(features), live, candidates)
