"""What a forger does to a row of a suite, by name, with the words that must meet it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mirrorenv.results.folders.result_folder import write_result
from mirrorenv.results.folders.schema import Result, read_result
from mirrorenv.results.runs.manifest import write_manifest
from tests.results.forging import (
    Tables,
    authors,
    certain,
    played,
    put_in_place,
    rewrite,
    say,
    seeds_of,
)

WORLDS = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "worlds"
SHORT = "mirrorenv/conformity-v0"
NAMED = "unproved: actions and evidence are what the sender says"


def each(how: Callable[[Path], object]) -> Callable[[Path], None]:
    def forge(row: Path) -> None:
        for folder in seeds_of(row):
            how(folder)

    return forge


def first(how: Callable[[Path], object]) -> Callable[[Path], None]:
    return lambda row: how(seeds_of(row)[0]) and None


def words(**changes: Any) -> Callable[[Path], None]:
    """The entry says something else, in every folder."""
    return each(lambda folder: say(folder, lambda r: r["entries"][0].update(changes)))


def run(name: str, value: Any, part: str | None = None) -> Callable[[Path], None]:
    """The run had another setting, in every folder."""

    def change(result: dict[str, Any]) -> None:
        settings = result["config"]["run"]
        (settings if part is None else settings.setdefault(part, {}))[name] = value

    return each(lambda folder: say(folder, change))


def figures(**changes: Any) -> Callable[[Path], None]:
    return each(lambda folder: say(folder, lambda r: [one.update(changes) for one in r["figures"]]))


def tables(how: Callable[[Tables], object]) -> Callable[[Path], None]:
    return each(lambda folder: rewrite(folder, how))


def all_zero(folder_tables: Tables) -> None:
    played(folder_tables, SHORT, lambda seen: np.zeros(seen.shape[:2], int))
    certain(folder_tables)


def scripted(folder_tables: Tables) -> None:
    """Each agent always does the same, another than the others."""
    played(
        folder_tables,
        SHORT,
        lambda seen: np.broadcast_to(np.arange(seen.shape[1]) % 3, seen.shape[:2]),
    )


def best_eight(held: Tables) -> None:
    keep = np.arange(8)
    for stem, name in (("trials", "trial"), ("beliefs", "trial"), ("labels", "trial")):
        chosen = np.isin(held[stem][name], keep)
        held[stem] = {column: np.asarray(one)[chosen] for column, one in held[stem].items()}
    chosen = np.isin(held["steps"]["trajectory"], held["labels"]["trajectory"])
    held["steps"] = {column: np.asarray(one)[chosen] for column, one in held["steps"].items()}


def one_many_times(held: Tables) -> None:
    held["labels"]["world_seed"] = np.full_like(
        held["labels"]["world_seed"], np.asarray(held["labels"]["world_seed"])[0]
    )


def swapped_labels(held: Tables) -> None:
    """Whoever the observers believe it was, was it: labels follow evidence."""
    truth = authors(held)
    beliefs = held["beliefs"]
    mean = np.zeros((*truth.shape, truth.shape[1]))
    for trial, evidence, stream in zip(
        beliefs["trial"], beliefs["evidence"], beliefs["stream"], strict=True
    ):
        mean[int(trial)] += evidence * (stream == 0)
    from scipy.optimize import linear_sum_assignment

    shown = np.asarray(held["trials"]["trajectories"])
    named = {}
    for slots, belief in zip(shown, mean, strict=True):
        rows, agents = linear_sum_assignment(belief, maximize=True)
        named.update({int(slots[r]): int(a) for r, a in zip(rows, agents, strict=True)})
    held["labels"]["agent"] = np.array([named[int(one)] for one in held["labels"]["trajectory"]])


def one_observer(held: Tables) -> None:
    chosen = (np.asarray(held["beliefs"]["observer"]) == 0) | (
        np.asarray(held["beliefs"]["stream"]) != 0
    )
    held["beliefs"] = {name: np.asarray(one)[chosen] for name, one in held["beliefs"].items()}


def few_shown(row: Path) -> None:
    """Observers were shown two of four, which are easier to tell apart."""
    for folder in seeds_of(row):
        neighbours = {"count": 1, "place": [0], "run": 1, "first_episode": 0}
        say(folder, lambda r, told=neighbours: r.update(neighbours=told))


def other_row(name: str) -> Callable[[Path], None]:
    def forge(row: Path) -> None:
        for folder in seeds_of(row):
            other = WORLDS / name / folder.name
            shutil.rmtree(folder)
            shutil.copytree(other, folder)
            mark = {"row": "conformity-separate-author"}
            say(folder, lambda r, mark=mark: r["suite"].update(mark))

    return forge


def best_seed_everywhere(row: Path) -> None:
    folders = seeds_of(row)
    for folder in folders[1:]:
        put_in_place(folder, folders[0])


def best_seed_shuffled(row: Path) -> None:
    """The same, with its observers in another order."""
    folders = seeds_of(row)

    def turn(held: Tables) -> None:
        who = np.asarray(held["beliefs"]["observer"])
        learned = np.asarray(held["beliefs"]["stream"]) == 0
        held["beliefs"]["observer"] = np.where(learned, (who + 1) % 4, who)

    for folder in folders[1:]:
        put_in_place(folder, folders[0])
        rewrite(folder, turn)


def left_out(row: Path) -> None:
    shutil.rmtree(seeds_of(row)[-1])


def twice(row: Path) -> None:
    shutil.copytree(seeds_of(row)[0], row / "seed77")


def added(amount: float) -> Callable[[Tables], None]:
    def change(held: Tables) -> None:
        held["steps"]["rewards"] = np.asarray(held["steps"]["rewards"]) + np.float32(amount)

    return change


def nan_evidence(held: Tables) -> None:
    evidence = np.array(held["beliefs"]["evidence"])
    evidence[0] = np.nan
    held["beliefs"]["evidence"] = evidence


def other_actions(held: Tables) -> None:
    actions = np.array(held["steps"]["actions"])
    held["steps"]["actions"] = (actions + 1) % 3


def invented_table(row: Path) -> None:
    """A training as a table, of which nothing is played again."""
    for folder in seeds_of(row):
        result = read_result(folder)
        columns = {figure.name: np.full(64, 0.97) for figure in result.figures}
        counted = {
            "entry": np.zeros(64, int),
            "seed": np.full(64, result.seeds[0]),
            "episode": np.arange(64),
        }
        said = {
            "kind": "table",
            "figures": tuple(one.model_copy(update={"of": "rows"}) for one in result.figures),
            "streams": (),
            "readers": (),
        }
        table = Result(**{**vars(result), **said})
        write_result(folder, table, {"episodes": {**counted, **columns}}, overwrite=True)


def reads_the_limit(folder: Path) -> None:
    """What agents have learned is read from the limit's evidence, decoded jointly."""
    learned, *others = read_result(folder).readers
    reader = learned.model_copy(update={"stream": "limit", "decode": "marginals"})
    rewrite(folder, readers=(reader, *others))


def extra_page(row: Path) -> None:
    (seeds_of(row)[0] / "report.html").write_text("<script>alert(1)</script>")
    write_manifest(seeds_of(row)[0])


def linked(row: Path) -> None:
    file = seeds_of(row)[0] / "steps.parquet"
    file.rename(row / "elsewhere")
    file.symlink_to(row / "elsewhere")


def hard_linked(row: Path) -> None:
    (row / "another.name").hardlink_to(seeds_of(row)[0] / "steps.parquet")


def twin_keys(row: Path) -> None:
    file = seeds_of(row)[0] / "result.json"
    file.write_text(file.read_text().replace('"kind":', '"kind": "table", "kind":', 1))
    write_manifest(seeds_of(row)[0])


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "agents that all play one action, known for certain": (tables(all_zero), "equal trajectories"),
    "a training sent as a table": (invented_table, "kind"),
    "eight of its episodes": (tables(best_eight), "episodes"),
    "one episode many times": (tables(one_many_times), "played again differs|world seeds"),
    "one seed under all names": (best_seed_everywhere, "same steps|world seeds|seed"),
    "one seed under all names, observers turned": (best_seed_shuffled, "same steps|seed"),
    "runs of another row": (other_row("conformity-separate-limit"), "words|row|asks"),
    "runs with another weight": (other_row("conformity-separate-author-4"), "row"),
    "more steps": (run("total_steps", 10**8), "asks for"),
    "another weight": (run("weight", 99.0, "mirror"), "asks for"),
    "a larger network": (run("hidden", 4096, "population"), "leaves it at"),
    "an auxiliary": (run("auxiliaries", [{"name": "self_model"}], "population"), "leaves it at"),
    "observers that read little": (run("prefixes_per_update", 3, "population"), "leaves it at"),
    "more epochs": (run("epochs", 40, "learning"), "asks for|leaves it at"),
    "a setting of its own": (run("trick", 1, "learning"), "leaves it at"),
    "a note in the configuration": (
        each(lambda folder: say(folder, lambda r: r["config"].update(note="x"))),
        "nothing that a training says",
    ),
    "more steps than were asked": (
        each(lambda folder: say(folder, lambda r: r["config"].update(env_steps=10**9))),
        "such a run takes",
    ),
    "exact": (words(exact=True), "exact"),
    "language models": (words(agents="language model"), "kinds|agents"),
    "another condition": (words(condition="ours"), "condition"),
    "a reference of its own": (
        words(references={"return": {"value": 0.0, "source": "x"}}),
        "references|words|compared",
    ),
    "learned observers read the limit": (each(reads_the_limit), "readers"),
    "another direction": (figures(better="low"), "directions"),
    "another title": (figures(title="Return"), "titles"),
    "the median of seeds": (figures(over_seeds="median"), "titles|directions"),
    "a little on every reward": (tables(added(9e-6)), "off on average|sum of rewards"),
    "more on every reward": (tables(added(0.1)), "the reward"),
    "other actions": (tables(other_actions), "played again differs"),
    "evidence that is no number": (tables(nan_evidence), "evidence|finite|NaN"),
    "the best observer only": (tables(one_observer), "observers read|exactly once|evidence"),
    "two of four were shown": (few_shown, "shown"),
    "other world options": (
        each(lambda folder: say(folder, lambda r: r.update(world_options={"num_agents": 3}))),
        "agents|options",
    ),
    "another hash": (
        first(lambda folder: say(folder, lambda r: r["suite"].update(hash="0" * 64))),
        "another suite",
    ),
    "no such row": (
        first(lambda folder: say(folder, lambda r: r["suite"].update(row="mine"))),
        "does not have",
    ),
    "a smoke run": (
        first(lambda folder: say(folder, lambda r: r["suite"].update(smoke=True))),
        "smoke run",
    ),
    "a seed is left out": (left_out, "lacks seed"),
    "a seed is there twice": (twice, "both hold seed|same steps"),
    "another seed": (
        first(lambda folder: say(folder, lambda r: r.update(seeds=[99]))),
        "seed",
    ),
    "a page beside the tables": (extra_page, "no file of a result"),
    "a link": (linked, "link"),
    "a hard link": (hard_linked, "hard link"),
    "a key twice": (twin_keys, "there twice"),
}
UNPROVED: dict[str, tuple[Callable[[Path], object], str]] = {
    "scripted play under trained agents": (tables(scripted), NAMED),
    "labels that follow the evidence": (tables(swapped_labels), NAMED),
    "a higher limit": (tables(lambda held: certain(held, 1)), NAMED),
    "another machine and commit": (
        each(lambda f: say(f, lambda r: r.update(git={"commit": "0" * 40, "dirty": False}))),
        "versions, commit, date",
    ),
}
