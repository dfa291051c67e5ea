"""A result folder is recomputed from end to end, and whatever was changed in it is found and
named."""

from __future__ import annotations

import json
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.errors import MirrorError, ResultError
from mirrorenv.mirror import t_interval
from mirrorenv.results.folders.result_folder import ResultFolder, write_result
from mirrorenv.results.folders.sharing import share_unlabelled
from mirrorenv.results.folders.tables import read_table, table_file, write_table
from mirrorenv.results.folders.trajectories import opaque_ids
from mirrorenv.results.folders.verify import verify_result
from mirrorenv.results.runs.files import atomic_write_json, read_json
from mirrorenv.results.runs.manifest import MANIFEST, write_manifest
from tests.results.results_of_ants import about, episodes, population_folder, table_folder, tables

FORMS = ("parquet", "npz")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One folder of each form, not to be changed."""
    folder = tmp_path_factory.mktemp("results")
    return {form: population_folder(folder / form, form=form) for form in FORMS}


@pytest.fixture
def copy(made, tmp_path):
    """A folder to change; the manifest can be written again to fit."""
    return Path(shutil.copytree(made["parquet"], tmp_path / "copy"))


def edit(folder, stem, change):
    """Change a table, and the manifest with it: what somebody would do who wants to cheat."""
    path = table_file(folder, stem)
    table = {name: column.copy() for name, column in read_table(path).items()}
    change(table)
    write_table(folder, stem, table)
    write_manifest(folder)


@pytest.mark.parametrize("form", FORMS)
def test_a_whole_folder_is_verified(made, form):
    found = verify_result(made[form])
    assert "8 files match the manifest" in found.checks[0]
    assert "384 steps of mirrorenv/ants-v0 played again" in found.checks[-1]
    assert "the folder holds no weights" in found.unchecked[0]


def test_scores_are_those_of_the_episodes(made):
    folder = ResultFolder.open(made["parquet"])
    rows, (scores,) = folder.tables()["episodes"], folder.scores()
    nats = scores["figures"]["learned.information"]
    expected = t_interval(rows["learned.nats"])
    assert (nats["value"], nats["low"], nats["high"]) == pytest.approx(
        (expected.value, expected.low, expected.high)
    )
    assert scores["figures"]["learned.top1"]["value"] == pytest.approx(
        rows["learned.credit"].mean()
    )
    record, _ = episodes()
    assert scores["figures"]["return"]["value"] == pytest.approx(record.returns().mean())
    assert {one["episodes"] for one in scores["figures"].values() if one} <= {12}


def test_both_forms_hold_the_same(made):
    first, second = (ResultFolder.open(made[form]) for form in FORMS)
    assert first.scores() == second.scores()
    for stem, table in first.tables().items():
        for name, column in second.tables()[stem].items():
            np.testing.assert_array_equal(table[name], column)


@pytest.mark.parametrize("form", FORMS)
def test_a_changed_byte_anywhere_is_found(made, tmp_path, form):
    folder = Path(shutil.copytree(made[form], tmp_path / "copy"))
    rng = np.random.default_rng(0)
    for path in sorted(folder.iterdir()):
        good = path.read_bytes()
        for position in {0, len(good) - 1, *rng.integers(len(good), size=24).tolist()}:
            bad = bytearray(good)
            bad[position] ^= 1 << int(rng.integers(8))
            path.write_bytes(bad)
            with pytest.raises(ResultError):
                verify_result(folder)
        path.write_bytes(good[:-1])
        with pytest.raises(ResultError, match=path.name):
            verify_result(folder)
        path.write_bytes(good)
    verify_result(folder)


@pytest.mark.parametrize("name", ["scores.json", "labels.parquet", MANIFEST, "result.json"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(ResultError, match=name):
        verify_result(copy)


def test_a_folder_of_several_results_is_sent_to_board_check(tmp_path):
    table_folder(tmp_path / "suite/one/seed0", {"a": {0: [1.0]}})
    with pytest.raises(
        ResultError, match="suite is no result but holds some; 'mirrorenv board check"
    ):
        verify_result(tmp_path / "suite")


def test_a_file_that_nobody_announced_is_refused(copy):
    (copy / "extra.txt").write_text("hello")
    with pytest.raises(ResultError, match=r"extra\.txt is not in the manifest"):
        verify_result(copy)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_out_of_the_folder_is_refused(copy, tmp_path):
    outside = tmp_path / "outside.json"
    outside.write_bytes((copy / "scores.json").read_bytes())
    (copy / "scores.json").unlink()
    (copy / "scores.json").symlink_to(outside)
    with pytest.raises(ResultError, match="link"):
        verify_result(copy)


@pytest.mark.parametrize("end", ["value", "low", "high", "episodes", "method"])
def test_a_better_score_is_found_even_with_a_fitting_manifest(copy, end):
    scores = read_json(copy / "scores.json")
    held = scores["scores"][0]["figures"]["learned.information"]
    held[end] = "trust me" if end == "method" else held[end] + 1
    atomic_write_json(copy / "scores.json", scores)
    write_manifest(copy)
    with pytest.raises(
        ResultError, match=rf"learned\.information, {end}: says .* but the tables give"
    ):
        verify_result(copy)


def test_swapped_labels_are_found(copy):
    def swap(labels):
        labels["agent"][:] = (labels["agent"] + 1) % 4

    edit(copy, "labels", swap)
    with pytest.raises(ResultError, match="episodes: the column"):
        verify_result(copy)


@pytest.mark.parametrize("column", ["return", "learned.nats", "episode"])
def test_changed_rows_are_found(copy, column):
    def lift(rows):
        rows[column][0] += 1

    edit(copy, "episodes", lift)
    with pytest.raises(ResultError, match="episodes"):
        verify_result(copy)


@pytest.mark.parametrize(
    ("column", "said"), [("actions", "what was seen"), ("observations", "what was seen")]
)
def test_an_invented_trajectory_is_found_by_playing_the_world_again(tmp_path, column, said):
    held = tables()
    held["steps"][column] = held["steps"][column].copy()
    first = held["steps"][column][:, 3]
    held["steps"][column][:, 3] = (first + 1) % 3 if column == "actions" else 1 - first
    write_result(tmp_path / "result", about(), held)
    with pytest.raises(ResultError, match=f"played again differs: {said}, episode"):
        verify_result(tmp_path / "result")


def test_another_world_seed_is_found(tmp_path):
    record, _ = episodes(start="random")
    held = tables(start="random")
    held["labels"]["world_seed"] = held["labels"]["world_seed"] + np.uint64(1)
    write_result(tmp_path / "result", about(world_options={"start": "random"}), held)
    assert len(record) == 12
    with pytest.raises(ResultError, match="played again differs"):
        verify_result(tmp_path / "result")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"length": 10**9}, "out of any range"),
        ({"num_agents": 3}, "4"),
        ({"colour": 1}, "world argument 'colour'"),
    ],
)
def test_a_world_that_does_not_fit_is_refused(tmp_path, options, said):
    write_result(tmp_path / "result", about(world_options=options), tables())
    with pytest.raises(ResultError, match=said):
        verify_result(tmp_path / "result")


def test_code_is_run_only_if_it_is_named(tmp_path):
    write_result(tmp_path / "one", about(world="tests.no_such_module:Env"), tables())
    found = verify_result(tmp_path / "one")
    assert any(
        "name it to run it: --world tests.no_such_module:Env" in line for line in found.unchecked
    )
    with pytest.raises(ResultError, match="no_such_module"):
        verify_result(tmp_path / "one", world="tests.no_such_module:Env")
    write_result(tmp_path / "two", about(world_options={"others": "os:system"}), tables())
    assert any("its world is code" in line for line in verify_result(tmp_path / "two").unchecked)


def test_nothing_is_unpickled(made, tmp_path, monkeypatch):
    def caught(*_args, **_kwargs):
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, caught)
    for form in FORMS:
        verify_result(made[form])


@pytest.mark.parametrize(
    ("stem", "change", "said"),
    [
        ("trials", lambda t: t["trajectories"].__setitem__((0, 0), 7), "missing"),
        ("trials", lambda t: t["trial"].__setitem__(0, 1), "twice"),
        ("labels", lambda t: t["agent"].__setitem__(0, 9), "every agent once"),
        ("labels", lambda t: t["trial"].__setitem__(0, 99), "another episode"),
        ("beliefs", lambda t: t["observer"].__setitem__(0, 5), "exactly once"),
        ("steps", lambda t: t["trajectory"].__setitem__(0, int(t["trajectory"][1])), "twice"),
        ("steps", lambda t: t.pop("rewards"), "needs a column 'rewards'"),
        ("episodes", lambda t: t["seed"].__setitem__(0, 5), "episodes"),
    ],
)
def test_tables_that_do_not_fit_together_are_refused(copy, stem, change, said):
    edit(copy, stem, change)
    with pytest.raises(ResultError, match=said):
        verify_result(copy)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("schema", "other", "schema 'other'"),
        ("version", 3, "reads versions 1 to 2"),
        ("version", 2, "says on which machine"),
        ("weights", {"sha256": "0" * 64, "bytes": 9, "held": True}, "version 1 says nothing"),
        ("seeds", [], "seeds"),
        ("seeds", [0, 0], "twice"),
        ("kind", "spell", "kind"),
        ("surprise", 1, "surprise"),
        (
            "readers",
            [{"name": "x", "stream": "none", "decode": "independent"}],
            "none of the streams",
        ),
    ],
)
def test_a_malformed_description_is_refused_by_name(copy, key, value, said):
    atomic_write_json(copy / "result.json", {**read_json(copy / "result.json"), key: value})
    write_manifest(copy)
    with pytest.raises(ResultError, match=said):
        verify_result(copy)


def test_names_of_authors_are_in_the_labels_only(made):
    folder = ResultFolder.open(made["parquet"])
    steps, trials = folder.tables()["steps"], folder.tables()["trials"]
    assert (np.diff(steps["trajectory"].astype(float)) > 0).all()
    assert (np.diff(trials["trajectories"].astype(float), axis=1) > 0).all()
    record, _ = episodes(40)
    # (B, N) place of each agent among the ids
    rank = np.argsort(np.argsort(opaque_ids(record), axis=1), axis=1)
    assert (np.abs((rank == 0).mean(axis=0) - 0.25) < 0.25).all()  # three standard errors are 0.2


def test_exporting_twice_gives_the_same_bytes(made, tmp_path):
    again = population_folder(tmp_path / "again")
    for path in again.iterdir():
        assert path.read_bytes() == (made["parquet"] / path.name).read_bytes(), path.name


@pytest.mark.parametrize("form", FORMS)
def test_a_shared_set_holds_nothing_that_names_an_author(made, tmp_path, form):
    out = share_unlabelled(made[form], tmp_path / "shared", form)
    assert {path.stem for path in out.iterdir()} == {"steps", "trials", "lineups", "manifest"}
    steps, trials = (read_table(table_file(out, stem)) for stem in ("steps", "trials"))
    assert set(steps) == {"trajectory", "length", "observations", "actions"}
    assert set(trials) == {"trial", "trajectories"} and trials["trajectories"].shape == (12, 4)
    assert set(trials["trajectories"].ravel().tolist()) == set(steps["trajectory"].tolist())
    labels = read_table(table_file(made[form], "labels"))
    for lineup in trials["trajectories"]:  # it is a lineup: one episode, every agent once
        rows = np.isin(labels["trajectory"], lineup)
        assert len(set(labels["trial"][rows].tolist())) == 1 and sorted(labels["agent"][rows]) == [
            0,
            1,
            2,
            3,
        ]
    assert (np.diff(trials["trajectories"][:, 0].astype(float)) > 0).all(), (
        "the order of lineups tells nothing"
    )
    with pytest.raises(ResultError, match="not empty"):
        share_unlabelled(made[form], out)


def test_a_result_without_trajectories_has_nothing_to_share(tmp_path):
    folder = table_folder(tmp_path / "table", {"a": {0: [1.0]}})
    with pytest.raises(ResultError, match="no labelled trajectories"):
        share_unlabelled(folder, tmp_path / "shared")


def test_a_folder_is_not_overwritten_unasked(made, tmp_path):
    folder = population_folder(tmp_path / "one")
    with pytest.raises(ResultError, match="holds a result already; --overwrite"):
        write_result(folder, about(), tables())
    write_result(folder, about(), tables(), overwrite=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(ResultError, match="not empty"):
        write_result(tmp_path / "other", about(), tables(), overwrite=True)


def test_a_table_result_is_recomputed_from_its_rows(tmp_path):
    folder = table_folder(tmp_path / "table", {"a": {0: [1.0, 3.0], 1: [2.0, 4.0]}})
    assert [row["figures"]["measured"]["value"] for row in ResultFolder.open(folder).scores()] == [
        2.0,
        3.0,
    ]
    assert "2 scores recomputed" in verify_result(folder).checks[-1]
    edit(folder, "episodes", lambda rows: rows["measured"].__setitem__(0, 9.0))
    with pytest.raises(ResultError, match=r"measured, value: says 2\.0, but the tables give 6\.0"):
        verify_result(folder)


def test_the_command_says_what_is_true_and_what_is_not(made, copy):
    done = CliRunner().invoke(app, ["verify", str(made["parquet"]), "--json"])
    assert done.exit_code == 0 and json.loads(done.stdout.splitlines()[-1])["checks"]
    (copy / "scores.json").write_text("{}")
    done = CliRunner().invoke(app, ["verify", str(copy)])
    assert isinstance(done.exception, MirrorError) and "scores.json" in str(done.exception)
