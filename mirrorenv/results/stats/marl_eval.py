"""Evaluations over training, from run folders, in the form that marl-eval reads.

marl-eval (Gorsane et al. 2022) asks for more than a shape: no comma in an algorithm's name; within
an environment the same algorithms in every task, the same number of runs and of evaluations
everywhere, the same metrics in every step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from mirrorenv.errors import RunFolderError
from mirrorenv.mirror.intervals import Estimate
from mirrorenv.results.runs.evaluation import Evaluation
from mirrorenv.results.runs.run_folder import RunFolder
from mirrorenv.results.stats.run_results import read_results, varying_keys
from mirrorenv.results.stats.statistics import marl_eval_json

__all__ = ["marl_eval_of_runs"]

Scores = dict[str, dict[str, dict[int, list[dict[str, Any]]]]]
"""World -> condition -> seed -> evaluations in order."""

FIGURES: dict[str, Callable[[Evaluation], Estimate | None]] = {
    "return": lambda one: one.environment_return,
    "mirror_return": lambda one: one.mirror_return,
    "top1": lambda one: one.learned.top1,
    "information": lambda one: one.learned.information,
}


def marl_eval_of_runs(folders: Iterable[Path]) -> dict[str, Any]:
    """Return, mirror return, top-1 and information of every evaluation of every run.

    Args:
        folders: finished run folders. Runs that differ in a setting are different algorithms, named
            by what differs.

    Returns:
        environment -> task -> algorithm -> seed -> step. A figure that some evaluation lacks (a
        mirror return before training, say) is left out everywhere, since marl-eval wants the same
        metrics in every step.

    Raises:
        RunFolderError: if a run is damaged or unfinished, two hold the same seed of the same
            condition, or conditions differ in seeds or in the number of evaluations, which
            marl-eval cannot aggregate.
    """
    results = read_results(folders)
    keys = [key for key in varying_keys(results) if key != "world"]
    scores: Scores = {}
    for result in results:
        condition = "; ".join(f"{key}={result.settings.get(key)}" for key in keys) or "mirrorenv"
        condition = condition.replace(",", ";")
        world = str(result.settings.get("world") or result.settings.get("env") or "unknown")
        seeds = scores.setdefault(world, {}).setdefault(condition, {})
        if result.seed in seeds:
            raise RunFolderError(
                f"{result.path} is seed {result.seed} of {condition} once more; a seed counts once"
            )
        rows = RunFolder.open(result.path).evaluations()
        figures = [_figures(Evaluation.from_dict(row)) for row in rows]
        if any(one["env_steps"] is None for one in figures):
            raise RunFolderError(f"{result.path}: an evaluation does not say after how many steps")
        seeds[result.seed] = figures
    _check_balance(scores)
    return marl_eval_json(_same_figures(scores))


def _check_balance(scores: Scores) -> None:
    """Refuse what marl-eval would stumble over, and name it."""
    told: dict[str, tuple[str, list[str], list[int], int]] = {}
    for world, conditions in scores.items():
        for condition, seeds in conditions.items():
            counts = {len(rows) for rows in seeds.values()}
            here = world, sorted(conditions), sorted(seeds), min(counts)
            first = told.setdefault(world.rpartition("/")[0], here)
            for what, ours, theirs in zip(
                ("conditions", "seeds", "evaluations"), here[1:], first[1:], strict=True
            ):
                if ours != theirs or (what == "evaluations" and len(counts) > 1):
                    raise RunFolderError(
                        f"marl-eval needs the same {what} everywhere: {world}, {condition} has "
                        f"{ours}, {first[0]} has "
                        f"{theirs}; give runs that match"
                    )


def _only(names: set[str], row: dict[str, Any]) -> dict[str, Any]:
    """The entries of a row with these names."""
    return {name: value for name, value in row.items() if name in names}


def _same_figures(scores: Scores) -> Scores:
    """The same with those figures only that every evaluation has."""
    common = set.intersection(*map(set, _rows(scores))) if scores else set()

    def kept(run: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [_only(common, row) for row in run]

    answer: Scores = {}
    for world, conditions in scores.items():
        for condition, seeds in conditions.items():
            runs = {seed: kept(run) for seed, run in seeds.items()}
            answer.setdefault(world, {})[condition] = runs
    return answer


def _rows(scores: Scores) -> Iterator[dict[str, Any]]:
    """Every evaluation of every run."""
    for conditions in scores.values():
        for seeds in conditions.values():
            for run in seeds.values():
                yield from run


def _figures(evaluation: Evaluation) -> dict[str, Any]:
    found: dict[str, Any] = {"env_steps": evaluation.env_steps}
    for name, read in FIGURES.items():
        one = read(evaluation)
        if one is not None:
            found[name] = one.value
    return found
