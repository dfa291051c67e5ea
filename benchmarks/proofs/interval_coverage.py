"""How often do 95 % intervals over a few seeds hold the true mean?

Draws many experiments of n seeds from known distributions and counts how often each interval
covers. Run:

    python benchmarks/proofs/interval_coverage.py [--trials 2000] [--json out.json]

The distributions: normal; log-normal (skewed); and "weak seeds", where 30 % of seeds fail at about
0.2 while the others reach about 0.9, the shape that learning curves really have.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import _root  # noqa: F401
import numpy as np
import numpy.typing as npt

from benchmarks.shared.runner import Script
from mirrorenv.mirror.intervals import bootstrap_t_interval, t_interval

Draw = Callable[[np.random.Generator, int], npt.NDArray[np.float64]]
SIZES = (5, 10)


def weak_seeds(rng: np.random.Generator, n: int) -> npt.NDArray[np.float64]:
    """Seeds that mostly work: (n,) returns around 0.9, with a 30 % chance each of ending around
    0.2."""
    failed = rng.random(n) < 0.3
    return np.where(failed, 0.2, 0.9) + 0.03 * rng.standard_normal(n)


DISTRIBUTIONS: dict[str, tuple[Draw, float]] = {
    "normal": (lambda rng, n: rng.standard_normal(n), 0.0),
    "log-normal": (lambda rng, n: np.exp(rng.standard_normal(n)), math.exp(0.5)),
    "weak seeds": (weak_seeds, 0.7 * 0.9 + 0.3 * 0.2),
}


def percentile_bootstrap(
    values: npt.NDArray[np.float64], rng: np.random.Generator, resamples: int
) -> tuple[float, float]:
    """The interval most plots use: quantiles of resampled means. Here to be compared, not to be
    used."""
    means = values[rng.integers(len(values), size=(resamples, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def coverage(
    draw: Draw, mean: float, n: int, trials: int, resamples: int, seed: int
) -> dict[str, float]:
    """Share of trials whose interval holds the true mean, and the median width, by method."""
    rng = np.random.default_rng(seed)
    bounds: dict[str, list[tuple[float, float]]] = {"t": [], "bootstrap-t": [], "percentile": []}
    for _ in range(trials):
        values = draw(rng, n)
        t = t_interval(values)
        studentised = bootstrap_t_interval(values, rng, resamples=resamples)
        bounds["t"].append((t.low, t.high))
        bounds["bootstrap-t"].append((studentised.low, studentised.high))
        bounds["percentile"].append(percentile_bootstrap(values, rng, resamples))
    result = {}
    for method, pairs in bounds.items():
        low, high = np.array(pairs).T
        result[method] = float(np.mean((low <= mean) & (mean <= high)))
        result[f"{method} width"] = float(np.median(high - low))
    return result


def main() -> None:
    """Run every distribution and size, print a table, write JSON if asked."""
    script = Script(__doc__, json=True, seed=0)
    script.add_argument("--trials", type=int, default=2000)
    script.add_argument("--resamples", type=int, default=1000)
    options = script.parse()
    rows = []
    print("| distribution | n | t | bootstrap-t | percentile bootstrap | median widths |")
    print("|---|---:|---:|---:|---:|---|")
    for name, (draw, mean) in DISTRIBUTIONS.items():
        for n in SIZES:
            found = coverage(draw, mean, n, options.trials, options.resamples, options.seed)
            rows.append(
                {
                    "distribution": name,
                    "n": n,
                    "trials": options.trials,
                    "resamples": options.resamples,
                    **found,
                }
            )
            methods = ("t", "bootstrap-t", "percentile")
            shares = " | ".join(f"{found[method]:.3f}" for method in methods)
            widths = ", ".join(f"{found[f'{method} width']:.2f}" for method in methods)
            print(f"| {name} | {n} | {shares} | {widths} |", flush=True)
    error = math.sqrt(0.95 * 0.05 / options.trials)
    print(
        f"{options.trials} trials each; simulation error of a coverage of .95: {error:.3f} (one "
        "standard error)."
    )
    script.save(rows)


if __name__ == "__main__":
    main()
