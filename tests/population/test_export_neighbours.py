"""A run whose observers were shown their neighbours becomes a result folder: who was shown is
chosen again from the trajectories, the limit computed again, and what was changed is found."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from mirrorenv.errors import ResultError
from mirrorenv.population.export import export_run
from mirrorenv.results import ResultFolder, verify_result
from mirrorenv.results.folders.result_folder import write_result
from mirrorenv.results.folders.tables import read_table, table_file, write_table
from mirrorenv.results.runs.files import atomic_write_json, read_json
from mirrorenv.results.runs.manifest import write_manifest
from tests.population.test_export import run_folder, same_scores_as_evaluation

WORLD = "mirrorenv/dispersion-v0"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run with neighbours and its result, not to be changed."""
    folder = tmp_path_factory.mktemp("neighbours")
    population = run_folder(folder / "run", WORLD, neighbours=2, place=(0, 1))
    return population, export_run(folder / "run", folder / "result", episodes=16, seed=5)


@pytest.fixture
def copy(made, tmp_path):
    return Path(shutil.copytree(made[1], tmp_path / "copy"))


def edit(folder, stem, change):
    """Change a table, and the manifest with it: what somebody would do who wants to cheat."""
    table = {name: column.copy() for name, column in read_table(table_file(folder, stem)).items()}
    change(table)
    write_table(folder, stem, table)
    write_manifest(folder)


def describe(folder, **changes):
    """Change what result.json says of neighbours."""
    about = read_json(folder / "result.json")
    about["neighbours"] = {**about["neighbours"], **changes}
    atomic_write_json(folder / "result.json", about)
    write_manifest(folder)


def test_scores_are_those_of_the_evaluation_and_everything_is_verified(made):
    population, out = made
    same_scores_as_evaluation(out, population, WORLD)
    checks = " ".join(verify_result(out).checks)
    for said in ("played again", "2 agents nearest", "limit of neighbourhoods computed again"):
        assert said in checks


def test_what_policies_give_away_wherever_agents_are_is_a_reader_of_its_own(made):
    (held,) = ResultFolder.open(made[1]).scores()
    alone = held["figures"]["policies without places.information"]["value"]
    assert alone <= held["figures"]["limit.information"]["value"] + 1e-9


def test_a_whole_lineup_says_nothing_of_neighbours(tmp_path):
    run_folder(tmp_path / "run", WORLD)
    out = export_run(tmp_path / "run", tmp_path / "result", episodes=8)
    assert "neighbours" not in read_json(out / "result.json")
    assert table_file(out, "shown") is None


def shift_slots(table):
    """Each observer's trajectories in another order, as if other authors had made them."""
    table["trajectories"] = np.roll(table["trajectories"], 1, axis=1)


def show_another(table):
    """The first observer is shown, and told, an agent that was left out."""
    (left_out,) = set(range(4)) - set(table["agents"][0].tolist())
    others = [agent for agent in table["agents"][0].tolist() if agent != table["observer"][0]]
    table["agents"][0] = np.sort([left_out, int(table["observer"][0]), others[0]])


@pytest.mark.parametrize(
    ("stem", "change", "said"),
    [
        ("shown", shift_slots, "episodes: the column"),
        ("shown", show_another, "not those it was shown"),
        ("shown", lambda t: t["observer"].__setitem__(0, 1), "observer of every episode"),
        ("shown", lambda t: t["trial"].__setitem__(0, 99), "observer of every episode"),
        ("shown", lambda t: t["trajectories"].__setitem__((0, 0), 7), "missing"),
        ("shown", lambda t: t["agents"].__setitem__((0, 0), 3), "ascending"),
        ("beliefs", lambda t: t["evidence"].__iadd__(np.eye(3)), "episodes: the column"),
        ("beliefs", lambda t: t["observer"].__setitem__(0, 9), "exactly once"),
    ],
)
def test_a_table_that_was_changed_is_found(copy, stem, change, said):
    edit(copy, stem, change)
    with pytest.raises(ResultError, match=said):
        verify_result(copy)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"count": 1}, "others than the agents nearest"),
        ({"count": 9}, "of 4 agents"),
        ({"place": [2, 3]}, "others than the agents nearest"),
        ({"place": [99]}, "an observation has"),
    ],
)
def test_another_neighbourhood_than_was_shown_is_found(copy, changes, said):
    describe(copy, **changes)
    with pytest.raises(ResultError, match=said):
        verify_result(copy)


def rewritten(folder, tmp_path, change):
    """The result written again from changed tables: every score fits them."""
    opened = ResultFolder.open(folder)
    tables = {name: dict(table) for name, table in opened.tables().items() if name != "episodes"}
    change(tables)
    result = opened.result.model_copy(update={"weights": None})
    write_result(tmp_path / "again", result, tables)
    return tmp_path / "again"


def test_a_lower_limit_whose_scores_fit_is_found(made, tmp_path):
    def lower(tables):
        beliefs = tables["beliefs"]
        limit = (beliefs["stream"] == 1)[:, None, None]
        beliefs["evidence"] = np.where(limit, 0.5 * beliefs["evidence"], beliefs["evidence"])

    with pytest.raises(ResultError, match="'limit' is not what 'policies'"):
        verify_result(rewritten(made[1], tmp_path, lower))


def test_observers_that_were_not_shown_the_nearest_are_found_though_all_scores_fit(made, tmp_path):
    def swap(tables):
        shown = tables["shown"]
        labels = tables["labels"]
        pairs = zip(labels["trial"].tolist(), labels["agent"].tolist(), strict=True)
        held = dict(zip(pairs, labels["trajectory"].tolist(), strict=True))
        agents = shown["agents"].copy()
        show_another({"agents": agents, "observer": shown["observer"]})
        shown["agents"] = agents
        trajectories = shown["trajectories"].copy()
        trial = int(shown["trial"][0])
        ids = [held[trial, agent] for agent in agents[0].tolist()]
        trajectories[0] = np.sort(np.array(ids, np.uint64))
        shown["trajectories"] = trajectories

    with pytest.raises(ResultError, match="others than the agents nearest"):
        verify_result(rewritten(made[1], tmp_path, swap))


def test_a_table_without_its_description_is_refused(copy):
    about = read_json(copy / "result.json")
    del about["neighbours"]
    atomic_write_json(copy / "result.json", about)
    write_manifest(copy)
    with pytest.raises(ResultError, match="belong together"):
        verify_result(copy)
