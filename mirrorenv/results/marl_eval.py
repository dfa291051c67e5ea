"""Evaluations over training, from run folders, in the form that marl-eval reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mirrorenv.errors import RunFolderError
from mirrorenv.results.compare import read_results, varying_keys
from mirrorenv.results.record import figure
from mirrorenv.results.run_folder import RunFolder
from mirrorenv.results.statistics import marl_eval_json

__all__ = ["marl_eval_of_runs"]

FIGURES = {
    "return": ("return",),
    "mirror_return": ("mirror_return",),
    "top1": ("learned", "top1"),
    "information": ("learned", "information"),
}


def marl_eval_of_runs(folders: Iterable[Path]) -> dict[str, Any]:
    """Return, mirror return, top-1 and information of every evaluation of every run.

    Args:
        folders: finished run folders. Runs that differ in a setting are different algorithms, named by what differs.

    Raises:
        RunFolderError: if a run is damaged or unfinished, or two hold the same seed of the same condition.
    """
    results = read_results(folders)
    keys = [key for key in varying_keys(results) if key != "world"]
    scores: dict[str, dict[str, dict[int, list[dict[str, Any]]]]] = {}
    for result in results:
        condition = ", ".join(f"{key}={result.settings.get(key)}" for key in keys) or "mirrorenv"
        world = str(result.settings.get("world") or result.settings.get("env") or "unknown")
        seeds = scores.setdefault(world, {}).setdefault(condition, {})
        if result.seed in seeds:
            raise RunFolderError(f"{result.path} is seed {result.seed} of {condition} once more; a seed counts once")
        seeds[result.seed] = [_row(row) for row in RunFolder.open(result.path).evaluations()]
    return marl_eval_json(scores)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    found = {name: figure(row, *keys) for name, keys in FIGURES.items()}
    return {"env_steps": row["env_steps"], **{name: one.value for name, one in found.items() if one is not None}}
