"""Does the mirror reward divide the labour of a shared network in Pac-Men? Every recorded run, by
who looked at what.

    python benchmarks/suites/suite.py labour --out benchmarks/results/labour
    python benchmarks/figures/labour_table.py [--results benchmarks/results]

Three rounds of the same settings, none with a seed of another: seeds 10 to 19 (`pacmen_labour.py`,
whose result made the claim), 0 to 4 (suite `worlds`; on seed 3 of them it was decided what
observers read) and 20 to 29 (suite `labour`, begun when the claim stood). Specialist fraction,
and the probability that a run with the mirror beats one of the row; of each round and of all
together.
"""

from __future__ import annotations

from pathlib import Path

import _root  # noqa: F401

from benchmarks.figures.worlds_table import fractions_of, recorded
from benchmarks.shared.grid import interval, print_table
from benchmarks.shared.runner import Script
from mirrorenv.errors import ResultError
from mirrorenv.results import probability_of_improvement
from mirrorenv.results.runs.files import read_json

MIRROR = "author"
FIRST = "pacmen_labour_observations.json"
NAMES = {"shared-mirror1-observations": MIRROR, "shared-mirror0": "weight-0"}  # of the first round
Round = dict[str, dict[int, float]]
"""Row -> seed -> specialist fraction."""


def rounds_of(results: Path) -> dict[str, Round]:
    """What is recorded, by seeds."""
    first = read_json(results / FIRST)
    found = {"seeds 10 to 19": {row: _by_seed(first[name]) for name, row in NAMES.items()}}
    for suite, words in (("worlds", "seeds 0 to 4"), ("labour", "seeds 20 and up")):
        found[words] = {
            name.removeprefix("pacmen-shared-"): fractions_of(seeds)
            for name, seeds in recorded(results / suite).items()
            if name.startswith("pacmen-shared-")
        }
    return {words: one for words, one in found.items() if MIRROR in one}


def _by_seed(held: dict[str, object]) -> dict[int, float]:
    seeds = held["seeds"]
    fractions = held["specialist_fraction"]
    assert isinstance(seeds, list) and isinstance(fractions, dict)
    return {int(seed): float(value) for seed, value in zip(seeds, fractions["values"], strict=True)}


def together(rounds: dict[str, Round]) -> Round:
    """All rounds as one.

    Raises:
        ResultError: if a seed of a row is in two of them.
    """
    whole: Round = {}
    for words, one in rounds.items():
        for row, values in one.items():
            held = whole.setdefault(row, {})
            if twice := sorted(held.keys() & values.keys()):
                raise ResultError(f"{words}: seed {twice[0]} of '{row}' is in another round, too")
            held |= values
    return whole


def lines(words: str, one: Round) -> list[list[str]]:
    """Rows of the table."""
    found = []
    for row, values in sorted(one.items(), key=lambda item: item[0] != MIRROR):
        sample = list(values.values())
        good = f"{sum(value >= 0.8 for value in sample)} of {len(sample)}"
        beats = (
            ""
            if row == MIRROR
            else str(probability_of_improvement(list(one[MIRROR].values()), sample))
        )
        found.append(
            [
                words,
                row,
                interval(sample),
                good,
                beats,
                " ".join(f"{value:.2f}" for value in sample),
            ]
        )
    return found


def main() -> None:
    """Print the table."""
    script = Script(__doc__)
    script.add_argument("--results", type=Path, default=Path("benchmarks/results"))
    rounds = rounds_of(script.parse().results)
    rows = [line for words, one in rounds.items() for line in lines(words, one)]
    rows += lines("all", together(rounds))
    columns = ["round", "row", "specialist fraction", "0.8 or more", "mirror beats it", "by seed"]
    print_table(
        "Pac-Men tini, shared weights, observers of the mirror row read observations, last "
        "checkpoint",
        columns,
        rows,
    )


if __name__ == "__main__":
    main()
