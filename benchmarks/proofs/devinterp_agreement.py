"""Does devinterp 1.3.2 agree with our local learning coefficient, and both with what is exact?

The same quadratic with ten weights, the same temperature, pull, step and length; devinterp runs its
chains one after the other, so there are few of them. It is no dependency of this package: `pip
install devinterp==1.3.2` first. (Newer versions are rewritten for language models and average
burn-in, too.)

    python benchmarks/proofs/devinterp_agreement.py
"""

from __future__ import annotations

import warnings
from typing import Any

import _root  # noqa: F401
import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.shared.runner import Script, machine
from mirrorenv.complexity.exact import quadratic_estimate
from mirrorenv.complexity.learning_coefficient import learning_coefficients
from mirrorenv.complexity.sampling import ChainSettings
from mirrorenv.errors import MissingExtraError

CURVATURE = torch.linspace(0.5, 2.0, 10)
N_BETA = 100.0
GAMMA = 100.0
STEP = 1e-3


class Quadratic(nn.Module):
    """1/2 sum h w^2 at its minimum."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(10))

    def forward(self, _: Tensor) -> Tensor:
        """() whatever the input."""
        return 0.5 * (CURVATURE * self.weights.square()).sum()


def theirs(chains: int, burn_in: int, draws: int, seed: int) -> tuple[float, float]:
    """devinterp's estimate and its standard error over chains."""
    try:
        from devinterp.optim.sgld import SGLD
        from devinterp.slt.sampler import estimate_learning_coeff_with_summary
    except ImportError as error:
        raise MissingExtraError(
            "devinterp is not installed: pip install devinterp==1.3.2"
        ) from error

    def evaluate(model: nn.Module, batch: Any) -> tuple[Tensor]:
        return (model(batch),)

    loader = torch.utils.data.DataLoader(torch.zeros(4, 1), batch_size=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = estimate_learning_coeff_with_summary(
            Quadratic(),
            loader,
            evaluate=evaluate,
            sampling_method=SGLD,
            optimizer_kwargs={"lr": STEP, "nbeta": N_BETA, "localization": GAMMA},
            num_draws=draws,
            num_chains=chains,
            num_burnin_steps=burn_in,
            init_loss=1e-12,  # what is exactly zero is taken for not given
            seed=seed,
            verbose=False,
        )
    losses = np.asarray(found["loss/trace"], np.float64)  # (C, T)
    values = N_BETA * losses.mean(1)
    return float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5)


def main() -> None:
    """Both estimates beside the exact one."""
    script = Script(__doc__, json=True, seed=0, smoke={"chains": 2, "draws": 50, "burn_in": 10})
    script.add_argument("--chains", type=int, default=8)
    script.add_argument("--burn-in", type=int, default=200)
    script.add_argument("--draws", type=int, default=2000)
    options = script.parse()
    exact = quadratic_estimate(CURVATURE.numpy(), N_BETA, GAMMA, STEP)
    their, their_error = theirs(options.chains, options.burn_in, options.draws, options.seed)
    settings = ChainSettings(N_BETA, GAMMA, STEP, options.chains, options.burn_in, options.draws)
    (ours,) = learning_coefficients(
        lambda weights: 0.5 * (CURVATURE * weights.square()).sum(-1),
        torch.zeros(1, 10),
        settings,
        torch.Generator().manual_seed(options.seed),
    )
    print(f"exactly {exact:.3f}")
    print(f"devinterp {their:.3f} +- {their_error:.3f} (standard error over chains)")
    print(f"ours {ours.estimate:.3f} +- {ours.error:.3f}")
    script.save(
        {
            "benchmark": "devinterp_agreement",
            **machine(),
            "exact": exact,
            "devinterp": [their, their_error],
            "ours": [ours.estimate, ours.error],
        }
    )


if __name__ == "__main__":
    main()
