"""Classifiers that predict themselves, and their controls: all arms and seeds in one module.

A network with one hidden layer has further rows in its last layer, which predict that very hidden
layer (Premakumar et al., "Unexpected benefits of self-modeling in neural systems", 2024); the loss
is cross-entropy plus a weight times their mean squared error. After training these rows are cut
off, and what is measured is the classifier alone.

Shape legend: A arms, S seeds, B batch, D features, H hidden units, C classes, P weights.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.shared.labelled import Labelled
from mirrorenv.complexity.weights import effective_rank, path_norm

__all__ = [
    "ARMS",
    "FEW_ARMS",
    "Arm",
    "Stack",
    "Training",
    "cross_entropy",
    "last_spread",
    "measure",
    "stream",
    "train",
]


@dataclass(frozen=True)
class Arm:
    """What is added to the cross-entropy.

    Attributes:
        name: as tables show it.
        auxiliary: a name in `AUXILIARIES`; empty for none.
        weight: of the auxiliary's loss.
        decay: weight decay of all weights.
        share: if above 0, the auxiliary's gradient in the classifier is scaled in every step to
            this share of the norm of the cross-entropy's.
        matches: if given, the arm whose spread of the last layer `decay` is steered to.
    """

    name: str
    auxiliary: str = ""
    weight: float = 0.0
    decay: float = 0.0
    share: float = 0.0
    matches: str = ""


@dataclass(frozen=True)
class Seen:
    """What an auxiliary may use in a step, of one arm."""

    predicted: Tensor
    """(S, B, H) by the further rows."""
    hidden: Tensor
    """(S, B, H) after the ReLU."""
    inputs: Tensor
    """(S, B, D)."""
    order: Tensor
    """(B,) a permutation."""
    projection: Tensor
    """(S, D, H) drawn once, never trained."""


def _error(predicted: Tensor, target: Tensor) -> Tensor:
    return (predicted - target).square().mean((-1, -2))


def _own(seen: Seen) -> Tensor:
    return _error(seen.predicted, seen.hidden.detach())


def _attached(seen: Seen) -> Tensor:
    return _error(seen.predicted, seen.hidden)


def _shuffled(seen: Seen) -> Tensor:
    return _error(seen.predicted, seen.hidden.detach()[:, seen.order])


def _random(seen: Seen) -> Tensor:
    return _error(seen.predicted, torch.relu(seen.inputs @ seen.projection))


def _size(seen: Seen) -> Tensor:
    return seen.hidden.square().mean((-1, -2))


AUXILIARIES: dict[str, Callable[[Seen], Tensor]] = {
    "own": _own,
    "attached": _attached,
    "shuffled": _shuffled,
    "random": _random,
    "size": _size,
}
"""Each gives (S,) losses of one arm."""


SHARE = 0.3
"""Of matched arms: norm of the auxiliary's gradient over the cross-entropy's."""


def _ladder(label: str, auxiliary: str, weights: Sequence[float]) -> list[Arm]:
    return [Arm(f"{label} {weight:g}", auxiliary, weight) for weight in weights]


ARMS = (
    Arm("base"),
    *_ladder("self-model", "own", (1, 5, 10, 20, 50)),
    *_ladder("no stop-gradient", "attached", (5, 20)),
    *_ladder("shuffled target", "shuffled", (5, 20)),
    *_ladder("random target", "random", (5, 20)),
    *_ladder("activation penalty", "size", (0.05, 0.2, 1)),
    Arm("weight decay 0.0001", decay=1e-4),
    Arm("weight decay 0.001", decay=1e-3),
    Arm("weight decay 0.005", decay=5e-3),
    Arm("self-model, matched", "own", 1.0, share=SHARE),
    Arm("no stop-gradient, matched", "attached", 1.0, share=SHARE),
    Arm("shuffled target, matched", "shuffled", 1.0, share=SHARE),
    Arm("random target, matched", "random", 1.0, share=SHARE),
    Arm("weight decay, spread of self-model 5", decay=1e-3, matches="self-model 5"),
)
FEW_ARMS = tuple(
    arm
    for arm in ARMS
    if arm.name in ("base", "no stop-gradient 20", "random target 20")
    or (arm.auxiliary == "own" and not arm.share)
)


@dataclass(frozen=True)
class Training:
    """How all arms are trained: stochastic gradient descent with Nesterov's momentum."""

    epochs: int
    batch: int
    rate: float = 0.005
    momentum: float = 0.9


def stream(*words: object) -> torch.Generator:
    """A source of numbers that belongs to these words."""
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


class Stack:
    """Networks of A arms and S seeds; arms of one seed begin with the same weights.

    Args:
        arms: A of them.
        seeds: S of them.
        features: D.
        hidden: H.
        classes: C.
    """

    def __init__(
        self, arms: Sequence[Arm], seeds: Sequence[int], features: int, hidden: int, classes: int
    ) -> None:
        self.arms = tuple(arms)
        self.seeds = tuple(seeds)
        self.classes = classes
        widths = {
            "first": (features, features, hidden),
            "first_bias": (features, 1, hidden),
            "last": (hidden, hidden, classes + hidden),
            "last_bias": (hidden, 1, classes + hidden),
        }
        self.weights: list[Tensor] = []  # (A, S, in, out) and (A, S, 1, out), in turn
        for name, (fan_in, rows, columns) in widths.items():
            drawn = [
                (2 * torch.rand(rows, columns, generator=stream(name, seed)) - 1) / fan_in**0.5
                for seed in self.seeds
            ]
            every = torch.stack(drawn).expand(len(self.arms), -1, -1, -1).clone()
            self.weights.append(every.requires_grad_(True))
        self.projection = torch.stack(
            [
                torch.randn(features, hidden, generator=stream("projection", seed)) / features**0.5
                for seed in self.seeds
            ]
        )  # (S, D, H)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden units (A, S, B, H) and all outputs (A, S, B, C + H) of inputs (S, B, D)."""
        first, first_bias, last, last_bias = self.weights
        hidden = torch.relu(inputs @ first + first_bias)
        return hidden, hidden @ last + last_bias

    def classifier(self, arm: int) -> Tensor:
        """(S, P) weights of one arm without the further rows, as `classifier_loss` reads them."""
        first, first_bias, last, last_bias = (weight[arm].detach() for weight in self.weights)
        parts = (first, first_bias, last[..., : self.classes], last_bias[..., : self.classes])
        return torch.cat([part.flatten(1) for part in parts], dim=1)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """(..., B, C) and (..., B) -> (...), mean over the batch."""
    chosen = logits.log_softmax(-1).gather(-1, labels.unsqueeze(-1))
    return -chosen.squeeze(-1).mean(-1)


def batches(size: int, batch: int, seeds: Sequence[int], epoch: int) -> Iterator[Tensor]:
    """(S, B) indices, every seed in an order of its own."""
    orders = [torch.randperm(size, generator=stream("order", seed, epoch)) for seed in seeds]
    yield from torch.stack(orders).split(batch, dim=1)


def train(
    stack: Stack,
    task: Labelled,
    how: Training,
    *,
    auxiliaries: bool = True,
    first_epoch: int = 0,
    after_epoch: Callable[[int, Tensor, Tensor], None] | None = None,
    spreads: Tensor | None = None,
) -> None:
    """Train all networks side by side; none sees another.

    Args:
        stack: changed in place.
        task: the data.
        how: rate, batch, epochs.
        auxiliaries: whether arms add what is theirs; without, it is an anneal on cross-entropy.
        first_epoch: number of the first; decides orders.
        after_epoch: told the epoch, the mean cross-entropy and the mean auxiliary loss, (A, S).
        spreads: (A, S) that the decay of arms with `matches` is steered to; NaN of all others.
    """
    inputs = torch.from_numpy(task.inputs)
    labels = torch.from_numpy(task.labels)
    decay = torch.tensor([arm.decay if auxiliaries else 0.0 for arm in stack.arms])
    decay = decay.view(-1, 1, 1, 1).repeat(1, len(stack.seeds), 1, 1)  # (A, S, 1, 1)
    speeds = [torch.zeros_like(weight) for weight in stack.weights]
    for epoch in range(first_epoch, first_epoch + how.epochs):
        entropies = []
        extras = []
        for rows in batches(len(labels), how.batch, stack.seeds, epoch):
            entropy, extra = _losses(stack, inputs[rows], labels[rows], epoch)
            slopes = _slopes(stack, entropy, extra if auxiliaries else None)
            with torch.no_grad():
                for weight, slope, speed in zip(stack.weights, slopes, speeds, strict=True):
                    slope = slope + decay * weight
                    speed.mul_(how.momentum).add_(slope)
                    weight.sub_(how.rate * (slope + how.momentum * speed))
            entropies.append(entropy.detach())
            extras.append(extra.detach())
        if after_epoch is not None:
            after_epoch(epoch, torch.stack(entropies).mean(0), torch.stack(extras).mean(0))
        if spreads is not None and auxiliaries:
            ratio = (last_spread(stack) / spreads).nan_to_num(1.0)  # (A, S)
            # all or nothing: a spread grows by less in an epoch than this decay takes away
            wanted = torch.where(ratio > 1.0, MOST_DECAY, 0.0)[..., None, None]
            decay = torch.where(spreads.isnan()[..., None, None], decay, wanted)


MOST_DECAY = 0.01
"""Weight decay of an arm whose spread is above that of the arm it matches."""


def last_spread(stack: Stack) -> Tensor:
    """Standard deviation of the classifier's last layer, (A, S)."""
    return stack.weights[2].detach()[..., : stack.classes].flatten(2).std(-1)


def _slopes(stack: Stack, entropy: Tensor, extra: Tensor | None) -> list[Tensor]:
    """Gradients of all weights; of arms with a share, that of the auxiliary is scaled where it
    reaches the classifier. Its own further rows learn in full."""
    share = torch.tensor([arm.share for arm in stack.arms])
    if extra is None or not share.any():
        loss = entropy.sum() if extra is None else entropy.sum() + extra.sum()
        return list(torch.autograd.grad(loss, stack.weights))
    plain = torch.autograd.grad(entropy.sum(), stack.weights, retain_graph=True)
    added = torch.autograd.grad(extra.sum(), stack.weights)
    size = sum(one.square().sum((-1, -2)) for one in plain).sqrt()  # (A, S)
    other = sum(one.square().sum((-1, -2)) for one in added[:2]).sqrt()  # through the hidden layer
    wanted = share.view(-1, 1) * size / other.clamp_min(1e-12)
    factor = torch.where(share.view(-1, 1) > 0, wanted, torch.ones_like(wanted))[..., None, None]
    felt = [one + factor * two for one, two in zip(plain[:2], added[:2], strict=True)]
    return felt + [one + two for one, two in zip(plain[2:], added[2:], strict=True)]


def _losses(stack: Stack, inputs: Tensor, labels: Tensor, epoch: int) -> tuple[Tensor, Tensor]:
    """Cross-entropies and weighted auxiliary losses, (A, S) each."""
    hidden, outputs = stack.forward(inputs)
    entropy = cross_entropy(
        outputs[..., : stack.classes], labels.expand(len(stack.arms), *labels.shape)
    )
    order = torch.randperm(inputs.shape[1], generator=stream("shuffle", epoch))
    extra = []
    for number, arm in enumerate(stack.arms):
        if arm.auxiliary:
            predicted = outputs[number, ..., stack.classes :]
            seen = Seen(predicted, hidden[number], inputs, order, stack.projection)
            extra.append(arm.weight * AUXILIARIES[arm.auxiliary](seen))
        else:
            extra.append(torch.zeros(len(stack.seeds)))
    return entropy, torch.stack(extra)


@torch.no_grad()
def measure(stack: Stack, task: Labelled) -> list[list[dict[str, Any]]]:
    """What the trained classifiers are like, arm by arm and seed by seed; of one that left the
    numbers, only that it did."""
    trained = torch.from_numpy(task.inputs).expand(len(stack.seeds), -1, -1)
    test = torch.from_numpy(task.test_inputs).expand(len(stack.seeds), -1, -1)
    truth = torch.from_numpy(task.test_labels)
    found = []
    for number in range(len(stack.arms)):
        one = _only(stack, number)
        finite = one.classifier(0).isfinite().all(-1)  # (S,)
        hidden, outputs = one.forward(trained)
        _, answers = one.forward(test)
        right = (answers[..., : stack.classes].argmax(-1) == truth).double().mean(-1)[0]  # (S,)
        entropy = cross_entropy(
            outputs[..., : stack.classes],
            torch.from_numpy(task.labels).expand(1, len(stack.seeds), -1),
        )[0]
        found.append(
            [
                {
                    "collapsed": False,
                    "accuracy": float(right[seed]),
                    "train_loss": float(entropy[seed]),
                    **_of_weights(one, seed, hidden[0, seed], outputs[0, seed]),
                }
                if finite[seed]
                else {"collapsed": True}
                for seed in range(len(stack.seeds))
            ]
        )
    return found


def _only(stack: Stack, arm: int) -> Stack:
    """One arm as a stack of its own, so that all the data fit."""
    alone = object.__new__(Stack)
    alone.arms = stack.arms[arm : arm + 1]
    alone.seeds = stack.seeds
    alone.classes = stack.classes
    alone.weights = [weight[arm : arm + 1] for weight in stack.weights]
    alone.projection = stack.projection
    return alone


def _of_weights(one: Stack, seed: int, hidden: Tensor, outputs: Tensor) -> dict[str, float]:
    """Of one network: hidden (n, H), outputs (n, C + H)."""
    first = one.weights[0][0, seed]  # (D, H)
    last = one.weights[2][0, seed, :, : one.classes]  # (H, C)
    activation = float(hidden.double().square().mean().sqrt())
    spread = float(last.double().std())
    missed = (outputs[:, one.classes :] - hidden).double().square().mean()
    return {
        "spread_last": spread,
        "spread_first": float(first.double().std()),
        "activation_rms": activation,
        "scaled_spread": spread * activation,
        "path_norm": path_norm([first.T, last.T]),
        "effective_rank": effective_rank(hidden[:1000] - hidden[:1000].mean(0)),
        "unexplained": float(missed / hidden.double().var(0).mean()),
    }


def histogram(stack: Stack, arm: int, edges: np.ndarray) -> list[float]:
    """Share of the last layer's classifier weights in each bin, all seeds together."""
    weights = stack.weights[2][arm, ..., : stack.classes].detach().numpy()
    counts, _ = np.histogram(np.clip(weights, edges[0], edges[-1]), edges)
    return [float(count) / weights.size for count in counts]
