"""Runners of the suite `third-party`: the mirror and the leak audit in worlds that nobody here
wrote.

`benchmarks/suites/suite.py third-party` runs them. A trained row is one of the suite `worlds` in
another world; an audited row says whether agents that all run one policy can be told apart there,
and so what a recognition rate may count as a leak.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.suites.suite_theory import write
from benchmarks.suites.suite_worlds import trained
from mirrorenv.envs.audit import audit
from mirrorenv.results.board.suite import SuiteRow
from mirrorenv.results.folders.schema import Entry, Figure, Reference, SuiteMark

LEAK = (
    Figure(
        name="accuracy",
        title="Named, one policy for all",
        about="share of agents that a trained probe names right although all run one policy",
        share=True,
        better="low",
    ),
    Figure(
        name="leak",
        title="Leak",
        about="1 if either probe does better than chance, all tests of the audit together at the "
        "level 0.01",
        share=True,
        better="low",
    ),
)


def audited(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """`mirrorenv audit`: a line for each policy and each part of what an observer could see.

    Arguments of the row: `episodes` for each policy, and `options` of the world.
    """
    options = row.arguments.get("options", {})
    episodes = 32 if mark.smoke else row.arguments["episodes"]
    lines: dict[str, dict[int, dict[str, np.ndarray]]] = {}
    for seed in seeds[:1] if mark.smoke else seeds:
        report = audit(row.world, episodes=episodes, seed=seed * 2 * episodes, **options)
        chance = Reference(value=report.chance, source="chance")
        by_input: dict[str, list[float]] = {}
        for one in report.results:
            accuracy, leak = by_input.setdefault(f"{one.policy} policy: {one.input}", [np.nan, 0.0])
            # the same for all names nobody
            known = one.accuracy if one.p_value is not None else report.chance
            # the first probe of an input is the trained one
            best = known if np.isnan(accuracy) else accuracy
            by_input[f"{one.policy} policy: {one.input}"] = [best, max(leak, float(one.leak))]
        for name, (accuracy, leak) in by_input.items():
            lines.setdefault(name, {})[seed] = {
                "accuracy": np.array([accuracy]),
                "leak": np.array([leak]),
            }
    found = [
        (Entry(condition=name, agents="one policy", references={"accuracy": chance}), by_seed)
        for name, by_seed in lines.items()
    ]
    write(row, mark, folder, LEAK, found, **options)


RUNNERS = {"trained": trained, "audited": audited}
