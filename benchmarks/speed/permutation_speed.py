"""How many lineups a second get their exact permutation marginals, on one core.

Times the public `permutation_marginals` on a batch (B, N, N) of Gaussian evidence (standard
deviation 3 nats), the best of several repeats. Beside it its parts: the assignment problem and the
sums over subsets, the latter also as they would be in the log domain (which is why they are not).
Processor time, so that a busy machine disturbs little.

Run: python benchmarks/speed/permutation_speed.py [--smoke] [--json]
"""

from __future__ import annotations

import time
from collections.abc import Callable

import _root  # noqa: F401
import numpy as np

from benchmarks.shared.runner import Script, machine
from mirrorenv.mirror import most_probable_permutation, permutation_marginals
from mirrorenv.mirror._subsets import linear_marginals, log_marginals

BATCH = {4: 20_000, 6: 20_000, 8: 10_000, 10: 2_000, 12: 500, 14: 100, 16: 20}


def rate(work: Callable[[], object], lineups: int, repeats: int) -> float:
    """Lineups per second of processor time in the fastest of the repeats: the others were
    disturbed."""
    work()
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return lineups / best


def measure(agents: int, lineups: int, repeats: int) -> dict[str, float]:
    evidence = np.random.default_rng(agents).normal(scale=3.0, size=(lineups, agents, agents))
    # (N, N, B), nothing overflows
    few = np.ascontiguousarray(evidence[:32].transpose(1, 2, 0)) - 30.0
    weights = np.exp(few)
    return {
        "agents": agents,
        "lineups": lineups,
        "marginals_per_second": rate(lambda: permutation_marginals(evidence), lineups, repeats),
        "assignments_per_second": rate(
            lambda: most_probable_permutation(evidence), lineups, repeats
        ),
        "sums_per_second": rate(lambda: linear_marginals(weights), few.shape[2], repeats),
        "log_sums_per_second": rate(lambda: log_marginals(few), few.shape[2], repeats),
    }


def main() -> None:
    script = Script(__doc__, json=True, smoke={"repeats": 1})
    options = script.parse()
    sizes = {4: 50, 8: 20} if options.smoke else BATCH
    rows = [
        measure(agents, lineups, 1 if options.smoke else 5) for agents, lineups in sizes.items()
    ]
    here = machine()
    script.save({**here, "rows": rows})
    print("one core, {machine}, Python {python}, NumPy {numpy}".format(**here))
    print(
        f"{'N':>2}  {'marginals/s':>12}  {'assignments/s':>13}  {'sums/s':>10}  {'log sums/s':>10}"
    )
    for row in rows:
        print(
            f"{row['agents']:>2}  {row['marginals_per_second']:>12,.0f}  "
            f"{row['assignments_per_second']:>13,.0f}  "
            f"{row['sums_per_second']:>10,.0f}  {row['log_sums_per_second']:>10,.0f}"
        )


if __name__ == "__main__":
    main()
