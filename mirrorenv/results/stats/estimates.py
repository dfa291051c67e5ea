"""Two kinds of interval that must never be taken for one another, each a type of its own.

An interval over seeds says where another training run would land. One over the episodes of a single
run says how well that run was measured, and nothing about another one: it is usually far narrower.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror import Estimate, holm, rate_interval, t_interval
from mirrorenv.results.stats.statistics import (
    interquartile_mean,
    median,
    probability_of_improvement,
    tied_ranks,
)

__all__ = [
    "POOLINGS",
    "Comparison",
    "OverSeeds",
    "WithinRun",
    "compare_with",
    "over_seeds",
    "tied_groups",
]

POOLINGS: dict[str, Callable[[Sequence[float], bool], Estimate]] = {
    "mean": lambda sample, share: rate_interval(sample) if share else t_interval(sample),
    "median": lambda sample, share: median(sample),
    "interquartile mean": lambda sample, share: interquartile_mean(sample),
}
"""Ways to put seeds together, by name: (one value a seed, whether they are shares in [0, 1]) -> the
estimate with its interval. A new one is an entry."""


@dataclass(frozen=True)
class OverSeeds:
    """A figure of a condition.

    Attributes:
        estimate: with its interval over seeds.
        values: figure by seed.
        missing: seeds that have no such figure; they are in no mean.
    """

    estimate: Estimate
    values: Mapping[int, float]
    missing: tuple[int, ...] = ()


@dataclass(frozen=True)
class WithinRun:
    """A figure of a single run.

    Attributes:
        estimate: with its interval over the episodes of that run.
        seed: of the run.
    """

    estimate: Estimate
    seed: int


def over_seeds(
    values: Mapping[int, float],
    *,
    how: str = "mean",
    share: bool = False,
    missing: Sequence[int] = (),
) -> OverSeeds:
    """Put the seeds of one condition together.

    Args:
        values: figure by seed, at least one; infinite ones only for a median.
        how: a name of `POOLINGS`: `"mean"` with Student's t interval, `"median"` with order
            statistics, or `"interquartile mean"`.
        share: the figure lies in [0, 1], and so do the ends of its interval.
        missing: seeds without the figure.

    Raises:
        ShapeError: if there is no value, or one is not finite where it must be.
        ConfigError: for another `how`.
    """
    sample = [values[seed] for seed in sorted(values)]
    if how not in POOLINGS:
        raise ConfigError(f"seeds are put together by {', '.join(POOLINGS)}, not by {how!r}")
    found = POOLINGS[how](sample, share)
    return OverSeeds(found.within(0.0, 1.0) if share else found, dict(values), tuple(missing))


def tied_groups(
    cells: Mapping[str, OverSeeds], *, better: Literal["high", "low"] = "high"
) -> list[list[str]]:
    """Conditions from best to worst in groups whose order is not known; see `tied_ranks`.

    Args:
        cells: condition -> figure over at least two seeds.
        better: whether high or low values are better.

    Raises:
        ConfigError: for an interval within one run, or of one seed: these cannot be ranked.
    """
    for name, cell in cells.items():
        if not isinstance(cell, OverSeeds) or cell.estimate.n < 2:
            raise ConfigError(f"'{name}' has no interval over seeds; a single run cannot be ranked")
    if better == "high":
        return tied_ranks({name: cell.estimate for name, cell in cells.items()})
    return tied_ranks({name: _turned(cell.estimate) for name, cell in cells.items()})


def _turned(one: Estimate) -> Estimate:
    return Estimate(-one.value, -one.high, -one.low, one.n, one.method)


@dataclass(frozen=True)
class Comparison:
    """One condition against another, seed by seed.

    Attributes:
        condition: the one.
        against: the other.
        difference: mean of the differences by seed, Student's t interval over the shared seeds.
        improvement: probability that a run of the one beats a run of the other.
        p_value: of the paired t test; 1 where it cannot be computed.
        corrected: the same after Holm's correction over all comparisons made together.
        unmatched: seeds that only one of the two has.
    """

    condition: str
    against: str
    difference: OverSeeds
    improvement: Estimate
    p_value: float
    corrected: float
    unmatched: tuple[int, ...]


def compare_with(against: str, conditions: Mapping[str, Mapping[int, float]]) -> list[Comparison]:
    """Every other condition against one, with Holm's correction over all of them.

    Args:
        against: the control.
        conditions: condition -> figure by seed; higher is better for the probability of
            improvement.

    Raises:
        ConfigError: if the control is none of the conditions.
        ShapeError: if a condition shares no seed with it.
    """
    if against not in conditions:
        raise ConfigError(f"no condition '{against}'; there are: {', '.join(conditions)}")
    theirs = conditions[against]
    names = [name for name in conditions if name != against]
    for name in names:
        if not conditions[name].keys() & theirs.keys():
            raise ShapeError(f"'{name}' and '{against}' share no seed; run both with the same ones")
    p_values = [_p_value(conditions[name], theirs) for name in names]
    return [
        _comparison(name, conditions[name], against, theirs, p_value, float(corrected))
        for name, p_value, corrected in zip(names, p_values, holm(p_values), strict=True)
    ]


def _comparison(
    name: str,
    ours: Mapping[int, float],
    against: str,
    theirs: Mapping[int, float],
    p_value: float,
    corrected: float,
) -> Comparison:
    return Comparison(
        condition=name,
        against=against,
        difference=over_seeds({seed: ours[seed] - theirs[seed] for seed in _shared(ours, theirs)}),
        improvement=probability_of_improvement(list(ours.values()), list(theirs.values())),
        p_value=p_value,
        corrected=corrected,
        unmatched=tuple(sorted(ours.keys() ^ theirs.keys())),
    )


def _shared(ours: Mapping[int, float], theirs: Mapping[int, float]) -> list[int]:
    return sorted(ours.keys() & theirs.keys())


def _p_value(ours: Mapping[int, float], theirs: Mapping[int, float]) -> float:
    """Two-sided paired t test; differences without any spread prove nothing unless they are all
    alike and not zero."""
    seeds = _shared(ours, theirs)
    differences = np.array([ours[seed] - theirs[seed] for seed in seeds], np.float64)
    if len(differences) < 2:
        return 1.0
    if differences.std() == 0.0:
        alike = differences[0] == 0.0
        return 1.0 if alike else 2.0 ** (1 - len(differences))  # the sign test's
    return float(stats.ttest_1samp(differences, 0.0).pvalue)
