"""Runners of the suite `theory`: closed forms beside what is measured.

`benchmarks/suites/suite.py theory` runs them.

One-step games: every number is a row of `critical_weight.py`, one value for each seed. Dirichlet
agents: the matches of `dirichlet_table.py`, kept one by one, and the learned observers of
`observers.py` on the same kind of agents.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.studies import critical_exact, critical_learned
from benchmarks.studies import dirichlet_table as dirichlet
from mirrorenv.results.board.suite import SuiteRow
from mirrorenv.results.folders.result_folder import write_result
from mirrorenv.results.folders.schema import Entry, Figure, Reference, Result, SuiteMark
from mirrorenv.results.folders.tables import Table
from mirrorenv.results.runs.versions import git_state, installed_versions

Floats = npt.NDArray[np.floating[Any]]
Measured = list[tuple[Entry, dict[int, Mapping[str, Floats]]]]
"""Entries with figures by seed; each figure is an array with one value a draw."""

MEASURED = Figure(name="measured", title="Measured", about="in the unit of the prediction")
RECOGNISED = (
    Figure(
        name="top1",
        title="Recognised",
        about="share of trajectories given to their author",
        share=True,
        better="high",
    ),
    Figure(
        name="exact",
        title="All right",
        about="share of matches with every name right",
        share=True,
        better="high",
    ),
    Figure(
        name="nats",
        title="Information (nats)",
        about="log N + mean log belief in the author",
        better="high",
    ),
)
SHARE = Figure(
    name="share",
    title="Share of the limit",
    about="information over the exact limit's",
    better="high",
)


def write(
    row: SuiteRow,
    mark: SuiteMark,
    folder: Path,
    figures: Iterable[Figure],
    found: Measured,
    **options: Any,
) -> None:
    """A result folder of kind table."""
    parts: dict[str, list[Any]] = {"entry": [], "seed": [], "episode": []}
    shown = tuple(figures)
    for number, (_, seeds) in enumerate(found):
        for seed, columns in seeds.items():
            draws = len(next(iter(columns.values())))
            parts["entry"].append(np.full(draws, number))
            parts["seed"].append(np.full(draws, seed))
            parts["episode"].append(np.arange(draws))
            for figure in shown:
                parts.setdefault(figure.name, []).append(
                    np.asarray(columns.get(figure.name, np.full(draws, np.nan)))
                )
    table: Table = {name: np.concatenate(values) for name, values in parts.items()}
    result = Result(
        kind="table",
        title=f"{mark.name}, {row.row}",
        world=row.world,
        world_options=options,
        entries=tuple(entry for entry, _ in found),
        figures=shown,
        seeds=tuple(next(iter(found))[1]),
        suite=mark,
        config={
            "command": f"python benchmarks/suites/suite.py {mark.name} --only {row.row}",
            "arguments": row.arguments,
        },
        versions=installed_versions(),
        git=git_state(),
    )
    write_result(folder, result, {"episodes": table}, overwrite=True)


def optima(**size: int) -> list[critical_exact.Row]:
    """Best joint policies in conformity of a size, or in identity if no size is given."""
    if size:
        return critical_exact.conformity_optimum(**size)
    return critical_exact.identity_optimum()


def orbits(plan: critical_exact.Plan, **size: int) -> list[critical_exact.Row]:
    """Orbits in conformity of a size, or in identity if no size is given."""
    if size:
        return critical_exact.conformity_orbit(plan, **size)
    return critical_exact.identity_orbit(plan)


def one_step(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """Rows of `critical_weight.py`; the argument `part` names its function."""
    plan = critical_exact.Plan(len(seeds), mark.smoke)
    arguments = dict(row.arguments)
    part = arguments.pop("part")
    makers = {
        "optimum": lambda: optima(**arguments),
        "orbit": lambda: orbits(plan, **arguments),
        "learned": lambda: critical_learned.learned_case(plan, **arguments),
        "capacity": lambda: critical_learned.reach_case(plan, **arguments),
        "escape": lambda: critical_learned.escape(plan),
    }
    lines = makers[part]()
    pooling = "median" if part in ("orbit", "learned") else "mean"
    found = [_one_step(line) for line in lines]
    write(
        row,
        mark,
        folder,
        [MEASURED.model_copy(update={"over_seeds": pooling})],
        found,
        **_size(lines[0]["what"]),
    )


def _size(what: str) -> dict[str, int]:
    """N and K as they stand in the words of a row; two where it names none."""
    named = dict(word.split("=") for word in re.findall(r"[NK]=\d+", what))
    return {
        "N": int(named.get("N", 4 if "tenfold" in what else 2)),
        "K": int(named.get("K", 5 if "tenfold" in what else 2)),
    }


def _one_step(line: dict[str, Any]) -> tuple[Entry, dict[int, Mapping[str, Floats]]]:
    """A row of `critical_weight.py` as an entry. A seed that parted at no weight counts as the
    largest one tried."""
    exact = line["method"] == "exhaustive"
    source = f"closed form {line['formula']}"
    if "parted_at" in line and line["part"] == "learned":
        tried = list(line["parted_at"])
        source += f"; weights {tried[0]} to {tried[-1]} tried"
    words = re.sub(r"^(identity|conformity)? ?(N=\d+)? ?(K=\d+)?[,:]? ?", "", line["what"])
    sampled = line["part"] == "learned" and "exact gradient" not in words
    entry = Entry(
        condition=f"{line['part']}, {words}",
        agents="exact" if exact else "sampled gradient" if sampled else "exact gradient",
        exact=exact,
        references={"measured": Reference(value=line["predicted"], source=source)},
    )
    values = [line["value"]] if exact else line["seeds"]
    return entry, {seed: {"measured": np.array([value])} for seed, value in enumerate(values)}


def known_policies(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """The best possible observer of tabular random agents, reading each trajectory alone and all
    together."""
    agents, alpha, steps, matches = (
        row.arguments[name] for name in ("agents", "alpha", "steps", "matches")
    )
    kept = seeds[:2] if mark.smoke else seeds
    drawn = {
        s: dirichlet.known_matches(agents, alpha, steps, 20 if mark.smoke else matches, s)
        for s in kept
    }
    recorded = dict(zip(dirichlet.COLUMNS, dirichlet.REFERENCE[agents, alpha][steps], strict=True))
    source = f"{dirichlet.reference_matches(agents)} recorded matches"
    found: Measured = []
    for name, nats in (("independent", "nats"), ("joint", "joint nats")):
        columns = {"top1": f"{name} top-1", "exact": f"exact {name}", "nats": nats}
        references = {
            figure: Reference(value=float(recorded[column]), source=source)
            for figure, column in columns.items()
            if column in recorded
        }
        words = "each alone" if name == "independent" else "all together"
        by_seed = {}
        for seed, matches_of in drawn.items():
            by_seed[seed] = {
                figure: matches_of[column].astype(np.float32) for figure, column in columns.items()
            }
        found.append(
            (
                Entry(
                    condition=f"exact limit, {words}", agents="exact limit", references=references
                ),
                by_seed,
            )
        )
    write(row, mark, folder, RECOGNISED, found, N=agents, alpha=alpha, T=steps)


def few_shot(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """The best possible observer that has seen labelled past episodes instead of the policies."""
    agents, alpha, steps, matches = (
        row.arguments[name] for name in ("agents", "alpha", "steps", "matches")
    )
    kept = seeds[:2] if mark.smoke else seeds
    size = 20 if mark.smoke else matches
    drawn = {s: dirichlet.few_shot_matches(agents, float(alpha), steps, size, s) for s in kept}
    found: Measured = []
    for past in drawn[kept[0]]:
        for index, words in enumerate(("each alone", "all together")):
            after = past if "known" in past else f"after {past} past episodes"
            by_seed = {s: {"nats": one[past][index].astype(np.float32)} for s, one in drawn.items()}
            found.append((Entry(condition=f"{after}, {words}", agents="exact limit"), by_seed))
    write(row, mark, folder, RECOGNISED[2:], found, N=agents, alpha=alpha, T=steps)


def learned_observers(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """Trained heads and counting baselines on fixed tabular agents, decoded over the lineup."""
    import torch

    from benchmarks.studies import observers

    torch.set_num_threads(1)
    (seed,) = seeds
    episodes, epochs = (
        (40, 1) if mark.smoke else (row.arguments["episodes"], row.arguments["epochs"])
    )
    found: Measured = []
    for line in observers.measure("dirichlet", seed, episodes, epochs):
        values = {
            "share": line["lineup efficiency"],
            "nats": line["lineup information"],
            "top1": line["lineup top1"],
        }
        columns = {
            name: np.array([math.nan if one is None else one.value]) for name, one in values.items()
        }
        kind = "exact limit" if line["observer"] == "exact limit" else "observer"
        found.append((Entry(condition=line["observer"], agents=kind), {seed: columns}))
    write(row, mark, folder, (SHARE, RECOGNISED[2], RECOGNISED[0]), found, N=4, alpha=8, T=20)


RUNNERS = {
    "one_step": one_step,
    "known_policies": known_policies,
    "few_shot": few_shot,
    "learned_observers": learned_observers,
}
