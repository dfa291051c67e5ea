"""An agent predicts its own next mind state: the number of its hidden state in a codebook, which
may be fed back to it.

The idea is dant2021/mindstates: k-means over hidden states, and a token of the predicted cluster.
There the token stands behind everything that is scored and cannot matter, the predictor sees the
clusters it is to predict, and each refit renumbers them. Here a code is part of the next step's
input, prediction is causal, and codes keep their numbers.

Shapes: B episodes, T time, N agents, H hidden, A action features, K codes, R rows.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
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
from mirrorenv.population.objectives.codebook import (
    Codebook,
    FiniteScalars,
    cross_counts,
    sums_by_code,
)
from mirrorenv.population.objectives.fused_inward import (
    Reads,
    nearest_columns,
    normalised_rows,
    predicted_names,
    sums_by_place,
)
from mirrorenv.population.objectives.inward import (
    Inward,
    live_pairs,
    masked_mean,
)
from mirrorenv.population.objectives.mind_state_settings import MindStateSettings
from mirrorenv.population.objectives.rows import by_agent, by_step, of_agents
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


class _Seen(NamedTuple):
    """What is known of a minibatch's hidden states; of R rows, M have a step `ahead` of them."""

    states: Tensor
    """(N, R, H), what codes stand for."""
    codes: Tensor
    """(N, R) int64."""
    live: Tensor
    """(N, R) float32, the steps that happened."""
    now: Tensor
    """(N, M) int64, codes of the steps that are predicted from."""
    target: Tensor
    """(N, M) int64, what is to be predicted."""
    pairs: Tensor
    """(N, M) float32, where both happened."""
    fast: bool = False
    """Whether an update may be computed in other arithmetic."""


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
        self._newest: _Seen | None = None
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
        self._check_size(*hidden.shape[:2])
        if population is not None and population.fast and self._fusable:
            return self._fused(hidden, batch)
        seen = self._look(hidden, batch)
        reads = hidden if self.pool is None else self.pool(hidden)
        if self.reads_action:
            reads = torch.cat([reads, action_features(self.host, batch)], -1)
        time = hidden.shape[1] - self.own.ahead
        log_p = self.head(by_agent(reads[:, :time])).log_softmax(-1)  # (N, M, K)
        chosen = log_p.gather(-1, seen.target.unsqueeze(-1)).squeeze(-1)
        loss = -masked_mean(chosen, seen.pairs * self._trusted(seen.target))
        right = log_p.detach().max(-1).indices == seen.target
        self._newest = seen  # of the same hidden states that come after the update
        return loss, self._figures(loss, chosen, right, seen)

    @property
    def _fusable(self) -> bool:
        """Whether `_fused` knows what is read and predicted."""
        return self.own.target == "codes" and self.pool is None and isinstance(self.book, Codebook)

    def _fused(self, hidden: Tensor, batch: Batch) -> tuple[Tensor, Metrics]:
        """`inward_loss` with codes as columns, rows as they are in memory."""
        assert isinstance(self.book, Codebook)
        rows = by_step(hidden)  # (N, T*B, H)
        states = normalised_rows(rows.detach()).written()
        codes = nearest_columns(states, self.book.codes)  # (N, T*B)
        time = hidden.shape[1] - self.own.ahead
        later = self.own.ahead * len(hidden)
        seen = _Seen(
            states,
            codes,
            live=_steps((batch["mask"] > 0).float()),
            now=codes[:, : codes.shape[1] - later],
            target=codes[:, later:],
            pairs=_steps(live_pairs(batch["mask"], self.own.ahead)),
            fast=True,
        )
        told = by_step(action_features(self.host, batch)[:, :time]) if self.reads_action else None
        reads = self.head.before_output(Reads(rows, told))
        last = self.head.output
        trusted = seen.pairs * self._trusted(seen.target)
        loss, chosen, right = predicted_names(reads, last.weight, last.bias, seen.target, trusted)
        self._newest = seen
        return loss, self._figures(loss, chosen, right, seen)

    def _look(self, hidden: Tensor, batch: Batch) -> _Seen:
        """What there is to predict, of hidden states (B, T, N, H)."""
        states = self.states(hidden)
        codes = self.book.assign(states)
        every = of_agents(codes.unsqueeze(-1), len(hidden)).squeeze(-1)  # (B, T, N)
        live = live_pairs(batch["mask"], self.own.ahead)  # (B, T', N)
        return _Seen(
            states,
            codes,
            live=_rows((batch["mask"] > 0).float()),
            now=_rows(every[:, : live.shape[1]]),
            target=_rows(self._target(every, batch, live)),
            pairs=_rows(live),
        )

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
        """Which targets are old enough to be believed, (N, M) float32."""
        if self.own.target == "random" or self.own.refit == "fsq":
            return torch.ones_like(target, dtype=torch.float32)
        settled = (self.age >= self.own.settle).float()  # (N, K)
        return settled.gather(1, target)

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
    def _figures(self, loss: Tensor, chosen: Tensor, right: Tensor, seen: _Seen) -> Metrics:
        """What is logged, of log probabilities of the targets and what was named right, (N, M)."""
        target = seen.target
        now = seen.now
        live = seen.pairs
        size = self.book.size
        counts = torch.zeros(self.num_agents, size, device=target.device)
        counts.scatter_add_(1, target, live)
        share = counts / counts.sum(1, keepdim=True).clamp_min(1.0)
        entropy = torch.special.entr(share).sum(1)  # (N,)
        accuracy = masked_mean(right.float(), live)
        copied = masked_mean((now == target).float(), live)
        chain = (self.transitions / self.transitions.sum(-1, keepdim=True)).log()
        markov = -masked_mean(chain.flatten(1).gather(1, now * size + target), live)
        plain = -masked_mean(chosen, live)
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
        seen = self._newest or self._look(output.hidden[self.layer], batch)
        self._newest = None
        rows = seen.states
        live = seen.live
        met = all_reduced(cross_counts(seen.now, seen.target, self.book.size, seen.pairs))
        self.transitions.mul_(TRANSITIONS_KEPT).add_(met).clamp_min_(1e-3)
        if isinstance(self.book, FiniteScalars):
            self.book.follow(rows, live, self.own.follow if self._known().updates else 0.0)
            return
        self.age += 1
        updates = self._known().updates
        policy = self.own.refit
        if updates == self.own.warm_up:
            self.book.fit(_at(rows, self._some(live)), self.draws)
            self.transitions.fill_(1.0)
        elif policy == "ema" and updates > self.own.warm_up:
            summed = sums_by_place if seen.fast and not _unseen(rows) else sums_by_code
            sums, counts = summed(rows, seen.codes, live, self.book.size)
            self.book.follow(sums, counts, self.own.follow)
            dead = self.book.dead(self.own.revive)
            if _unseen(dead) or dead.any():
                self.book.revive(dead, rows, self._some(live), self.draws)
                self.age.masked_fill_(dead, 0)
                self.revived += dead.float().sum()
        elif updates > self.own.warm_up and updates % self.own.refit_every == 0:
            self._refit(_at(rows, self._some(live)))
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

    def _some(self, live: Tensor) -> Tensor:
        """Which rows to fit on, (N, R'): those that happened, again where an agent has fewer."""
        order = (live <= 0).long().argsort(stable=True, dim=1)  # (N, R), what happened first
        happened = live.sum(1).long().clamp_min(1)  # (N,)
        most = live.shape[1] if _unseen(live) else int(happened.max())
        size = max(self.book.size, min(FIT_ROWS, most))
        spread = torch.arange(size, device=live.device) * happened.unsqueeze(1) // size
        return order.gather(1, spread)  # evenly over what happened

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


def _at(rows: Tensor, index: Tensor) -> Tensor:
    """(N, R, H) at (N, R') -> (N, R', H)."""
    return rows.gather(1, index.unsqueeze(-1).expand(-1, -1, rows.shape[-1]))


def _rows(steps: Tensor) -> Tensor:
    """(B, T, N) -> (N, B*T)."""
    return by_agent(steps.unsqueeze(-1)).squeeze(-1)


def _steps(steps: Tensor) -> Tensor:
    """(B, T, N) -> (N, T*B)."""
    return by_step(steps.unsqueeze(-1)).squeeze(-1)


def _unseen(tensor: Tensor) -> bool:
    """Whether the host would have to wait for a look at it."""
    return tensor.device.type != "cpu"


def _scrambled(hidden: Tensor, codes: int) -> Tensor:
    """A code that looks random and is the same for the same hidden state: (..., H) -> (...)."""
    place = torch.arange(1, hidden.shape[-1] + 1, device=hidden.device, dtype=torch.float64)
    mixed = (hidden.double() * torch.sin(place * 12.9898)).sum(-1) * 437.585453
    return ((mixed - mixed.floor()) * codes).floor().long().clamp(0, codes - 1)
