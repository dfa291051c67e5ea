"""Pac-Men tini: separate or shared weights x mirror weight 0 or 1.

The specialist fraction is (return - random) / (specialists - random) with the scripted anchors of
`benchmarks/pacmen_anchors.py`: 0 is random play, 1 is one full-information agent for each room. Separate networks
divide the labour without any mirror reward, so only the 2 x 2 says what the mirror does. Final checkpoint, no best-of.
"""

from __future__ import annotations

import grid

from mirrorenv.results import probability_of_improvement

RANDOM, SPECIALISTS = -6.91, 112.1  # team return of the scripted anchors, tini
BASE = ["--config", str(grid.HERE.parent / "training" / "pacmen.toml")]
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
# Observers that see where agents are and not how they move: recognised walks no longer do, so places must differ.
CONDITIONS["shared-mirror1-observations"] = [
    *CONDITIONS["shared-mirror1"],
    "--set",
    "population.observer.reads=observations",
]
SMOKE = ["--set", "total_steps=12800", "--set", "evaluation.checkpoints=1", "--set", "evaluation.episodes=16"]


def fraction(team_return: float) -> float:
    """Specialist fraction of a team return."""
    return (team_return - RANDOM) / (SPECIALISTS - RANDOM)


def main() -> None:
    """Run what is missing and print the table."""
    options = grid.arguments(__doc__ or "", seeds=5, out="pacmen_labour")
    runs = grid.run_grid(CONDITIONS, options, SMOKE)
    rows, content = [], {}
    for name, paths in runs.items():
        last = [grid.rows_of(path)[-1] for path in paths]
        fractions = [fraction(grid.figure(row, "return")) for row in last]
        top1 = [grid.figure(row, "learned.top1") for row in last]
        information = [grid.figure(row, "learned.information") for row in last]
        steps = sorted({int(row["env_steps"]) for row in last})
        by_seed = " ".join(f"{value:.2f}" for value in fractions)
        rows.append([name, str(len(last)), grid.interval(fractions), by_seed, grid.interval(top1), str(steps)])
        content[name] = {
            "specialist_fraction": grid.summary(fractions),
            "return": grid.summary([grid.figure(row, "return") for row in last]),
            "top1": grid.summary(top1),
            "information": grid.summary(information),
            "env_steps": steps,
        }
    columns = ["condition", "seeds", "specialist fraction (t interval)", "by seed", "top-1", "env steps"]
    grid.print_table("Pac-Men tini, final checkpoint", columns, rows)
    for weights in ("shared", "separate"):
        both = [content.get(f"{weights}-mirror{weight}") for weight in (1, 0)]
        ours, theirs = ([] if row is None else row["specialist_fraction"]["values"] for row in both)
        if ours and theirs:
            pairs = [a - b for a, b in zip(ours, theirs, strict=False)]  # seeds from 0 on in both
            better = probability_of_improvement(ours, theirs)
            print(
                f"{weights}: with the mirror minus without, by seed: {grid.interval(pairs)} ({len(pairs)} pairs); "
                f"probability that a run with it beats one without: {better}"
            )
            content[f"{weights}: mirror 1 minus 0"] = {
                "difference": grid.summary(pairs),
                "probability_of_improvement": better.to_dict(),
            }
    grid.save(options, content)


if __name__ == "__main__":
    main()
