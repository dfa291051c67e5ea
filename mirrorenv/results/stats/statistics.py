"""Statistics of few runs beyond the mean: interquartile means, probabilities of improvement,
profiles, tied ranks.

The seed is the unit everywhere. Percentile bootstraps cover too seldom at 5 to 10 seeds
(`benchmarks/proofs/interval_coverage.py`), so the intervals here are studentised or exact; the
point estimates are those of Agarwal et al., "Deep Reinforcement Learning at the Edge of the
Statistical Precipice" (NeurIPS 2021).

Shape legend: S runs of one condition, R runs of the other, P thresholds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.mirror.intervals import Estimate

__all__ = [
    "interquartile_mean",
    "marl_eval_json",
    "median",
    "performance_profile",
    "probability_of_improvement",
    "tied_ranks",
]

_TRIM = 0.25


def interquartile_mean(values: npt.ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean of the middle half of the runs: the lowest and the highest `floor(S / 4)` are left
    out.

    The interval is Tukey and McLaughlin's (Sankhya A 1963): Student's t with the winsorised
    standard deviation over `(1 - 2 g / S) sqrt(S)`, g runs trimmed at each end, and `S - 2 g -
    1` degrees of freedom.

    Args:
        values: (S,) one finite number for each run.
        confidence: in (0, 1).

    Raises:
        ShapeError: if there is no value or one is not finite.
        ConfigError: if the confidence is not in (0, 1).
    """
    sample = np.sort(_runs("values", values))
    _check(confidence)
    count = len(sample)
    trimmed = int(_TRIM * count)
    mean = float(stats.trim_mean(sample, _TRIM))
    freedom = count - 2 * trimmed - 1
    if freedom < 1:
        return Estimate(
            mean, -math.inf, math.inf, count, "interquartile mean: too few runs for an interval"
        )
    winsorised = np.clip(sample, sample[trimmed], sample[count - 1 - trimmed])
    error = float(winsorised.std(ddof=1)) / ((1 - 2 * trimmed / count) * math.sqrt(count))
    half = float(stats.t.ppf(0.5 + confidence / 2, freedom)) * error
    return Estimate(
        mean,
        mean - half,
        mean + half,
        count,
        f"interquartile mean of {count} runs, Tukey-McLaughlin",
    )


def median(values: npt.ArrayLike, confidence: float = 0.95) -> Estimate:
    """The median of the runs, with the distribution-free interval between two order statistics.

    The ends are the k-th lowest and k-th highest run, k the largest number that fewer than k runs
    lie below the median with probability at most `(1 - confidence) / 2` (David and Nagaraja,
    "Order Statistics", 2003, section 7.1; `scipy.stats.quantile_test`). Below six runs no two of
    them enclose 95 %, and the interval has no ends.

    Args:
        values: (S,) one number for each run; infinite ones (it never happened) are fine.
        confidence: in (0, 1).

    Raises:
        ShapeError: if there is no value or one is NaN.
        ConfigError: if the confidence is not in (0, 1).
    """
    sample = np.sort(np.asarray(values, np.float64))
    if sample.ndim != 1 or not len(sample) or np.isnan(sample).any():
        raise ShapeError(
            f"values must be a list of numbers, at least one; got shape {sample.shape}"
        )
    _check(confidence)
    count = len(sample)
    # the stubs give a float for what is an interval
    ends: Any = stats.quantile_test(sample, p=0.5).confidence_interval(confidence)
    # NaN is SciPy's word for an end that no run can be
    low = -math.inf if np.isnan(ends.low) else float(ends.low)
    high = math.inf if np.isnan(ends.high) else float(ends.high)
    below = float(sample[(count - 1) // 2])
    above = float(sample[count // 2])
    # inf - inf has no mean, but is its own
    value = below if below == above else (below + above) / 2
    return Estimate(value, low, high, count, f"median of {count} runs, order statistics")


def probability_of_improvement(
    ours: npt.ArrayLike, theirs: npt.ArrayLike, confidence: float = 0.95
) -> Estimate:
    """How likely a run of one condition beats a run of the other, ties counted half: P(X > Y) + P(X
    = Y) / 2.

    The interval is Brunner and Munzel's (Biometrical Journal 2000), Student's t with
    Satterthwaite's degrees of freedom on the placements. Where every run of one condition beats
    every run of the other that interval has no width, and the exact one on `min(S, R)`
    independent pairs is given (Clopper and Pearson 1934), which is too wide, not too narrow.

    Args:
        ours: (S,) one finite number for each run.
        theirs: (R,) likewise; the runs are not paired.
        confidence: in (0, 1).

    Raises:
        ShapeError: if a sample is empty or holds a number that is not finite.
        ConfigError: if the confidence is not in (0, 1).
    """
    x = _runs("ours", ours)
    y = _runs("theirs", theirs)
    _check(confidence)
    wins = (x[:, None] > y).astype(np.float64) + 0.5 * (x[:, None] == y)  # (S, R)
    value = float(wins.mean())
    pairs = min(len(x), len(y))
    by_x = wins.mean(axis=1)  # (S,) placements
    by_y = wins.mean(axis=0)  # (R,) placements
    if pairs < 2 or (np.ptp(by_x) == 0 and np.ptp(by_y) == 0):
        return _on_pairs(value, pairs, confidence)
    parts = np.array([by_x.var(ddof=1) / len(x), by_y.var(ddof=1) / len(y)])
    error = math.sqrt(float(parts.sum()))
    freedom = float(parts.sum() ** 2 / (parts**2 / [len(x) - 1, len(y) - 1]).sum())
    half = float(stats.t.ppf(0.5 + confidence / 2, freedom)) * error
    method = f"Brunner-Munzel on {len(x)} and {len(y)} runs"
    return Estimate(value, value - half, value + half, pairs, method).within(0.0, 1.0)


def _on_pairs(value: float, pairs: int, confidence: float) -> Estimate:
    """All won, all lost, or nothing but ties: what that many independent pairs can say."""
    method = f"Clopper-Pearson on {pairs} pairs"
    if value not in (0.0, 1.0):
        return Estimate(value, 0.0, 1.0, pairs, "no spread to estimate from")
    found = stats.binomtest(round(value * pairs), pairs).proportion_ci(confidence, method="exact")
    return Estimate(value, float(found.low), float(found.high), pairs, method)


def performance_profile(
    values: npt.ArrayLike, thresholds: npt.ArrayLike, confidence: float = 0.95
) -> tuple[Floats64, Floats64, Floats64]:
    """Share of runs above each threshold, with exact binomial intervals at each threshold by
    itself.

    Args:
        values: (S,) one finite number for each run.
        thresholds: (P,) in any order.
        confidence: in (0, 1), of each point, not of the curve as a whole.

    Returns:
        share, low and high, each (P,) in [0, 1].

    Raises:
        ShapeError: if there is no value or one is not finite.
        ConfigError: if the confidence is not in (0, 1).
    """
    sample = _runs("values", values)
    levels = _runs("thresholds", thresholds)
    _check(confidence)
    above = (sample[:, None] > levels).sum(axis=0)  # (P,)
    count = len(sample)
    ends = [stats.binomtest(int(k), count).proportion_ci(confidence, method="exact") for k in above]
    return above / count, np.array([end.low for end in ends]), np.array([end.high for end in ends])


def tied_ranks(estimates: Mapping[str, Estimate]) -> list[list[str]]:
    """Conditions from best to worst, in groups whose order is not known.

    Conditions whose intervals overlap share a group, and so do those that a chain of overlaps
    connects. Overlap is no proof of equality, and the ends of a chain may differ: the ranking errs
    on the side of saying nothing.

    Args:
        estimates: condition -> estimate; an undefined value (NaN) is an error.

    Returns:
        the groups, best first; within a group by value.

    Raises:
        ShapeError: if a value is not finite.
    """
    if any(not math.isfinite(one.value) for one in estimates.values()):
        raise ShapeError("tied_ranks: every condition needs a finite value")
    groups: list[list[str]] = []
    floors: list[float] = []  # the lowest end of each group; falling, as groups do not overlap
    for name in sorted(estimates, key=lambda name: (-estimates[name].value, name)):
        group = [name]
        floor = estimates[name].low
        # A wide interval may reach past the last group: everything from the first group it touches
        # is one.
        while groups and floors[-1] <= estimates[name].high:
            before = groups.pop()
            before.extend(group)
            group = before
            floor = min(floors.pop(), floor)
        groups.append(group)
        floors.append(floor)
    return groups


def marl_eval_json(
    scores: Mapping[str, Mapping[str, Mapping[int, Sequence[Mapping[str, Any]]]]],
) -> dict[str, Any]:
    """Results in the form that marl-eval reads: environment -> task -> algorithm -> seed -> step.

    Args:
        scores: task (a world's id) -> condition -> seed -> evaluations in order, each with
            `env_steps` and any further finite numbers.

    Returns:
        nested dictionaries for `json.dumps`: under each seed `step_0`, `step_1`, ... with
        `step_count` and a list of values for each metric, and `absolute_metrics` from the last
        evaluation.

    Raises:
        ShapeError: if a run has no evaluation.
    """
    answer: dict[str, Any] = {}
    for task, conditions in scores.items():
        suite, _, name = task.rpartition("/")
        runs = answer.setdefault(suite or "mirrorenv", {}).setdefault(name, {})
        for condition, seeds in conditions.items():
            for seed, rows in seeds.items():
                if not rows:
                    raise ShapeError(f"{task}, {condition}, seed {seed} has no evaluation")
                steps = {f"step_{i}": _marl_eval_step(row) for i, row in enumerate(rows)}
                last = {
                    key: value
                    for key, value in _marl_eval_step(rows[-1]).items()
                    if key != "step_count"
                }
                runs.setdefault(condition, {})[f"seed_{seed}"] = {**steps, "absolute_metrics": last}
    return answer


def _marl_eval_step(row: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {
        key: value
        for key, value in row.items()
        if key != "env_steps" and isinstance(value, int | float)
    }
    metrics = {key: [float(value)] for key, value in numbers.items() if math.isfinite(value)}
    return {"step_count": int(row["env_steps"]), **metrics}


def _runs(name: str, values: npt.ArrayLike) -> Floats64:
    sample = np.asarray(values, np.float64)
    if sample.ndim != 1 or not len(sample) or not np.isfinite(sample).all():
        raise ShapeError(
            f"{name} must be a list of finite numbers, at least one; got shape {sample.shape}"
        )
    return sample


def _check(confidence: float) -> None:
    if not 0.0 < confidence < 1.0:
        raise ConfigError(f"confidence must be in (0, 1), got {confidence}")
