"""How often do 95 % intervals over a few seeds hold the true mean?

Draws many experiments of n seeds from known distributions and counts how often each interval
covers. Run:

    python benchmarks/proofs/interval_coverage.py [--trials 2000] [--json out.json]

The distributions: normal; log-normal (skewed); and "weak seeds", where 30 % of seeds fail at about
0.2 while the others reach about 0.9, the shape that learning curves really have.

Then shares in [0, 1], at the numbers of episodes and games that are evaluated: the interval that is
printed of them (`mirrorenv.mirror.bounded`) beside the one that files hold (Student's t, and the
exact binomial one where all are 0 or all are 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import _root  # noqa: F401
import numpy as np
import numpy.typing as npt

from benchmarks.shared.runner import Script
from mirrorenv.mirror.bounded import bounded_mean
from mirrorenv.mirror.intervals import bootstrap_t_interval, rate_interval, t_interval

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


def judgements(rate: float, alike: float) -> Draw:
    """Shares of 16 judgements in an episode, (n,): each episode has a rate of its own, the more
    alike the larger `alike`."""
    return lambda rng, n: rng.binomial(16, rng.beta(alike * rate, alike * (1 - rate), size=n)) / 16


SHARES: dict[str, tuple[Draw, float]] = {
    "hit or miss, half": (lambda rng, n: (rng.random(n) < 0.5).astype(np.float64), 0.5),
    "hit or miss, .95": (lambda rng, n: (rng.random(n) < 0.95).astype(np.float64), 0.95),
    "16 judgements, .3": (judgements(0.3, 10.0), 0.3),
    "16 judgements, .95": (judgements(0.95, 10.0), 0.95),
    "16 judgements, .99": (judgements(0.99, 50.0), 0.99),
    "one in fifty is half": (lambda rng, n: np.where(rng.random(n) < 0.02, 0.5, 1.0), 0.99),
    "weak seeds": (lambda rng, n: np.where(rng.random(n) < 0.3, 0.2, 0.9), 0.7 * 0.9 + 0.3 * 0.2),
}
SHARE_SIZES = (5, 8, 10, 16, 32, 256)


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


def share_coverage(draw: Draw, mean: float, n: int, trials: int, seed: int) -> dict[str, float]:
    """Share of trials whose interval of a share holds the true mean, and the median width, for the
    printed interval and the recorded one.

    Args:
        draw: n shares in [0, 1].
        mean: their true mean.
        n: shares in a trial.
        trials: how often it is tried.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    samples = [draw(rng, n) for _ in range(trials)]
    result = {}
    for method, make in (("printed", bounded_mean), ("recorded", rate_interval)):
        found = [make(values) for values in samples]
        result[method] = float(np.mean([one.low <= mean <= one.high for one in found]))
        result[f"{method} width"] = float(np.median([one.high - one.low for one in found]))
    return result


def print_shares(trials: int, seed: int) -> list[dict[str, float | str]]:
    """The table of shares, and its rows."""
    rows: list[dict[str, float | str]] = []
    print("\n| shares | n | printed | recorded | median widths |")
    print("|---|---:|---:|---:|---|")
    for name, (draw, mean) in SHARES.items():
        for n in SHARE_SIZES:
            found = share_coverage(draw, mean, n, trials, seed)
            rows.append({"distribution": name, "n": n, "trials": trials, **found})
            widths = f"{found['printed width']:.3f}, {found['recorded width']:.3f}"
            print(
                f"| {name} | {n} | {found['printed']:.3f} | {found['recorded']:.3f} | {widths} |",
                flush=True,
            )
    return rows


def main() -> None:
    """Run every distribution and size, print two tables, write JSON if asked."""
    script = Script(__doc__, json=True, seed=0)
    script.add_argument("--trials", type=int, default=2000)
    script.add_argument("--resamples", type=int, default=1000)
    options = script.parse()
    rows: list[dict[str, float | str]] = []
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
    rows += print_shares(options.trials, options.seed)
    error = math.sqrt(0.95 * 0.05 / options.trials)
    print(
        f"{options.trials} trials each; simulation error of a coverage of .95: {error:.3f} (one "
        "standard error)."
    )
    script.save(rows)


if __name__ == "__main__":
    main()
