"""Ants: four agents that are alike at the start become recognisable, and only with the mirror
reward.

Beside the mirror reward stand its controls: weight 0, observers trained on shuffled labels, and
noise of the same variance as the mirror reward. Reported: top-1 at the last evaluation within
150,000 environment steps, seeds above 0.9, learned information over the exact limit, and whether
any checkpoint's learned belief lay above the limit (log e-value against log(checkpoints / 0.05)).
"""

from __future__ import annotations

import math
from pathlib import Path

import _root  # noqa: F401

from benchmarks.shared import grid

BASE = [
    "mirrorenv/ants-v0",
    "--set",
    "total_steps=147456",
    "--set",
    "evaluation.checkpoints=9",
    "--set",
    "evaluation.baselines=false",
]
CONDITIONS = {
    "mirror": BASE,
    "weight0": [*BASE, "--set", "mirror.weight=0"],
    "shuffled-labels": [*BASE, "--set", "mirror.control=shuffled_labels"],
    "random-reward": [*BASE, "--set", "mirror.control=random_reward"],
}
SMOKE = [
    "--set",
    "total_steps=16384",
    "--set",
    "evaluation.checkpoints=2",
    "--set",
    "evaluation.episodes=32",
]
GOAL = 0.9
BUDGET = 150_000
ALPHA = 0.05


def first_above(rows: list[grid.Row]) -> float:
    """Environment steps of the first evaluation above the goal; infinite if there is none within
    the budget."""
    steps = [
        row["env_steps"]
        for row in rows
        if row["env_steps"] <= BUDGET and grid.figure(row, "learned.top1") > GOAL
    ]
    return float(min(steps, default=math.inf))


def within_budget(path: Path) -> list[grid.Row]:
    """The evaluations of a run that count."""
    return [row for row in grid.rows_of(path) if row["env_steps"] <= BUDGET]


def main() -> None:
    """Run what is missing and print the table."""
    script = grid.GridScript(__doc__, seeds=10, out="ants_recognition")
    options = script.parse()
    runs = grid.run_grid(CONDITIONS, options, SMOKE)
    rows = []
    content = {}
    for name, paths in runs.items():
        histories = [within_budget(path) for path in paths]
        last = [history[-1] for history in histories]
        reached = [first_above(history) for history in histories]
        top1 = [grid.figure(row, "learned.top1") for row in last]
        information = [grid.figure(row, "learned.information") for row in last]
        limit = [grid.figure(row, "limit.information") for row in last]
        ratio = [a / b if b > 0.05 else math.nan for a, b in zip(information, limit, strict=True)]
        defined = [value for value in ratio if not math.isnan(value)]
        worst = max(
            (float(row["log_e_value"]) for history in histories for row in history),
            default=math.nan,
        )
        checks = sum(len(history) for history in histories)
        threshold = math.log(max(checks, 1) / ALPHA)
        above = f"{sum(math.isfinite(steps) for steps in reached)} of {len(reached)}"
        cells = [above, *(grid.interval(values) for values in (top1, information, limit))]
        cells += [
            f"{grid.interval(defined)} ({len(defined)} seeds)",
            f"{worst:.1f} of {threshold:.1f}",
        ]
        rows.append([name, *cells])
        content[name] = {
            "top1": grid.summary(top1),
            "information": grid.summary(information),
            "limit": grid.summary(limit),
            "information_over_limit": grid.summary(defined),
            "first_above_goal": [None if math.isinf(steps) else steps for steps in reached],
            "before_training_top1": grid.summary(
                [grid.figure(history[0], "learned.top1") for history in histories]
            ),
            "largest_log_e_value": worst,
            "log_e_threshold": threshold,
        }
    columns = [
        "condition",
        "top-1 > 0.9",
        "top-1",
        "information",
        "exact limit",
        "learned / limit",
        "largest log e-value of threshold",
    ]
    grid.print_table(
        f"ants-v0, 4 agents, within {BUDGET:,} steps, t intervals over seeds", columns, rows
    )
    script.save(content)


if __name__ == "__main__":
    main()
