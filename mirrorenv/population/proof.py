"""Does the evidence of a result follow from its weights? The episodes are played and read again.

The network is built from the settings of the run, not from anything beside the weights, so that a
result of a row is of the network of the row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from mirrorenv.envs import make_batch
from mirrorenv.errors import MirrorError, ResultError
from mirrorenv.named_code import unnamed_code
from mirrorenv.population.experience import population_shape
from mirrorenv.population.export import read_episodes
from mirrorenv.population.migration import read_draws, read_run
from mirrorenv.population.population import Population
from mirrorenv.population.settings import PopulationSettings
from mirrorenv.population.weight_file import LARGEST, put_weights, this_machine, weight_bytes
from mirrorenv.results.folders.proof import Proof, Proved, difference
from mirrorenv.results.folders.result_folder import WEIGHTS, ResultFolder
from mirrorenv.results.folders.schema import Result, Weights
from mirrorenv.results.folders.tables import Table, num_rows
from mirrorenv.results.runs.files import read_bytes
from mirrorenv.results.runs.limits import at_most

__all__ = ["prove_from_weights", "unlike"]

CLOSE = 1e-4
"""Relative, in nats: what sums in another order may change of a number."""
LEAN = 1e-6
"""The same of a whole column, on average: less than anybody's score could gain by."""
PLAYED = ("steps", "trials", "labels", "shown")
"""Tables of what was done and shown."""
READ = ("beliefs", "evidence")
"""Tables of what was made of it."""
_MOST = 512  # megabytes for a network that is built


def prove_from_weights(folder: ResultFolder, tables: Mapping[str, Table]) -> Proof:
    """Play the episodes of a population result again with its weights, and read them again.

    Args:
        folder: files, scores and steps were found true before.
        tables: of it.

    Returns:
        what was found; a level only if every episode came out the same.

    Raises:
        ResultError: if the weights are not those that the result names, do not fit the settings of
            the run, or give other episodes or other evidence on a machine of the same kind.
    """
    result = folder.result
    if result.weights is None:
        return Proof()
    if unnamed := unnamed_code(result.config):
        named = f"its settings are code ({unnamed[0]}); name it to run it: --code {unnamed[0]}"
        return Proof(unchecked=(named,))
    population = _network(result)
    _refuse_other_size(population, result.weights)
    if not result.weights.held:
        size = f"{result.weights.bytes:,} bytes"
        return Proof(unchecked=(f"the weights ({size}) are named by their hash only",))
    _fill(population, folder, result.weights)
    with _threads(result):
        found = read_episodes(
            population,
            result.world,
            result.world_options,
            episodes=num_rows(tables["trials"]),
            seed=_seed_of_episodes(result),
            over_time="evidence" in tables,
            draws=read_draws(result.config["run"]),
        ).tables
    elsewhere = difference(result.machine, this_machine())
    for what, stems, close in (
        ("episodes are not those that its weights play", PLAYED, 0.0),
        ("evidence is not what its weights give", READ, CLOSE),
    ):
        wrong = unlike(tables, found, stems, close)
        if wrong is not None and elsewhere is None:
            raise ResultError(f"the {what}: {wrong}")
        if wrong is not None:
            return Proof(unchecked=(f"the weights are not comparable here: {elsewhere}",))
    said = f"{num_rows(tables['trials'])} episodes played and read again by the weights"
    return Proof(Proved.WEIGHTS, (said,))


def unlike(
    held: Mapping[str, Table], found: Mapping[str, Table], stems: tuple[str, ...], close: float = 0
) -> str | None:
    """The first difference between tables; None if there is none.

    Args:
        held: tables of a result.
        found: the same, computed again.
        stems: which of them.
        close: how far numbers with a fraction may lie apart, relative to the larger of themselves
            and 1.
    """
    for stem in stems:
        if (stem in held) != (stem in found):
            return f"the table '{stem}' is there only once"
        if stem not in held:
            continue
        if held[stem].keys() != found[stem].keys():
            return f"{stem}: other columns"
        for name, column in found[stem].items():
            ours = np.asarray(column)
            theirs = np.asarray(held[stem][name])
            if ours.shape != theirs.shape or not _alike(ours, theirs, close):
                return f"{stem}: the column '{name}' differs"
    return None


def _alike(ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any], close: float) -> bool:
    if not close or ours.dtype.kind != "f":
        return bool(np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f"))
    apart = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    apart /= np.abs(ours).clip(1.0)
    return bool((apart <= close).all() and apart.mean() <= LEAN)


def _network(result: Result) -> Population:
    """The network of the run's settings."""
    run = result.config.get("run")
    if not isinstance(run, Mapping):
        raise ResultError("config.run does not say the settings of the run")
    settings = read_run(run).get("population", {})
    if (wide := _largest(settings)) > LARGEST:
        raise ResultError(f"config.run: no network of settings as large as {wide} is built here")
    try:
        shape = population_shape(make_batch(result.world, 1, **result.world_options))
        with at_most(_MOST):
            return Population(shape, PopulationSettings.checked(settings, "config.run.population"))
    except (MirrorError, RuntimeError, MemoryError) as error:
        raise ResultError(f"config.run: no population can be made of it: {error}") from error


def _refuse_other_size(population: Population, said: Weights) -> None:
    """What the settings make says how long the file is, and whether it belongs into the folder."""
    size = len(weight_bytes(population))
    if said.bytes != size:
        raise ResultError(
            f"the result says that its weights take {said.bytes:,} bytes, and the network of its "
            f"settings takes {size:,}"
        )
    if not said.held and size < LARGEST:
        raise ResultError(
            f"weights of {size:,} bytes belong into the folder, and the result names their hash "
            "only; export it again"
        )


def _fill(population: Population, folder: ResultFolder, said: Weights) -> None:
    """Put the weights of the folder into the network."""
    place = folder.path / WEIGHTS
    if not place.is_file():
        raise ResultError(f"{place} is missing, and the result says that it holds its weights")
    if said.bytes >= LARGEST or place.stat().st_size != said.bytes:
        raise ResultError(
            f"{place} has {place.stat().st_size:,} bytes where {said.bytes:,} are said; a result "
            f"holds weights of less than {LARGEST:,}"
        )
    data = read_bytes(place)
    if hashlib.sha256(data).hexdigest() != said.sha256:
        raise ResultError(f"{place} does not hold the weights that the result names")
    put_weights(population, data, str(place))
    population.eval()


def _largest(value: Any) -> float:
    """The largest number anywhere in settings."""
    if isinstance(value, Mapping):
        return max(map(_largest, value.values()), default=0)
    if isinstance(value, list | tuple):
        return max(map(_largest, value), default=0)
    return abs(value) if isinstance(value, int | float) else 0


def _seed_of_episodes(result: Result) -> int:
    seed = result.config.get("seed")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
        raise ResultError("config.seed does not say the seed of the episodes")
    return seed


@contextmanager
def _threads(result: Result) -> Iterator[None]:
    """As many threads as then: they decide how sums are split."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(result.machine.threads, 64) if result.machine else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
