"""How long the local learning coefficient takes: chains on a quadratic with ten weights, beside the
value that they must give.

Seconds of this process's own time on one core: what else the machine does is left out. The target
is 5 seconds for 64 chains of 5,000 steps.

    python benchmarks/speed/learning_coefficient.py
"""

from __future__ import annotations

import time

import _root  # noqa: F401
import torch

from benchmarks.shared.runner import Script, machine
from mirrorenv.complexity.exact import quadratic_estimate
from mirrorenv.complexity.learning_coefficient import learning_coefficients
from mirrorenv.complexity.sampling import ChainSettings


def main() -> None:
    """Run the chains and say what it took."""
    script = Script(__doc__, json=True, seed=0, smoke={"steps": 200})
    script.add_argument("--chains", type=int, default=64)
    script.add_argument("--steps", type=int, default=5000, help="a fifth of them burn-in")
    options = script.parse()
    burn_in = options.steps // 5
    settings = ChainSettings(
        100.0,
        gamma=100.0,
        step_size=1e-3,
        chains=options.chains,
        burn_in=burn_in,
        draws=options.steps - burn_in,
    )
    curvature = torch.linspace(0.5, 2.0, 10, dtype=torch.float64)

    def loss(weights: torch.Tensor) -> torch.Tensor:
        return 0.5 * (curvature * weights.square()).sum(-1)

    centre = torch.zeros(1, 10, dtype=torch.float64)
    source = torch.Generator().manual_seed(options.seed)
    begun = time.process_time()
    (found,) = learning_coefficients(loss, centre, settings, source)
    seconds = time.process_time() - begun
    exact = quadratic_estimate(curvature.numpy(), 100.0, 100.0, 1e-3)
    print(f"{options.chains} chains x {options.steps} steps: {seconds:.2f} s of one core")
    print(f"estimate {found.estimate:.3f} +- {found.error:.3f}, exactly {exact:.3f}")
    script.save(
        {
            "benchmark": "learning_coefficient",
            **machine(),
            "chains": options.chains,
            "steps": options.steps,
            "seconds": seconds,
            "estimate": found.estimate,
            "error": found.error,
            "exact": exact,
        }
    )


if __name__ == "__main__":
    main()
