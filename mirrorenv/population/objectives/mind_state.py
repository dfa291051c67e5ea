"""An agent predicts its own next mind state: the number of its hidden state in a codebook, which
may be fed back to it.

The idea is dant2021/mindstates: k-means over hidden states, and a token of the predicted cluster.
There the token stands behind everything that is scored and cannot matter, the predictor sees the
clusters it is to predict, and each refit renumbers them. Here a code is part of the next step's
input, prediction is causal, and codes keep their numbers.

Shapes: B episodes, T time, N agents, H hidden, A action features, K codes, R rows.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from mirrorenv.errors import ConfigError
from mirrorenv.population.objectives.base import (
    Batch,
    HiddenStates,
    Host,
    Metrics,
    ObjectiveSettings,
    register_objective,
)
from mirrorenv.population.objectives.codebook import Codebook, FiniteScalars, cross_counts
from mirrorenv.population.objectives.inward import (
    Inward,
    InwardSettings,
    by_agent,
    live_pairs,
    masked_mean,
    of_agents,
)
from mirrorenv.population.objectives.targets import (
    CausalPool,
    StackedHead,
    action_features,
    random_features,
    shuffled,
)
from mirrorenv.population.objectives.updates import all_reduced
from mirrorenv.population.population import Population
from mirrorenv.population.settings import PopulationShape

__all__ = ["MindState", "MindStateSettings"]

FIT_ROWS = 2048
"""Most rows of an agent that a codebook is fitted on."""
EASED = 0.03
"""warm: share of the way to the means of the last refit that codes go in each update."""
TRANSITIONS_KEPT = 0.95
"""Share of the counted transitions that stays in each update."""


class MindStateSettings(InwardSettings):
    """Of mind states."""

    weight: float = Field(default=0.1, ge=0)
    """Factor on the loss; 0 makes a probe of it."""
    learning_rate: float = Field(default=1e-2, gt=0)
    """Adam step size of the predictor, which has to keep up with its codes."""
    codes: int = Field(default=25, ge=2, le=4096)
    """K; with refit = fsq, K is the product of `levels`."""
    refit: Literal["ema", "warm", "hungarian", "naive", "never", "fsq"] = "ema"
    """How codes follow hidden states: moving averages in every update, k-means from the present
    codes (its means are approached over some updates), fresh k-means numbered alike, fresh k-means
    as it comes, not at all, or finite scalar quantisation without a codebook."""
    warm_up: int = Field(default=5, ge=0)
    """Updates before codes are first fitted, by k-means on the minibatch."""
    refit_every: int = Field(default=100, ge=1)
    """Updates between refits of warm, hungarian and naive."""
    follow: float = Field(default=0.99, ge=0, lt=1)
    """Share of a moving average that stays in each update (ema, fsq)."""
    revive: float = Field(default=0.1, ge=0, lt=1)
    """ema: a code that stands for less than this share of an even share of rows is put on a row of
    the minibatch."""
    settle: int = Field(default=5, ge=0)
    """Updates before a revived code is a target again."""
    levels: tuple[int, ...] = (5, 5)
    """fsq: levels of each coordinate."""
    target: Literal["codes", "random", "shuffled"] = "codes"
    """What is predicted, or a control in its place: random (a fixed random choice among K by the
    observation), shuffled (the codes of other steps)."""
    ahead: int = Field(default=1, ge=0)
    """Steps between what is read and the code that is predicted: 1, 4, 8, or 0 for its own."""
    action: bool | None = None
    """Whether the predictor is told the action; None: if there are actions, and it does not feed
    predictions."""
    predictor: Literal["linear", "mlp", "attention"] = "linear"
    """What predicts; attention pools this and earlier steps before an mlp."""
    hidden: int = Field(default=64, ge=1)
    """Units of the mlp and of attention's."""
    fed: Literal["none", "constant", "random", "true", "predicted"] = "none"
    """What is fed beside the next observation: nothing, one code whatever happens, a pseudo-random
    function of the hidden state (so that replays agree), the code of this step, or the code that
    is predicted for the next."""
    straight_through: bool = False
    """fed = predicted: whether the next step's gradient goes through the fed code to what predicted
    it (straight-through, Bengio et al. 2013: the code forwards, its probabilities backwards)."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.fed == "predicted" and self.action:
            raise ValueError("a prediction is fed before there is an action: set action to false")
        if self.fed == "predicted" and self.predictor == "attention":
            raise ValueError(
                "attention reads earlier steps, which are gone when a prediction is "
                "fed: set predictor to linear or mlp"
            )
        if self.straight_through and self.fed != "predicted":
            raise ValueError(
                "straight_through is for fed = predicted: no other code has a gradient"
            )
        if any(count < 2 for count in self.levels) or not self.levels:
            raise ValueError("levels are 2 or more for each coordinate")
        return self

    @property
    def size(self) -> int:
        """K."""
        return math.prod(self.levels) if self.refit == "fsq" else self.codes


@register_objective("mind_state")
class MindState(Inward):
    """Cross-entropy of one's own code some steps ahead, in nats, mean over steps and agents.

    Logged besides what all that look inward log: `cross_entropy` and `over_entropy` (it over the
    entropy of the codes), `accuracy`, `lift_copy` (accuracy beyond naming the present code),
    `lift_markov` (nats better than counted transitions), `codes_used`, `perplexity`, `revived`.
    """

    Settings: ClassVar[type[ObjectiveSettings]] = MindStateSettings
    headline = "over_entropy"
    age: Tensor
    transitions: Tensor
    revived: Tensor
    projection: Tensor

    def __init__(self, settings: MindStateSettings, host: Host, generator: torch.Generator) -> None:
        super().__init__(settings, host, generator)
        self.own = settings
        self._newest: tuple[Tensor, Tensor] | None = None
        agents = host.num_agents
        size = settings.size
        if settings.fed != "none" and settings.host != "actors":
            raise ConfigError(
                f"{settings.name}: fed = {settings.fed} is for actors; observers are fed nothing"
            )
        if settings.action and not host.action_features:
            raise ConfigError(f"{settings.name}: action = true, and its host takes no actions")
        wanted = settings.fed != "predicted" if settings.action is None else settings.action
        self.reads_action = wanted and host.action_features > 0
        self.book: Codebook | FiniteScalars = (
            FiniteScalars(agents, settings.levels, self.width, generator)
            if settings.refit == "fsq"
            else Codebook(agents, size, self.width, generator)
        )
        attention = settings.predictor == "attention"
        self.pool = CausalPool(agents, self.width, generator) if attention else None
        reads = self.width + (host.action_features if self.reads_action else 0)
        units = 0 if settings.predictor == "linear" else settings.hidden
        self.head = StackedHead(agents, reads, units, size, generator)
        self.register_buffer("age", torch.zeros(agents, size, dtype=torch.int64))
        self.register_buffer("transitions", torch.ones(agents, size, size))
        self.register_buffer("revived", torch.zeros(()))
        if settings.target == "random":
            if not host.inputs:
                raise ConfigError(
                    f"{settings.name}: target = random is made of what the host sees, and this one "
                    "lists no inputs"
                )
            projection = torch.randn(host.inputs + 1, size, generator=generator)
            self.register_buffer("projection", projection)

    # -- what is predicted -------------------------------------------------------------------------

    def states(self, hidden: Tensor) -> Tensor:
        """What codes stand for: (B, T, N, H) -> (N, B*T, H), normalised, without gradient."""
        return by_agent(nn.functional.layer_norm(hidden.detach(), hidden.shape[-1:]))

    def codes_of(self, hidden: Tensor) -> Tensor:
        """The code of every step: (B, T, N, H) -> (B, T, N) int64."""
        codes = self.book.assign(self.states(hidden)).unsqueeze(-1)
        return of_agents(codes, len(hidden)).squeeze(-1)

    def inward_loss(
        self, population: Population | None, output: HiddenStates, batch: Batch
    ) -> tuple[Tensor, Metrics]:
        """See `Inward.inward_loss`."""
        hidden = output.hidden[self.layer]
        ahead = self.own.ahead
        batch_size, time = hidden.shape[:2]
        self._check_size(batch_size, time)
        states = self.states(hidden)
        codes = of_agents(self.book.assign(states).unsqueeze(-1), batch_size).squeeze(-1)
        self._newest = states, codes  # of the same hidden states that come after the update
        live = live_pairs(batch["mask"], ahead)  # (B, T', N)
        target = self._target(codes, batch, live)
        reads = hidden if self.pool is None else self.pool(hidden)
        if self.reads_action:
            reads = torch.cat([reads, action_features(self.host, batch)], -1)
        logits = of_agents(self.head(by_agent(reads[:, : time - ahead])), batch_size)
        trusted = live * self._trusted(target)
        log_p = logits.log_softmax(-1)  # (B, T', N, K)
        loss = -masked_mean(log_p.gather(-1, target.unsqueeze(-1)).squeeze(-1), trusted)
        return loss, self._figures(loss, log_p, target, codes[:, : time - ahead], live)

    def _target(self, codes: Tensor, batch: Batch, live: Tensor) -> Tensor:
        """(B, T', N) int64."""
        if self.own.target == "random":
            features = random_features(batch["observations"], self.projection)
            return features.argmax(-1)[:, self.own.ahead :]
        target = codes[:, self.own.ahead :]
        if self.own.target == "shuffled":
            target = shuffled(target.unsqueeze(-1), live, self.draws).squeeze(-1)
        return target

    def _trusted(self, target: Tensor) -> Tensor:
        """Which targets are old enough to be believed, (B, T', N) float32."""
        if self.own.target == "random" or self.own.refit == "fsq":
            return torch.ones_like(target, dtype=torch.float32)
        young = (self.age < self.own.settle).float()  # (N, K)
        agents = torch.arange(self.num_agents, device=target.device)
        return 1.0 - young[agents, target]

    def _check_size(self, batch: int, time: int) -> None:
        if self.own.refit != "fsq" and self.own.codes > batch * time:
            raise ConfigError(
                f"{self.label}: codes = {self.own.codes}, and a minibatch holds {batch * time} "
                f"steps of an agent ({batch} episodes of {time}), too few to fit them on: lower "
                "codes, or raise learning.minibatch_episodes"
            )
        if self.own.ahead >= time:
            raise ConfigError(
                f"{self.label}: ahead = {self.own.ahead}, and an episode has {time} steps: lower it"
            )

    @torch.no_grad()
    def _figures(
        self, loss: Tensor, log_p: Tensor, target: Tensor, now: Tensor, live: Tensor
    ) -> Metrics:
        size = log_p.shape[-1]
        rows = by_agent(target.unsqueeze(-1)).squeeze(-1)
        weight = by_agent(live.unsqueeze(-1)).squeeze(-1)  # (N, R)
        counts = torch.zeros(self.num_agents, size, device=target.device)
        counts.scatter_add_(1, rows, weight)
        share = counts / counts.sum(1, keepdim=True).clamp_min(1.0)
        entropy = torch.special.entr(share).sum(1)  # (N,)
        accuracy = masked_mean((log_p.max(-1).indices == target).float(), live)
        copied = masked_mean((now == target).float(), live)
        chain = (self.transitions / self.transitions.sum(-1, keepdim=True)).log()
        agents = torch.arange(self.num_agents, device=target.device)
        markov = -masked_mean(chain[agents, now, target], live)
        plain = -masked_mean(log_p.gather(-1, target.unsqueeze(-1)).squeeze(-1), live)
        return {
            "over_entropy": plain / entropy.mean().clamp_min(1e-6),
            "cross_entropy": loss.detach(),
            "accuracy": accuracy,
            "lift_copy": accuracy - copied,
            "lift_markov": markov - plain,
            "codes_used": (counts > 0).float().sum(1).mean(),
            "perplexity": entropy.exp().mean(),
            "revived": self.revived.clone(),
        }

    # -- how codes change --------------------------------------------------------------------------

    def after_inward(self, output: HiddenStates, batch: Batch) -> None:
        """See `Inward.after_inward`: codes are fitted, refitted, or follow."""
        hidden = output.hidden[self.layer]
        live = by_agent(batch["mask"].unsqueeze(-1)).squeeze(-1).gt(0).float()  # (N, R)
        rows, found = self._newest or (self.states(hidden), self.codes_of(hidden))
        self._newest = None
        codes = by_agent(found.unsqueeze(-1)).squeeze(-1)  # (N, R)
        self._count(found, batch)
        if isinstance(self.book, FiniteScalars):
            self.book.follow(rows, live, self.own.follow if self._known().updates else 0.0)
            return
        self.age += 1
        updates = self._known().updates
        policy = self.own.refit
        if updates == self.own.warm_up:
            self.book.fit(self._some(rows, live), self.draws)
            self.transitions.fill_(1.0)
        elif policy == "ema" and updates > self.own.warm_up:
            self.book.follow(rows, codes, live, self.own.follow)
            dead = self.book.dead(self.own.revive)
            if _unseen(dead) or dead.any():
                self.book.revive(dead, self._some(rows, live), self.draws)
                self.age.masked_fill_(dead, 0)
                self.revived += dead.float().sum()
        elif updates > self.own.warm_up and updates % self.own.refit_every == 0:
            self._refit(self._some(rows, live))
        if policy == "warm" and updates > self.own.warm_up:
            self.book.ease(EASED)

    def _refit(self, rows: Tensor) -> None:
        assert isinstance(self.book, Codebook)
        if self.own.refit == "warm":
            self.book.refit_warm(rows)
        elif self.own.refit == "hungarian":
            self.book.refit_matched(rows, self.draws)
        elif self.own.refit == "naive":
            self.book.fit(rows, self.draws)

    def _some(self, rows: Tensor, live: Tensor) -> Tensor:
        """Rows to fit on: those that happened, drawn again where an agent has fewer, (N, R', H)."""
        order = (live <= 0).long().argsort(stable=True, dim=1)  # (N, R), what happened first
        happened = live.sum(1).long().clamp_min(1)  # (N,)
        most = live.shape[1] if _unseen(live) else int(happened.max())
        size = max(self.book.size, min(FIT_ROWS, most))
        spread = torch.arange(size, device=rows.device) * happened.unsqueeze(1) // size
        index = order.gather(1, spread)  # (N, R'), evenly over what happened
        return rows.gather(1, index.unsqueeze(-1).expand(-1, -1, rows.shape[-1]))

    def _count(self, codes: Tensor, batch: Batch) -> None:
        """Transitions of codes (B, T, N), over all learners."""
        ahead = self.own.ahead
        live = live_pairs(batch["mask"], ahead)
        target = self._target(codes, batch, live)
        now = codes[:, : codes.shape[1] - ahead]
        one, other, weight = (by_agent(x.unsqueeze(-1)).squeeze(-1) for x in (now, target, live))
        met = all_reduced(cross_counts(one, other, self.book.size, weight))
        self.transitions.mul_(TRANSITIONS_KEPT).add_(met).clamp_min_(1e-3)

    # -- what is fed back --------------------------------------------------------------------------

    @classmethod
    def feed_width(cls, settings: ObjectiveSettings, shape: PopulationShape) -> int:
        """See `Objective.feed_width`: K, or nothing."""
        assert isinstance(settings, MindStateSettings)
        return 0 if settings.fed == "none" else settings.size

    @torch.no_grad()
    def feed(self, output: HiddenStates) -> Tensor:
        """See `Objective.feed`: one code of K, (B, N, K)."""
        hidden = output.hidden[self.layer].unsqueeze(1)  # (B, 1, N, H)
        kind = self.own.fed
        if kind == "true":
            code = self.codes_of(hidden)
        elif kind == "predicted":
            code = of_agents(self.head(by_agent(hidden)), len(hidden)).argmax(-1)
        elif kind == "random":
            code = _scrambled(hidden, self.book.size)
        else:
            code = hidden.new_zeros(hidden.shape[:3], dtype=torch.int64)
        return nn.functional.one_hot(code.squeeze(1), self.book.size).to(hidden.dtype)

    def feed_slope(self, output: HiddenStates) -> Tensor | None:
        """See `Objective.feed_slope`: the probabilities of the predicted codes."""
        if not self.own.straight_through:
            return None
        hidden = output.hidden[self.layer]
        return of_agents(self.head(by_agent(hidden)), len(hidden)).softmax(-1)


def _unseen(tensor: Tensor) -> bool:
    """Whether the host would have to wait for a look at it."""
    return tensor.device.type != "cpu"


def _scrambled(hidden: Tensor, codes: int) -> Tensor:
    """A code that looks random and is the same for the same hidden state: (..., H) -> (...)."""
    place = torch.arange(1, hidden.shape[-1] + 1, device=hidden.device, dtype=torch.float64)
    mixed = (hidden.double() * torch.sin(place * 12.9898)).sum(-1) * 437.585453
    return ((mixed - mixed.floor()) * codes).floor().long().clamp(0, codes - 1)
