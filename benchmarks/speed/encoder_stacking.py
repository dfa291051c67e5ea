"""What somebody's own encoder costs, stacked by torch.func, beside the hand-stacked layers.

    python benchmarks/speed/encoder_stacking.py [--agents 4] [--repeats 5] [--json] [--smoke]

The same network is written twice: as the package's stacked layers, and as an ordinary `nn.Module`
of which N are stacked by `StackedEncoder`. Timed are one step of acting and one pass over whole
episodes with its gradient. The two take turns; each pair gives one ratio, and the median is printed
with the smallest and the largest. CPU time; start it with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import _root  # noqa: F401
import torch
from torch import Tensor, nn

from benchmarks.shared.runner import Script
from mirrorenv.population.actors import ENCODERS
from mirrorenv.population.actors.encoders import stacked

FEATURES = 16
HIDDEN = 64


class TanhNetwork(nn.Module):
    """The network of `StackedMLP`, one at a time."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Linear(features, hidden)
        self.second = nn.Linear(hidden, hidden)

    def forward(self, rows: Tensor) -> Tensor:
        """(R, F) -> (R, H)."""
        return torch.tanh(self.second(torch.tanh(self.first(rows))))


class GatedNetwork(nn.Module):
    """The network of `StackedGRU`, one at a time."""

    state_size = HIDDEN

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.embed = nn.Linear(features, hidden)
        self.input = nn.Linear(hidden, 3 * hidden)
        self.recurrent = nn.Linear(hidden, 3 * hidden)

    def forward(self, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """(R, F), (R, H) -> hidden (R, H), next state."""
        seen = self.input(torch.relu(self.embed(rows))).chunk(3, -1)
        kept = self.recurrent(state).chunk(3, -1)
        reset = torch.sigmoid(seen[0] + kept[0])
        update = torch.sigmoid(seen[1] + kept[1])
        candidate = torch.tanh(seen[2] + reset * kept[2])
        state = torch.lerp(candidate, state, update)
        return state, state


PAIRS = {"mlp": TanhNetwork, "gru": GatedNetwork}


def measure(
    name: str, agents: int, episodes: int, steps: int, repeats: int
) -> list[dict[str, Any]]:
    """Both networks on the same rows: one step, and whole episodes with their gradient."""
    generator = torch.Generator().manual_seed(0)
    made = {
        "by hand": ENCODERS[name](agents, FEATURES, HIDDEN, generator),
        "torch.func": stacked(PAIRS[name])(agents, FEATURES, HIDDEN, generator),
    }
    rows = torch.randn(agents, steps, episodes, FEATURES, generator=generator)

    def act(encoder: Any) -> None:
        with torch.no_grad():
            state = torch.zeros(agents, episodes, encoder.state_size)
            for t in range(steps):
                _, state = encoder.step(rows[:, t], state)

    def learn(encoder: Any) -> None:
        encoder.zero_grad()
        encoder.sequence(rows).square().mean().backward()

    found = []
    for what, work in (("acting", act), ("learning", learn)):
        seconds: dict[str, list[float]] = {kind: [] for kind in made}
        for _ in range(repeats + 1):
            for kind, encoder in made.items():
                begun = time.process_time()
                work(encoder)
                seconds[kind].append(time.process_time() - begun)
        pairs = list(zip(seconds["torch.func"][1:], seconds["by hand"][1:], strict=True))
        ratios = [theirs / ours for theirs, ours in pairs]
        found.append(
            {
                "encoder": name,
                "what": what,
                **{kind: statistics.median(times[1:]) for kind, times in seconds.items()},
                "ratio": statistics.median(ratios),
                "low": min(ratios),
                "high": max(ratios),
            }
        )
    return found


def main() -> None:
    """Measure and print."""
    smoke = {"agents": 2, "episodes": 4, "steps": 3, "repeats": 1}
    script = Script(__doc__, json=True, smoke=smoke)
    script.add_argument("--agents", type=int, default=4)
    script.add_argument("--episodes", type=int, default=64)
    script.add_argument("--steps", type=int, default=25)
    script.add_argument("--repeats", type=int, default=5)
    options = script.parse()
    sizes = (options.agents, options.episodes, options.steps, options.repeats)
    rows = [row for name in PAIRS for row in measure(name, *sizes)]
    for row in rows:
        print(
            f"{row['encoder']} {row['what']:8}  by hand {row['by hand'] * 1e3:.1f} ms, torch.func "
            f"{row['torch.func'] * 1e3:.1f} ms: {row['ratio']:.2f} times the cost "
            f"({row['low']:.2f} to {row['high']:.2f})"
        )
    script.save({"rows": rows})


if __name__ == "__main__":
    main()
