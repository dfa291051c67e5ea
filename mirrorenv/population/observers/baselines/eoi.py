"""The observation classifier of EOI (Jiang and Lu, "The emergence of individuality", ICML 2021,
arXiv 2006.05842).

Shapes: B episodes, T time, K trajectories, N agents, D observation, R sampled rows.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mirrorenv.mirror import EpisodeBatch
from mirrorenv.population.actions import ActionLayout
from mirrorenv.population.adam import Adam
from mirrorenv.population.layers import StackedLinear, StackedMLP
from mirrorenv.population.observers.baselines.base import Baseline, Evidence
from mirrorenv.population.observers.registry import register_baseline

__all__ = ["Learner", "ObservationClassifier", "eoi_loss", "eoi_losses", "eoi_slope"]


def eoi_loss(
    logits: Tensor, nearby: Tensor, authors: Tensor, beta_1: float, beta_2: float
) -> Tensor:
    """EOI's classifier loss in nats, mean over rows.

    `CE(onehot(i) + beta_1 p(. | o_near), p(. | o)) + beta_2 CE(p(. | o), p(. | o))` with CE(y, p)
    = -sum y log p: the supervised term; the positive distance to a nearby observation of the same
    agent, which is a fixed target; and the conditional entropy, through which the gradient passes
    on both sides.

    Args:
        logits: (R, N) at the observations.
        nearby: (R, N) at observations of the same agents a few steps earlier.
        authors: (R,) int64.
        beta_1: weight of the positive distance.
        beta_2: weight of the conditional entropy.
    """
    return eoi_losses(logits, nearby, authors, beta_1, beta_2).mean()


def eoi_losses(
    logits: Tensor, nearby: Tensor, authors: Tensor, beta_1: float, beta_2: float
) -> Tensor:
    """`eoi_loss` row by row, (R,).

    Args:
        logits: as for `eoi_loss`.
        nearby: as for `eoi_loss`.
        authors: as for `eoi_loss`.
        beta_1: as for `eoi_loss`.
        beta_2: as for `eoi_loss`.
    """
    log_p = logits.log_softmax(-1)
    target = nn.functional.one_hot(authors, logits.shape[-1]) + beta_1 * nearby.detach().softmax(-1)
    return -((target + beta_2 * log_p.exp()) * log_p).sum(-1)


@torch.no_grad()
def eoi_slope(
    logits: Tensor, nearby: Tensor, authors: Tensor, beta_1: float, beta_2: float
) -> Tensor:
    """The gradient of `eoi_loss` with respect to the logits, written out.

    Args:
        logits: (R, N) at the observations.
        nearby: (R, N) at observations of the same agents a few steps earlier.
        authors: (R,) int64.
        beta_1: weight of the positive distance.
        beta_2: weight of the conditional entropy.

    Returns:
        (R, N), of the logits' dtype.
    """
    log_p = logits.log_softmax(-1)
    p = log_p.exp()
    target = nn.functional.one_hot(authors, logits.shape[-1]) + beta_1 * nearby.softmax(-1)
    share = logits.new_full((), -1.0 / len(logits))
    slope = share * (target + beta_2 * p) + share * log_p * beta_2 * p
    at_logits: Tensor = torch.ops.aten._log_softmax_backward_data(slope, log_p, -1, slope.dtype)
    return at_logits


@register_baseline("eoi")
class ObservationClassifier(Baseline):
    """p(agent | observation), one observation at a time; a trajectory's evidence is the sum of log
    p over its steps.

    It sees no action, so it recognises where an agent is rather than what it does; and the sum
    counts observations as if they were independent, so its beliefs are too certain. Both are
    properties of the original.

    Coefficients, width (64, 64) and Adam's step size are those of the authors' released program,
    EOI_on_SMAC (`model.py` and `config.py`); its layers are ReLU, ours tanh as everywhere in
    this package. Their second program, eoi_pymarl, has 0.1 in place of 0.2.

    Args:
        beta_1: weight of the positive distance; 0, that is switched off, as released.
        beta_2: weight of the conditional entropy; 0.2 as released.
        window: steps, the farthest back that counts as nearby.
        hidden: units of each of the two hidden layers.
        updates: minibatches it is trained on.
        rows: observations in a minibatch.
        learning_rate: Adam step size.
        seed: of initial weights and minibatches.
    """

    def __init__(
        self,
        beta_1: float = 0.0,
        beta_2: float = 0.2,
        *,
        window: int = 4,
        hidden: int = 64,
        updates: int = 1000,
        rows: int = 512,
        learning_rate: float = 1e-3,
        seed: int = 0,
    ) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.window = window
        self.hidden = hidden
        self.updates = updates
        self.rows = rows
        self.learning_rate = learning_rate
        self.seed = seed

    def _fit(self, episodes: EpisodeBatch, actions: ActionLayout) -> None:
        seen = _flat(episodes)  # (B, T, K, D)
        live = np.argwhere(episodes.mask)  # (R, 3): episode, step, agent
        at_live = seen[tuple(live.T)]
        self._mean = at_live.mean(0)
        self._scale = np.maximum(at_live.std(0), 1e-3)
        generator = torch.Generator().manual_seed(self.seed)
        trunk = StackedMLP(1, max(seen.shape[-1], 1), self.hidden, generator)
        self._last = StackedLinear(1, self.hidden, self.num_agents, 0.01, generator)
        self._network = nn.Sequential(trunk, self._last)
        learner = Learner(trunk.first, trunk.second, self._last, self.learning_rate)
        rng = np.random.default_rng(self.seed)
        for _ in range(self.updates):
            episode, step, agent = live[rng.integers(len(live), size=self.rows)].T
            before = np.maximum(step - rng.integers(1, self.window + 1, size=self.rows), 0)
            logits = learner.forward(self._rows(seen[episode, step, agent]))
            nearby = logits
            if self.beta_1:
                nearby = self._logits(seen[episode, before, agent])
            learner.update(
                eoi_slope(logits, nearby, torch.from_numpy(agent), self.beta_1, self.beta_2)
            )

    def _evidence(self, episodes: EpisodeBatch) -> Evidence:
        total = np.empty((len(episodes), self.num_agents, self.num_agents))
        for index, seen in enumerate(_flat(episodes)):  # one episode at a time: (T, K, D)
            logits = self._logits(seen.reshape(-1, seen.shape[-1]))
            log_p = logits.log_softmax(-1).double().numpy()
            steps = log_p.reshape(*seen.shape[:2], self.num_agents)  # (T, K, N)
            total[index] = np.where(episodes.mask[index, :, :, None], steps, 0.0).sum(0)
        return total

    @torch.no_grad()
    def _logits(self, seen: NDArray[np.float32]) -> Tensor:
        """(R, D) -> (R, N)."""
        logits: Tensor = self._network(self._rows(seen))[0]
        return logits

    def _rows(self, seen: NDArray[np.float32]) -> Tensor:
        """(R, D) -> (1, R, D) standardised; a world without observations gets a column."""
        rows = torch.from_numpy((seen - self._mean) / self._scale)
        return (rows if rows.shape[-1] else rows.new_zeros(len(rows), 1)).unsqueeze(0)


class Learner:
    """The classifier's three layers with their gradients written out: the operations that autograd
    would do, to the bit, without its bookkeeping, which is half the time of networks this small.

    Args:
        first: (1, R, D) -> (1, R, H), followed by tanh.
        second: the same from H.
        last: to the logits.
        rate: Adam's step size.
    """

    def __init__(
        self, first: StackedLinear, second: StackedLinear, last: StackedLinear, rate: float
    ) -> None:
        self._layers = (first, second, last)
        weights = [parameter for layer in self._layers for parameter in layer.parameters()]
        for weight in weights:
            weight.grad = torch.empty_like(weight)
        self._adam = Adam([(weights, rate)], eps=1e-8)
        self._inputs: list[Tensor] = []  # of each layer

    @torch.no_grad()
    def forward(self, rows: Tensor) -> Tensor:
        """(1, R, D) -> logits (R, N), remembered for `update`."""
        first, second, last = self._layers
        below = torch.tanh(first.forward(rows))
        above = torch.tanh(second.forward(below))
        self._inputs = [rows, below, above]
        return last.forward(above)[0]

    @torch.no_grad()
    def update(self, slope: Tensor) -> None:
        """One step of Adam, from the loss's slope (R, N) at the logits."""
        slope = slope.unsqueeze(0)
        for index in (2, 1, 0):
            layer = self._layers[index]
            torch.bmm(self._inputs[index].transpose(1, 2), slope, out=layer.weight.grad)
            torch.sum(slope, 1, keepdim=True, out=layer.bias.grad)
            if index:
                slope = torch.bmm(slope, layer.weight.transpose(1, 2))
                slope = torch.ops.aten.tanh_backward(slope, self._inputs[index])
        self._adam.step()


def _flat(episodes: EpisodeBatch) -> NDArray[np.float32]:
    """(B, T, K, D) float32."""
    seen = episodes.observations.astype(np.float32, copy=False)
    flat: NDArray[np.float32] = seen.reshape(*seen.shape[:3], -1)
    return flat
