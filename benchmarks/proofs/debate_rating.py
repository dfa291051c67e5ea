"""Does the rating find what is there, and nothing where there is nothing? On simulated tournaments
with known effects.

    python benchmarks/proofs/debate_rating.py [--recovered 40] [--null 400] [--bootstrap 100]

Recovery: 8 players, 100 games of four, skill and legibility of spread 1 logit, self terms of mean
1; Pearson's r of found and true effects. Null: nobody knows itself better than others know it; 6
players and 20 games, and 8 players and 100 games; the share of tournaments in which a
self-advantage of anybody is reported.
"""

from __future__ import annotations

import sys
from pathlib import Path

import _root  # noqa: F401
import numpy as np
from scipy.stats import binomtest

from benchmarks.shared.runner import Script
from mirrorenv.mirror.intervals import Estimate

# simulated tournaments are part of the tests, which are no installed package
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.debate.simulated import best_self, simulate

NULLS = ((6, 20), (8, 100))  # players, games


def main() -> None:
    """Measure and print."""
    script = Script(__doc__)
    script.add_argument("--recovered", type=int, default=40, help="tournaments with effects")
    script.add_argument(
        "--null", type=int, default=400, help="tournaments without a self-advantage, of each size"
    )
    script.add_argument("--bootstrap", type=int, default=100)
    options = script.parse()
    found: dict[str, list[float]] = {}
    for seed in range(options.recovered):
        true = simulate(np.random.default_rng([1, seed]), 8, 100, null=False)
        for name, r in true.correlations(true.rated(options.bootstrap)).items():
            found.setdefault(name, []).append(r)
        best = float(np.corrcoef(best_self(true), true.self_term)[0, 1])
        found.setdefault("self, all else known", []).append(best)
    print(
        f"r of found and true effects, {options.recovered} tournaments of 8 players and 100 games:"
    )
    for name, values in found.items():
        low = np.min(values)
        middle = np.median(values)
        above = binomtest(sum(value > 0.95 for value in values), len(values))
        ends = above.proportion_ci(method="wilson")
        print(
            f"  {name:20} median {middle:.3f}, lowest {low:.3f}; above 0.95 in {above.k} of "
            f"{above.n}, {Estimate(above.statistic, ends.low, ends.high)}",
            flush=True,
        )
    for players, games in NULLS:
        drawn = (
            simulate(np.random.default_rng([2, games, seed]), players, games, null=True)
            for seed in range(options.null)
        )
        false = binomtest(
            sum(any(one.rated(options.bootstrap).self_known) for one in drawn), options.null
        )
        ends = false.proportion_ci(method="wilson")
        print(
            f"null, {players} players, {games} games: a self-advantage in {false.k} of {false.n} "
            "tournaments, "
            f"{Estimate(false.statistic, ends.low, ends.high)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
