"""How long the local learning coefficient takes: 64 chains of 5,000 steps on ten dimensions.

    python benchmarks/speed/learning_coefficient.py

Prints CPU seconds (target: below 5 on one core), and the estimate beside its exact value.
"""

from __future__ import annotations

import statistics
import time

import _root  # noqa: F401
import torch

from benchmarks.shared.runner import Script
from mirrorenv.complexity.exact import quadratic_estimate
from mirrorenv.complexity.learning_coefficient import learning_coefficients
from mirrorenv.complexity.sampling import ChainSettings

RUNS = 5


def main() -> None:
    """Run and print."""
    Script(__doc__).parse()
    curvature = torch.linspace(0.5, 2.0, 10, dtype=torch.float64)
    settings = ChainSettings(100.0, 0.0, 1e-3, chains=64, burn_in=1000, draws=4000)
    centre = torch.zeros(1, 10, dtype=torch.float64)
    seconds = []
    for run in range(RUNS):
        began = time.process_time()
        (found,) = learning_coefficients(
            lambda weights: 0.5 * (curvature * weights.square()).sum(-1),
            centre,
            settings,
            torch.Generator().manual_seed(run),
        )
        seconds.append(time.process_time() - began)
    exact = quadratic_estimate(curvature.numpy(), 100.0, 0.0, 1e-3)
    spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
    print(f"CPU seconds {statistics.median(seconds):.2f} ({spread}, {RUNS} runs; target 5)")
    print(f"estimate {found}, exact {exact:.3f}")


if __name__ == "__main__":
    main()
