"""Pac-Men tini: separate or shared weights x mirror weight 0 or 1.

The specialist fraction is (return - random) / (specialists - random) with the scripted anchors of
`benchmarks/studies/pacmen_anchors.py`: 0 is random play, 1 is one full-information agent for each
room. Separate networks divide the labour without any mirror reward, so only the 2 x 2 says what the
mirror does. Final checkpoint, no best-of.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import _root  # noqa: F401

from benchmarks.shared import grid
from benchmarks.shared.runner import ROOT
from mirrorenv.results import probability_of_improvement

# team return of the scripted anchors, tini
RANDOM = -6.91
SPECIALISTS = 112.1
BASE = ["--config", str(ROOT / "training" / "pacmen.toml")]
CONDITIONS = {
    f"{weights}-mirror{weight}": [
        *BASE,
        "--set",
        f"population.weights={weights}",
        "--set",
        f"mirror.weight={weight}",
    ]
    for weights in ("shared", "separate")
    for weight in (1, 0)
}
# Observers that see where agents are and not how they move: recognised walks no longer do, so
# places must differ.
CONDITIONS["shared-mirror1-observations"] = [
    *CONDITIONS["shared-mirror1"],
    "--set",
    "population.observer.reads=observations",
]
SMOKE = [
    "--set",
    "total_steps=12800",
    "--set",
    "evaluation.checkpoints=1",
    "--set",
    "evaluation.episodes=16",
]
COMPARED = [  # with the mirror, without it
    ("shared-mirror1", "shared-mirror0"),
    ("shared-mirror1-observations", "shared-mirror0"),
    ("separate-mirror1", "separate-mirror0"),
]


def fraction(team_return: float) -> float:
    """Specialist fraction of a team return."""
    return (team_return - RANDOM) / (SPECIALISTS - RANDOM)


def main() -> None:
    """Run what is missing and print the table."""
    script = grid.GridScript(__doc__, seeds=5, out="pacmen_labour")
    options = script.parse()
    runs = grid.run_grid(CONDITIONS, options, SMOKE)
    rows = []
    content = {}
    for name, paths in runs.items():
        if not paths:
            continue
        last = [grid.rows_of(path)[-1] for path in paths]
        fractions = [_last_fraction(path) for path in paths]
        top1 = [grid.figure(row, "learned.top1") for row in last]
        information = [grid.figure(row, "learned.information") for row in last]
        steps = sorted({int(row["env_steps"]) for row in last})
        by_seed = " ".join(f"{value:.2f}" for value in fractions)
        rows.append(
            [
                name,
                str(len(last)),
                grid.interval(fractions),
                by_seed,
                grid.interval(top1),
                str(steps),
            ]
        )
        content[name] = {
            "seeds": [path.name.removeprefix("seed") for path in paths],
            "specialist_fraction": grid.summary(fractions),
            "return": grid.summary([grid.figure(row, "return") for row in last]),
            "top1": grid.summary(top1),
            "information": grid.summary(information),
            "env_steps": steps,
        }
    columns = [
        "condition",
        "seeds",
        "specialist fraction (t interval)",
        "by seed",
        "top-1",
        "env steps",
    ]
    grid.print_table("Pac-Men tini, final checkpoint", columns, rows)
    for ours, theirs in COMPARED:
        _compare(ours, theirs, runs, content)
    script.save(content)


def _compare(ours: str, theirs: str, runs: dict[str, list[Path]], content: dict[str, Any]) -> None:
    """Print what the mirror adds, seed by seed, and note it in the content."""
    with_it = {path.name: _last_fraction(path) for path in runs.get(ours, [])}
    without = {path.name: _last_fraction(path) for path in runs.get(theirs, [])}
    pairs = [value - without[seed] for seed, value in with_it.items() if seed in without]
    if not pairs:
        return
    better = probability_of_improvement(list(with_it.values()), list(without.values()))
    print(
        f"{ours} minus {theirs}, by seed: {grid.interval(pairs)} ({len(pairs)} pairs); "
        f"probability that a run of the first beats one of the second: {better}"
    )
    content[f"{ours} minus {theirs}"] = {
        "difference": grid.summary(pairs),
        "probability_of_improvement": better.to_dict(),
    }


def _last_fraction(path: Path) -> float:
    return fraction(grid.figure(grid.rows_of(path)[-1], "return"))


if __name__ == "__main__":
    main()
