"""Several generators, and a discriminator that says which of them made what: five modes in one
dimension.

    python benchmarks/studies/mad_gan.py [--seed 0] [--weight 1.0] [--iterations 6000] [--smoke]

The setting of MAD-GAN (Ghosh et al., "Multi-agent diverse generative adversarial networks", CVPR
2018) as far as its authors' program fixes it: modes at 10, 20, 60, 80, 110 with standard deviations
3, 3, 2, 2, 1 and equal weight; noise uniform in [-1, 1]^64; three layers of 128 units, ELU in the
generators, leaky ReLU (0.1) in the discriminator; Adam with beta_1 = 0.5; batches of 128. The
generators share their layers but the last. Ours: a step of 1e-3 for 6,000 iterations, where the
original has 1e-4 for hundreds of thousands; data and samples are divided by 50 for the networks.

The discriminator has k + 1 outputs: real, or made by generator i. In MAD-GAN a generator is paid
for passing as real and for nothing else. Here it may be paid for being identified as well, which is
the mirror's question to a generator:

    loss of generator i = -log D(real | G_i(z)) - weight * log D(i | G_i(z))
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import _root  # noqa: F401
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.shared.runner import Script

MODES = np.array([10.0, 20.0, 60.0, 80.0, 110.0])
SPREADS = np.array([3.0, 3.0, 2.0, 2.0, 1.0])
BINS = np.linspace(-10.0, 130.0, 1401)
"""Edges of bins of width 0.1."""
SAMPLES = 65_536
NOISE = 64
WIDTH = 128
BATCH = 128
SCALE = 50.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Players:
    """Who plays.

    Args:
        generators: k.
        identify: whether the discriminator tells generators apart; otherwise it says real or made.
        weight: of being identified in a generator's loss.
    """

    generators: int = 4
    identify: bool = True
    weight: float = 0.0


def real_samples(
    count: int, rng: np.random.Generator, modes: tuple[int, ...] = (0, 1, 2, 3, 4)
) -> Floats:
    """Draws from the mixture, or from some of its modes in equal parts."""
    which = rng.choice(np.array(modes), size=count)
    drawn: Floats = rng.normal(MODES[which], SPREADS[which])
    return drawn


class Generators(nn.Module):
    """k generators that share all layers but the last: noise (k, R, 64) -> samples (k, R), in units
    of 50."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        widths = [NOISE, WIDTH, WIDTH, WIDTH]
        layers: list[nn.Module] = []
        for into, out in pairwise(widths):
            layers += [nn.Linear(into, out), nn.ELU()]
        self.trunk = nn.Sequential(*layers)
        self.last = nn.ModuleList(nn.Linear(WIDTH, 1) for _ in range(count))

    def forward(self, noise: Tensor) -> Tensor:
        """(k, R)."""
        hidden = self.trunk(noise)
        return torch.stack([layer(hidden[i]).squeeze(-1) for i, layer in enumerate(self.last)])


def discriminator(outputs: int) -> nn.Sequential:
    """(R, 1) samples in units of 50 -> (R, outputs) logits, the first for real."""
    widths = [1, WIDTH, WIDTH, WIDTH]
    layers: list[nn.Module] = []
    for into, out in pairwise(widths):
        layers += [nn.Linear(into, out), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers, nn.Linear(WIDTH, outputs))


def train(players: Players, seed: int, iterations: int, step: float = 1e-4) -> Floats:
    """Play the game; returns what the generators make in the end, (k, SAMPLES // k)."""
    count = players.generators
    with torch.random.fork_rng():  # layers are made with the global state, which is put back
        torch.manual_seed(seed)
        makers = Generators(count)
        judge = discriminator(1 + (count if players.identify else 1))
    rng = np.random.default_rng([seed, 1])
    generator = torch.Generator().manual_seed(seed)
    makers_step, judge_step = (
        torch.optim.Adam(one.parameters(), lr=step, betas=(0.5, 0.999)) for one in (makers, judge)
    )
    author = (
        torch.arange(1, count + 1) if players.identify else torch.ones(count, dtype=torch.int64)
    )
    labels = torch.cat([torch.zeros(BATCH, dtype=torch.int64), author.repeat_interleave(BATCH)])
    for _ in range(iterations):
        real = torch.from_numpy((real_samples(BATCH, rng) / SCALE).astype(np.float32))
        made = makers(_noise(count, BATCH, generator))  # (k, R)
        logits = judge(torch.cat([real, made.detach().flatten()]).unsqueeze(-1))
        _update(judge_step, nn.functional.cross_entropy(logits, labels))
        judge.requires_grad_(False)  # it is only asked here, and learns nothing
        log_p = judge(made.flatten().unsqueeze(-1)).log_softmax(-1)
        loss = -log_p[:, 0].mean()
        if players.weight:
            loss = loss - players.weight * log_p.gather(1, labels[BATCH:, None]).mean()
        _update(makers_step, loss)
        judge.requires_grad_(True)
    with torch.no_grad():
        found: Floats = makers(_noise(count, SAMPLES // count, generator)).double().numpy() * SCALE
    return found


def _noise(count: int, rows: int, generator: torch.Generator) -> Tensor:
    return torch.rand(count, rows, NOISE, generator=generator) * 2 - 1


def _update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def measure(made: Floats, rng: np.random.Generator) -> dict[str, float]:
    """How well the generators together cover the mixture, and how well one can be told from
    another.

    Args:
        made: (k, R) samples.
        rng: for as many draws from the mixture.

    Returns:
        `kl`: KL(made || real) over bins of 0.1 that hold real samples, in nats.
        `chi2`: sum of (made - real)**2 / real over these bins, divided by 1e5.
        `modes`: of five, those within whose three standard deviations lies at least a quarter of
            their due.
        `astray`: share of samples farther than four standard deviations from every mode.
        `effective`: exp of the mutual information of generator and bin of width 0.5.
    """
    real, fake = (
        np.histogram(one, BINS)[0].astype(np.float64)
        for one in (real_samples(made.size, rng), made.ravel())
    )
    there = real > 0
    p = fake[there] / made.size
    q = real[there] / made.size
    kl = float((p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum())
    away = np.abs(made.ravel()[:, None] - MODES) / SPREADS  # (samples, 5)
    due = (away < 3).mean(0) * len(MODES) / 0.9973
    joint = (
        np.stack([np.histogram(one, np.linspace(-200.0, 320.0, 1041))[0] for one in made])
        / made.size
    )
    product = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    nats = float((joint[joint > 0] * np.log(joint[joint > 0] / product[joint > 0])).sum())
    return {
        "kl": kl,
        "chi2": float(((fake - real)[there] ** 2 / real[there]).sum()) / 1e5,
        "modes": float((due >= 0.25).sum()),
        "astray": float((away.min(1) > 4).mean()),
        "effective": math.exp(nats),
    }


def anchors(seed: int) -> dict[str, dict[str, float]]:
    """What the figures are for a perfect generator, and for perfect ones that miss modes."""
    cases = {
        "perfect": (0, 1, 2, 3, 4),
        "without the narrowest mode": (0, 1, 2, 3),
        "one mode only": (2,),
    }
    rng = np.random.default_rng([seed, 2])
    return {
        name: measure(real_samples(SAMPLES, rng, modes)[None], rng) for name, modes in cases.items()
    }


def main() -> None:
    """Print one run's figures as JSON."""
    script = Script(__doc__, seed=0, smoke={"iterations": 20})
    script.add_argument("--generators", type=int, default=4)
    script.add_argument(
        "--weight", type=float, default=0.0, help="of being identified, in a generator's loss"
    )
    script.add_argument(
        "--blind", action="store_true", help="the discriminator does not tell generators apart"
    )
    script.add_argument(
        "--step",
        type=float,
        default=1e-3,
        help="of Adam; 1e-4 in the original, which trains far longer",
    )
    script.add_argument("--iterations", type=int, default=6_000)
    options = script.parse()
    players = Players(options.generators, not options.blind, options.weight)
    made = train(players, options.seed, options.iterations, options.step)
    found: dict[str, Any] = measure(made, np.random.default_rng([options.seed, 3]))
    print(
        json.dumps(
            {"benchmark": "mad_gan", "seed": options.seed, "weight": options.weight, **found}
        )
    )


if __name__ == "__main__":
    main()
