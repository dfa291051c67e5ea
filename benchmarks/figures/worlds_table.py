"""What the suite `worlds` says beyond its board: who beats whom, and what the mirror reward costs
where it must.

    python benchmarks/suites/suite.py worlds --out benchmarks/results/worlds \\
        --only pacmen-shared-,conformity-separate-
    python benchmarks/figures/worlds_table.py benchmarks/results/worlds

Pac-Men tini, shared weights: the specialist fraction of every recorded row, and the probability
that a run with the mirror reward beats a run of the row, with its 95 % interval. The mirror row is
not the best of several: its settings were there before the suite. What its observers read was
chosen on seeds 3, 6 and 7 (`docs/figures.md`), so the probability is printed without seed 3 as
well. Conformity: the return by mirror weight, beside that of the best joint policy
(`benchmarks/studies/critical_weight.py`: all alike below r / log N, all different above).
"""

from __future__ import annotations

from pathlib import Path

import _root  # noqa: F401

from benchmarks.shared.grid import interval, print_table
from benchmarks.shared.runner import Script
from benchmarks.studies.pacmen_labour import fraction
from mirrorenv.envs import make_batch
from mirrorenv.errors import ResultError
from mirrorenv.results import probability_of_improvement
from mirrorenv.results.folders.result_folder import ResultFolder

MIRROR = "pacmen-shared-author"
CHOSEN_ON = 3
Values = dict[int, dict[str, float]]


def recorded(folder: Path) -> dict[str, Values]:
    """Row -> seed -> figure, of every trained row that has a result."""
    found: dict[str, Values] = {}
    for path in sorted(folder.glob("*/seed*")):
        result = ResultFolder.open(path)
        for row in result.scores():
            figures = {
                name: one["value"]
                for name, one in row["figures"].items()
                if one and one["value"] is not None
            }
            found.setdefault(path.parent.name, {})[int(row["seed"])] = figures
    return found


def labour(rows: dict[str, Values]) -> None:
    """Print the table of Pac-Men."""
    held = {name: rows[name] for name in rows if name.startswith("pacmen-shared-")}
    if MIRROR not in held:
        print(f"no Pac-Men table: {MIRROR} is not recorded")
        return
    by_seeds = {name: fractions_of(seeds) for name, seeds in held.items()}
    table = []
    for name, found in by_seeds.items():
        values = list(found.values())
        beats = [_beats(by_seeds[MIRROR], found, without) for without in (None, CHOSEN_ON)]
        beats = ["", ""] if name == MIRROR else beats
        top1 = interval([one["learned.top1"] for one in held[name].values()])
        by_seed = " ".join(f"{value:.2f}" for value in values)
        good = f"{sum(value >= 0.8 for value in values)} of {len(values)}"
        table.append(
            [name.removeprefix("pacmen-shared-"), interval(values), by_seed, good, top1, *beats]
        )
    columns = ["row", "specialist fraction", "by seed", "0.8 or more", "top-1", "author beats it"]
    columns.append(f"without seed {CHOSEN_ON}")
    print_table(
        "Pac-Men tini, shared weights, last checkpoint, t intervals over seeds", columns, table
    )


def fractions_of(seeds: Values) -> dict[int, float]:
    """Specialist fraction by seed."""
    return {seed: fraction(one["return"]) for seed, one in seeds.items()}


def _beats(ours: dict[int, float], theirs: dict[int, float], without: int | None) -> str:
    """Probability that one of ours is better than one of theirs, as text."""
    mine = [value for seed, value in ours.items() if seed != without]
    other = [value for seed, value in theirs.items() if seed != without]
    return str(probability_of_improvement(mine, other))


def cost(rows: dict[str, Values]) -> None:
    """Print the table of conformity, four agents and four actions."""
    critical = make_batch("mirrorenv/conformity-v0", 1).critical_weight  # type: ignore[attr-defined]
    table = []
    for weight in (0.0, 0.25, 0.5, 1.0, 2.0, 4.0):
        name = "conformity-separate-" + {0.0: "weight-0", 1.0: "author"}.get(
            weight, f"author-{weight:g}"
        )
        seeds = list(rows.get(name, {}).values())
        best = 1.0 if weight < critical else 0.0
        shown = []
        for figure in ("return", "limit.information", "learned.top1"):
            values = [one[figure] for one in seeds]
            shown.append(interval(values))
        table.append([f"{weight:g}", str(len(seeds)), f"{best:g}", *shown])
    columns = [
        "mirror weight",
        "seeds",
        "return of the best joint policy",
        "return",
        "exact limit",
        "top-1",
    ]
    print_table(
        f"conformity, N = K = 4, r = 1, r / log N = {critical:.4f}, t intervals over seeds",
        columns,
        table,
    )


def main() -> None:
    """Print both."""
    script = Script(__doc__)
    script.add_argument("results", type=Path, help="folder of the suite's results")
    options = script.parse()
    rows = recorded(options.results)
    if not rows:
        raise ResultError(
            f"{options.results} holds no trained row of the suite; run "
            "benchmarks/suites/suite.py worlds first"
        )
    labour(rows)
    cost(rows)


if __name__ == "__main__":
    main()
