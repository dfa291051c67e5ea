"""Does a result follow from its seed? The run is trained again and its tables compared bit by bit.

Training is bit-reproducible in one process on a CPU of one kind (`docs/design-notes.md`). On
another kind the answer is that it cannot be compared, never that it is false.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mirrorenv.errors import ResultError
from mirrorenv.named_code import unnamed_code
from mirrorenv.population.export import export_run
from mirrorenv.population.proof import PLAYED, READ, unlike
from mirrorenv.population.weight_file import this_machine
from mirrorenv.results.folders.proof import Proof, Proved, difference
from mirrorenv.results.folders.result_folder import ResultFolder
from mirrorenv.results.folders.schema import Result
from mirrorenv.results.folders.tables import Table, num_rows
from mirrorenv.rllib.recorded import settings_of
from mirrorenv.rllib.run import Progress, train

__all__ = ["planned_steps", "retrain"]


def retrain(
    folder: ResultFolder,
    tables: Mapping[str, Table],
    *,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Proof:
    """Train the run of a result again and compare what its agents do and believe.

    Args:
        folder: files, scores and steps were found true before.
        tables: of it.
        progress: called as the run goes on.
        say: told once what is begun.

    Returns:
        what was found; a level only if all tables are the same to the bit.

    Raises:
        ResultError: if it was computed on a machine of this kind and comes out otherwise.
    """
    result = folder.result
    if (why := _not_repeatable(result)) is not None:
        return Proof(unchecked=(f"not trained again: {why}",))
    settings = settings_of(result)
    say(f"training {settings.world} again for {settings.total_steps:,} steps")
    with tempfile.TemporaryDirectory(prefix="mirrorenv-retrain-") as place:
        train(settings, Path(place) / "run", if_exists="refuse", progress=progress)
        made = export_run(
            Path(place) / "run",
            Path(place) / "result",
            episodes=num_rows(tables["trials"]),
            seed=result.config["seed"],
            condition=result.entries[0].condition,
            over_time="evidence" in tables,
            world=result.world,
            form="npz",
        )
        again = ResultFolder.open(made)
        wrong = unlike(tables, again.tables(), (*PLAYED, *READ))
        if wrong is None and result.weights is not None and again.result.weights is not None:
            same = result.weights.sha256 == again.result.weights.sha256
            wrong = None if same else "other weights"
    if wrong is None:
        said = f"{settings.total_steps:,} steps trained again from seed {settings.seed}"
        return Proof(Proved.TRAINING, (f"{said}: the same to the bit",))
    elsewhere = difference(result.machine, this_machine())
    if elsewhere is None:
        raise ResultError(f"trained again from its seed it comes out otherwise: {wrong}")
    return Proof(unchecked=(f"trained again, and not comparable here ({wrong}): {elsewhere}",))


def planned_steps(result: Result) -> int:
    """How many steps `retrain` would train for; 0 if it would not."""
    return 0 if _not_repeatable(result) is not None else settings_of(result).total_steps


def _not_repeatable(result: Result) -> str | None:
    run = result.config.get("run")
    if result.kind != "population" or not isinstance(run, Mapping):
        return f"a result of kind '{result.kind}' names no run to train"
    if unnamed := unnamed_code(result.config):
        return f"its settings name code ({unnamed[0]}); name it to run it: --code {unnamed[0]}"
    resources: Any = run.get("resources") or {}
    spread = [
        name for name in ("env_runners", "learners", "gpus_per_learner") if resources.get(name)
    ]
    if spread or resources.get("address", "local") != "local":
        return "it was trained by several processes or on a GPU, which is not repeatable to the bit"
    seed = result.config.get("seed")
    if isinstance(seed, bool) or not isinstance(seed, int):
        return "config.seed does not say the seed of the episodes"
    return None
