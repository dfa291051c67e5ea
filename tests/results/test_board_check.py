"""What a submission says of itself is compared with its suite, and what cannot be checked is
said."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.errors import ConfigError, MirrorError, ResultError
from mirrorenv.results.board.board import collect, result_folders
from mirrorenv.results.board.check import check_submission
from mirrorenv.results.board.suite import find_suites
from mirrorenv.results.board.text import count_text
from mirrorenv.results.folders.sharing import share_unlabelled
from mirrorenv.results.folders.verify import verify_result
from mirrorenv.results.runs.manifest import write_manifest
from tests.results.results_of_ants import population_folder, table_folder
from tests.results.test_board import SUITE, suite_file

DESCRIBED = SUITE.replace(
    'table = "First table"\n',
    'table = "First table"\n[rows.arguments]\ncondition = "mirror"\noptions = {{ n = 2 }}\n'
    'reference = {{ value = 3.0, source = "x" }}\n',
)


@pytest.fixture
def site(tmp_path):
    """Row one, whose arguments say what its results are, with all of its seeds."""
    suite = suite_file(tmp_path, text=DESCRIBED)
    for seed in range(3):
        folder = tmp_path / "results" / f"seed{seed}"
        table_folder(
            folder,
            {"mirror": {seed: [0.5, 0.6 + 0.1 * seed]}},
            suite=suite.mark("one"),
            world_options={"n": 2},
            config={"arguments": suite.rows[0].arguments},
        )
        change(
            folder,
            lambda result: result["entries"][0].update(
                references={"return": {"value": 3.0, "source": "x"}}
            ),
        )
    return tmp_path


def change(folder, how):
    """Edit result.json as somebody who also mends the manifest."""
    path = folder / "result.json"
    result = json.loads(path.read_text("utf-8"))
    how(result)
    path.write_text(json.dumps(result), "utf-8")
    write_manifest(folder)


def check(site):
    return check_submission(site / "results", find_suites(site))


def test_what_could_not_be_checked_is_counted(site):
    population_folder(site / "results" / "ants")
    found = dict(check(site).unchecked)
    assert set(found.values()) == {1, 3}
    change(site / "results" / "ants", lambda result: result.update(world="somewhere/else-v0"))
    assert any(
        "'somewhere/else-v0' is not installed here" in reason
        for reason in dict(check(site).unchecked)
    )
    done = CliRunner().invoke(app, ["board", "check", str(site / "results"), "--json"])
    assert done.exit_code == 0 and "not checked  the world was not played again" in done.stderr
    assert 3 in json.loads(done.stdout)["unchecked"].values()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (
            lambda r: r["entries"][0]["references"]["return"].update(value=9.0),
            "seed1: what it is compared with: says",
        ),
        (
            lambda r: r["entries"][0].update(references={}),
            "what it is compared with: says {}, but row 'one' says",
        ),
        (lambda r: r.update(world_options={"n": 99}), "the world's options: says {'n': 99}"),
        (
            lambda r: r["figures"][0].update(better="low"),
            "'measured', better: says 'low', but .*seed0 says 'high'",
        ),
        (
            lambda r: r["figures"][0].update(share=True),
            "measured, low: says .*, but the tables give 0.0",
        ),
        (
            lambda r: r["figures"][0].update(over_seeds="median"),
            "'measured', over_seeds: says 'median'",
        ),
    ],
)
def test_a_false_description_is_refused_by_name(site, how, said):
    change(site / "results" / "seed1", how)
    with pytest.raises(ResultError, match=said):
        check(site)


def test_another_condition_is_refused_by_name(site):
    mark = find_suites(site)["small"].mark("one")
    shutil.rmtree(site / "results" / "seed1")
    table_folder(
        site / "results" / "seed1", {"no mirror": {1: [9.0]}}, suite=mark, world_options={"n": 2}
    )
    with pytest.raises(
        ResultError, match="the condition: says 'no mirror', but row 'one' says 'mirror'"
    ):
        check(site)


def test_a_number_beyond_all_numbers_is_one_line(site):
    path = site / "results" / "seed2" / "scores.json"
    scores = json.loads(path.read_text("utf-8"))
    scores["scores"][0]["figures"]["measured"]["value"] = 10**400
    path.write_text(json.dumps(scores), "utf-8")
    write_manifest(path.parent)
    with pytest.raises(ResultError, match="measured, value: says 1000"):
        check(site)


def test_a_row_that_lacks_seeds_says_so_and_is_in_no_group(site):
    shutil.rmtree(site / "results" / "seed1")
    (section,) = collect(result_folders([site / "results"]), find_suites(site))
    assert [(count_text(line), line.group) for line in section.lines] == [("2 of 3 seeds", None)]


def test_a_row_nobody_knows_stands_apart(site):
    change(site / "results" / "seed1", lambda result: result["suite"].update(row="nope"))
    sections = collect(result_folders([site / "results"]), find_suites(site))
    assert len(sections) == 2 and any("this row of it" in section.about for section in sections)


def test_suites_are_found_beside_every_folder(site, tmp_path):
    population_folder(tmp_path / "elsewhere" / "ants")
    out = tmp_path / "board.html"
    for folders in (("elsewhere", "results"), ("results", "elsewhere")):
        done = CliRunner().invoke(
            app, ["board", "build", *(str(tmp_path / one) for one in folders), "--out", str(out)]
        )
        assert done.exit_code == 0 and "not known here" not in out.read_text("utf-8")


@pytest.mark.parametrize("command", [["build"], ["check"]])
def test_a_folder_without_suites_is_refused(site, tmp_path, command):
    for name, said in (("nowhere", "there is no such folder"), ("results", "holds no suite")):
        done = CliRunner().invoke(
            app, ["board", *command, str(site / "results"), "--suites", str(tmp_path / name)]
        )
        assert isinstance(done.exception, ConfigError) and said in str(done.exception)


def test_what_is_no_result_is_named_for_what_it_is(tmp_path):
    (tmp_path / "file").write_text("x")
    share_unlabelled(population_folder(tmp_path / "ants"), tmp_path / "riddle")
    for name, said in (
        ("nowhere", "does not exist"),
        ("file", "is a file"),
        ("riddle", "a riddle without labels"),
    ):
        with pytest.raises(MirrorError, match=f"{name} .*{said}|{name} {said}"):
            verify_result(tmp_path / name)


def test_a_manifest_that_leads_elsewhere_is_refused_by_its_own_name(tmp_path):
    folder = population_folder(tmp_path / "ants")
    path = folder / "manifest.json"
    held = json.loads(path.read_text("utf-8"))
    held["files"]["../../etc/passwd"] = {"bytes": 1, "sha256": "0" * 64}
    path.write_text(json.dumps(held, indent=2) + "\n", "utf-8")
    with pytest.raises(
        ResultError, match=r"the manifest names '\.\./\.\./etc/passwd', which is missing"
    ):
        verify_result(folder)
