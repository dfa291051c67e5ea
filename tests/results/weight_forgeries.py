"""What a forger does to a row that holds its weights, by name, with the words that must meet it.

Each takes the folders of a row, its weights among them, and signs what it made. Where everything
fits together, and only the training would tell, the row must be named as unproved.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mirrorenv.results.folders.result_folder import WEIGHTS
from mirrorenv.results.folders.schema import read_result
from mirrorenv.results.folders.tables import write_table
from mirrorenv.results.runs.manifest import write_manifest
from tests.results.forgeries import WORLDS
from tests.results.forging import Tables, authors, certain, rewrite, say, seeds_of, tables_of

Forgery = Callable[[Path], object]
UNTOLD = "unproved: that this training made these agents"


def put(folder: Path, data: bytes) -> None:
    """Other weights, named as such."""
    (folder / WEIGHTS).write_bytes(data)
    named = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    say(folder, lambda result: result["weights"].update(named))


def first_of(how: Callable[[Path], object]) -> Forgery:
    return lambda row: how(seeds_of(row)[0])


def told(**changes: Any) -> Forgery:
    return first_of(lambda folder: say(folder, lambda result: result.update(changes)))


def tables(how: Callable[[Tables], object]) -> Forgery:
    return first_of(lambda folder: rewrite(folder, how))


def permuted(data: bytes) -> bytes:
    """The agents' networks and observers in another order."""
    from safetensors.numpy import load, save

    held = load(data)
    turned = {name: np.roll(one, 1, axis=0) for name, one in held.items() if one.ndim}
    return save({**held, **turned})


def shaken(data: bytes) -> bytes:
    """The last bit of every weight."""
    from safetensors.numpy import load, save

    held = load(data)
    floats = {name: np.nextafter(one, np.float32(9)) for name, one in held.items()}
    return save(
        {name: one if one.dtype.kind == "f" else held[name] for name, one in floats.items()}
    )


def noted(data: bytes) -> bytes:
    """A note in the header that no network reads."""
    from safetensors.numpy import load, save

    return save(load(data), {"note": "<script>alert(1)</script>"})


def weights_of_another_seed(row: Path) -> None:
    first, second, *_ = seeds_of(row)
    put(first, (second / WEIGHTS).read_bytes())


def another_seed_whole(row: Path) -> None:
    """The best seed's folder under the number of the worst."""
    first, second, *_ = seeds_of(row)
    shutil.rmtree(first)
    shutil.copytree(second, first)
    _renumbered(first, 0)


def _renumbered(folder: Path, seed: int) -> None:
    before = read_result(folder).seeds[0]

    def change(result: dict[str, Any]) -> None:
        result["seeds"] = [seed]
        result["title"] = result["title"].replace(f"seed {before}", f"seed {seed}")
        result["config"]["run"]["seed"] = seed

    say(folder, change)
    rewrite(folder)


def seeds_in_a_circle(row: Path) -> None:
    """Every seed under another's number: all is there, once."""
    folders = seeds_of(row)
    aside = row.parent / "aside"
    shutil.copytree(row, aside)
    for index, folder in enumerate(folders):
        shutil.rmtree(folder)
        shutil.copytree(aside / folders[index - 1].name, folder)
        _renumbered(folder, index)


def another_row(name: str) -> Forgery:
    """The runs of another row with their weights, under this row's words and settings."""

    def forge(row: Path) -> None:
        for folder in seeds_of(row):
            words = read_result(folder)
            shutil.rmtree(folder)
            shutil.copytree(WORLDS / name / folder.name, folder)
            mine = read_result(folder)
            mine = mine.model_copy(
                update={
                    "title": words.title,
                    "entries": words.entries,
                    "suite": words.suite,
                    "config": words.config,
                }
            )
            rewrite(folder, **vars(mine))

    return forge


def _nudged(amount: float) -> Callable[[Tables], None]:
    """Evidence towards the truth, by less than sums in another order may differ."""

    def change(held: Tables) -> None:
        truth = authors(held)
        place = {int(one): index for index, one in enumerate(held["trials"]["trial"])}
        beliefs = held["beliefs"]
        evidence = np.array(beliefs["evidence"])
        for index, trial in enumerate(beliefs["trial"]):
            right = truth[place[int(trial)]][:, None] == np.arange(truth.shape[1])
            evidence[index] += (amount * (2 * right - 1)).astype(evidence.dtype)
        beliefs["evidence"] = evidence

    return change


def cooled(held: Tables) -> None:
    """Beliefs of the learned observers made surer, which calibrates them."""
    learned = np.asarray(held["beliefs"]["stream"]) == 0
    evidence = np.array(held["beliefs"]["evidence"])
    evidence[learned] *= 1.5
    held["beliefs"]["evidence"] = evidence


def turned_observers(held: Tables) -> None:
    """Each observer's reading under another's name."""
    who = np.asarray(held["beliefs"]["observer"])
    learned = np.asarray(held["beliefs"]["stream"]) == 0
    held["beliefs"]["observer"] = np.where(learned, (who + 1) % 4, who)


def swapped_limit(row: Path) -> None:
    """The limit of a seed in which more can be known."""
    first, second, *_ = seeds_of(row)
    other = tables_of(second)["beliefs"]

    def change(held: Tables) -> None:
        mine = np.asarray(held["beliefs"]["stream"]) == 1
        evidence = np.array(held["beliefs"]["evidence"])
        evidence[mine] = np.asarray(other["evidence"])[np.asarray(other["stream"]) == 1]
        held["beliefs"]["evidence"] = evidence

    rewrite(first, change)


def an_evidence_of_its_own(folder: Path) -> None:
    """A table that a row does not have."""
    write_table(folder, "evidence", tables_of(folder)["beliefs"], "npz")
    write_manifest(folder)


def hash_only(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    say(folder, lambda result: result["weights"].update(held=False))


def weights_elsewhere(folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / WEIGHTS).rename(folder / "more" / WEIGHTS)
    write_manifest(folder)


def put_as(change: Callable[[bytes], bytes]) -> Forgery:
    return first_of(lambda folder: put(folder, change((folder / WEIGHTS).read_bytes())))


WITH_WEIGHTS: dict[str, tuple[Forgery, str]] = {
    "weights of another seed": (weights_of_another_seed, "not those that its weights play|weights"),
    "agents in another order": (put_as(permuted), "not those that its weights play"),
    "a note in the weights": (put_as(noted), "weights"),
    "weights and a byte": (put_as(lambda data: data + b"\0"), "weights"),
    "another seed under this one's number": (another_seed_whole, "hold the same steps"),
    "evidence known for certain": (tables(certain), "not what its weights give|equal traj"),
    "evidence nudged by less than sums differ": (
        tables(_nudged(9e-5)),
        "not what its weights give",
    ),
    "surer beliefs": (tables(cooled), "not what its weights give"),
    "observers in another order": (tables(turned_observers), "not what its weights give"),
    "the limit of another seed": (swapped_limit, "not what its weights give|equal traj"),
    "a table of its own": (first_of(an_evidence_of_its_own), "evidence"),
    "small weights by their hash only": (first_of(hash_only), "belong into the folder"),
    "weights in a folder below": (first_of(weights_elsewhere), "no file of a result"),
    "fewer steps than were trained": (
        first_of(lambda f: say(f, lambda r: r["config"].update(env_steps=64))),
        "such a run takes",
    ),
    "a title of its own": (told(title="the best of all"), "its title is"),
    "another seed of the episodes": (
        first_of(lambda f: say(f, lambda r: r["config"].update(seed=1_000_001))),
        "seed",
    ),
    "version 1 with weights": (told(version=1), "version 1"),
    "no machine": (
        first_of(lambda f: say(f, lambda r: r.pop("machine"))),
        "version 2 says on which machine",
    ),
    "no threads": (
        first_of(lambda f: say(f, lambda r: r["machine"].update(threads=0))),
        "threads",
    ),
}
"""Refused on the machine that the weights were made on, one folder of the row being touched."""

TRUE_TO_WEIGHTS: dict[str, tuple[Forgery, str]] = {
    "every seed under another's number": (seeds_in_a_circle, UNTOLD),
    "weights that were paid by the limit": (another_row("conformity-separate-limit"), UNTOLD),
    "weights of no reward": (another_row("conformity-separate-weight-0"), UNTOLD),
    "the last bit of every weight": (put_as(shaken), UNTOLD),
    "another processor, so that nothing is compared": (
        first_of(lambda f: say(f, lambda r: r["machine"].update(processor="made up"))),
        UNTOLD,
    ),
    "another torch": (
        first_of(lambda f: say(f, lambda r: r["machine"].update(torch="2.12.0"))),
        UNTOLD,
    ),
    "another device": (told(device="cuda, eight of them"), "device"),
}
"""What fits its weights: named as unproved, and refused by training it again."""
