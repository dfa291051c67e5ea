"""The leaderboard shows what may be compared, beside its intervals; a submission that is not fit is
refused by name."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.errors import ConfigError, MirrorError, ResultError
from mirrorenv.results.board.board import collect, result_folders
from mirrorenv.results.board.check import check_submission
from mirrorenv.results.board.page import board_page
from mirrorenv.results.board.suite import find_suites, load_suite
from mirrorenv.results.board.text import href, markdown
from mirrorenv.results.runs.manifest import write_manifest
from mirrorenv.results.stats.estimates import OverSeeds, WithinRun
from tests.results.results_of_ants import population_folder, table_folder

SUITE = """
name = "small"
version = {version}
title = "A small suite"
figures = ["measured"]
primary = "measured"

[[rows]]
row = "one"
world = "mirrorenv/identity-v0"
runner = "nobody"
seeds = 3
seconds = {seconds}
table = "First table"

[[rows]]
row = "two"
world = "mirrorenv/identity-v0"
runner = "nobody"
seeds = 2
together = true
seconds = 60.0
"""


def suite_file(folder, version=1, seconds=90.0, text=SUITE):
    (folder / "suites").mkdir(parents=True, exist_ok=True)
    path = folder / "suites" / "small.toml"
    path.write_text(text.format(version=version, seconds=seconds))
    return load_suite(path)


@pytest.fixture
def site(tmp_path):
    """A suite and a whole submission: three seeds of row one, row two not run."""
    suite = suite_file(tmp_path)
    for seed, value in enumerate((1.0, 1.2, 1.1)):
        folder = tmp_path / "results" / "small" / "one" / f"seed{seed}"
        table_folder(
            folder,
            {"mirror": {seed: [value, value]}, "control": {seed: [0.1 * value]}},
            suite=suite.mark("one"),
        )
    return tmp_path


def lines_of(*folders, suites=None):
    return [line for section in collect(result_folders(folders), suites) for line in section.lines]


def test_seeds_of_one_condition_are_one_line(site):
    first, second = lines_of(site / "results", suites=find_suites(site))
    assert (first.condition, first.seeds, first.group) == ("mirror", (0, 1, 2), 1)
    cell = first.cells["measured"]
    assert isinstance(cell.found, OverSeeds) and cell.found.values == {0: 1.0, 1: 1.2, 2: 1.1}
    assert cell.estimate.low == pytest.approx(1.1 - 4.303 * 0.1 / 3**0.5, abs=1e-3)
    assert (second.condition, second.group) == ("control", 2)


def test_overlapping_lines_share_a_group(tmp_path):
    made = table_folder(
        tmp_path / "r",
        {"a": {0: [1.0], 1: [3.0]}, "b": {0: [1.5], 1: [2.0]}, "c": {0: [90.0], 1: [90.1]}},
    )
    assert [(line.condition, line.group) for line in lines_of(made)] == [
        ("c", 1),
        ("a", 2),
        ("b", 2),
    ]


def test_a_single_run_keeps_its_own_kind_of_interval_and_no_group(tmp_path):
    (line,) = lines_of(population_folder(tmp_path / "one"))
    assert line.group is None and isinstance(line.cells["learned.top1"].found, WithinRun)
    sections = collect([tmp_path / "one"])
    text = markdown(sections, tmp_path / "board.md")
    assert "1 run †" in text and re.search(r"0\.\d{3} \[0\.\d{3}, 0\.\d{3}\] †", text)


def test_a_seed_that_is_there_twice_is_an_error(site):
    shutil.copytree(site / "results/small/one/seed0", site / "results/small/one/again")
    with pytest.raises(ResultError, match="are both seed 0 of 'mirror'"):
        lines_of(site / "results")


def test_settings_that_differ_make_two_lines(tmp_path):
    for seed, steps in enumerate((100, 200)):
        table_folder(
            tmp_path / str(seed), {"mirror": {seed: [1.0]}}, config={"steps": steps, "seed": seed}
        )
    assert [line.seeds for line in lines_of(tmp_path)] == [(0,), (1,)]


def test_suite_versions_never_share_a_table(site):
    newer = suite_file(site, version=2)
    table_folder(site / "results" / "newer", {"mirror": {0: [5.0]}}, suite=newer.mark("one"))
    table_folder(
        site / "results" / "smoke", {"mirror": {0: [5.0]}}, suite=newer.mark("one", smoke=True)
    )
    table_folder(site / "results" / "none", {"mirror": {0: [5.0]}})
    sections = collect(result_folders([site / "results"]), find_suites(site))
    assert [len(section.lines) for section in sections] == [2, 1, 1, 1]
    titles = [section.title for section in sections]
    assert "version 1" in titles[0] and titles[1] == "First table (small, version 2)"
    assert "smoke run" in titles[2] and "outside of suites" in titles[3]


def test_a_damaged_folder_is_on_no_board(site):
    path = site / "results/small/one/seed1/scores.json"
    path.write_text(path.read_text().replace("1.2", "9.9"))
    with pytest.raises(ResultError, match=r"seed1.scores\.json does not match its checksum"):
        lines_of(site / "results")


def test_words_and_estimates_do_not_change_the_hash_and_rows_do(tmp_path):
    first = suite_file(tmp_path)
    assert suite_file(tmp_path, seconds=5.0).hash == first.hash
    assert (
        suite_file(tmp_path, text=SUITE.replace("A small suite", "Another title")).hash
        == first.hash
    )
    grouped = SUITE.replace('row = "one"', 'row = "one"\nprimary = "measured"')
    assert grouped != SUITE and suite_file(tmp_path, text=grouped).hash == first.hash
    for old, new in (
        ("seeds = 3", "seeds = 4"),
        ('"nobody"', '"somebody"'),
        ("identity-v0", "identity-v1"),
    ):
        assert suite_file(tmp_path, text=SUITE.replace(old, new)).hash != first.hash
    assert suite_file(tmp_path, version=2).hash != first.hash


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seconds = {seconds}", "", "rows.0.seconds"),
        ('row = "two"', 'row = "one"', "twice"),
        ('primary = "measured"', 'primary = "other"', "none of the figures"),
        ('row = "one"', 'row = "one"\nprimary = "other"', "'other' is none of the figures"),
        ('title = "A small suite"', "title = [", "no valid TOML"),
        ('row = "one"', 'row = "../one"', "rows.0.row"),
        ("version = {version}", 'version = "1"', "version"),
    ],
)
def test_a_malformed_suite_is_refused_by_place(tmp_path, old, new, said):
    with pytest.raises(ConfigError, match=said):
        suite_file(tmp_path, text=SUITE.replace(old, new))


def test_a_whole_submission_passes_and_rows_not_run_are_listed_with_their_cost(site):
    found = check_submission(site / "results/small", find_suites(site / "results/small"))
    assert len(found.folders) == 3 and found.suites == ("small 1",)
    assert found.absent == (("small, two", 60.0),)


def test_a_missing_seed_is_refused_by_name(site):
    shutil.rmtree(site / "results/small/one/seed1")
    with pytest.raises(ResultError, match="row 'one' lacks seed 1 of 3"):
        check_submission(site / "results/small", find_suites(site))


def test_a_row_may_ask_for_seeds_from_a_later_one_on(tmp_path):
    suite = suite_file(tmp_path, text=SUITE.replace("seeds = 3", "seeds = 3\nfirst_seed = 20"))
    assert [seeds for _, seeds in suite.rows[0].pieces()] == [(20,), (21,), (22,)]
    for seed in (20, 22):
        table_folder(
            tmp_path / f"results/one/seed{seed}", {"mirror": {seed: [1.0]}}, suite=suite.mark("one")
        )
    with pytest.raises(ResultError, match="row 'one' lacks seed 21 of 3"):
        check_submission(tmp_path / "results", {"small": suite})
    for seed in (21, 0):
        table_folder(
            tmp_path / f"results/one/seed{seed}", {"mirror": {seed: [1.0]}}, suite=suite.mark("one")
        )
    with pytest.raises(ResultError, match="row 'one' has seeds 20 to 22, and this is seed 0"):
        check_submission(tmp_path / "results", {"small": suite})


def test_naming_the_usual_first_seed_changes_no_hash(tmp_path):
    said = suite_file(tmp_path, text=SUITE.replace("seeds = 3", "seeds = 3\nfirst_seed = 0"))
    assert said.hash == suite_file(tmp_path).hash
    assert (
        said.hash
        != suite_file(tmp_path, text=SUITE.replace("seeds = 3", "seeds = 3\nfirst_seed = 1")).hash
    )


def test_a_changed_suite_is_refused_by_name(site):
    suite_file(site, text=SUITE.replace("seeds = 3", "seeds = 4"))
    with pytest.raises(
        ResultError,
        match=r"was made with suite 'small' version 1, hash \w{12}; here it is version 1, hash",
    ):
        check_submission(site / "results/small", find_suites(site))


def test_tampering_is_refused_by_name(site):
    path = site / "results/small/one/seed2/scores.json"
    path.write_text(path.read_text().replace("1.1", "9.9"))
    write_manifest(path.parent)
    with pytest.raises(ResultError, match=r"measured, value: says 9\.9, but the tables give 1\.1"):
        check_submission(site / "results/small", find_suites(site))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mark": "three"}, "row 'three', which suite 'small' does not have"),
        ({"smoke": True}, "is a smoke run"),
        ({"seed": 7}, "row 'one' has seeds 0 to 2, and this is seed 7"),
        ({"seed": 1}, "both hold seed 1"),
        (
            {"world": "mirrorenv/ants-v0"},
            "is of mirrorenv/ants-v0, but row 'one' is of mirrorenv/identity-v0",
        ),
    ],
)
def test_a_result_that_is_none_of_the_suite_is_refused(site, change, said):
    mark = find_suites(site)["small"].mark(change.pop("mark", "one"), change.pop("smoke", False))
    table_folder(
        site / "results/small/extra",
        {"mirror": {change.pop("seed", 5): [1.0]}},
        suite=mark,
        **change,
    )
    with pytest.raises(ResultError, match=said):
        check_submission(site / "results/small", find_suites(site))


def test_a_suite_that_is_not_here_is_named(site):
    with pytest.raises(ResultError, match="suite 'small', which is not here"):
        check_submission(site / "results/small", {})


def test_nothing_is_no_submission(tmp_path):
    with pytest.raises(ResultError, match="holds no result folder"):
        check_submission(tmp_path, {})


def test_links_lead_to_what_is_there_and_nowhere_else(tmp_path):
    folder, out = tmp_path / "run" / "result", tmp_path / "board.html"
    folder.mkdir(parents=True)
    for name in ("a table.csv", "report.html", "drawing.svg", "page.xhtml", "none"):
        (tmp_path / "run" / name).write_text("x")
    (tmp_path / "secret.html").write_text("x")
    (tmp_path / "run" / "page.txt").symlink_to(tmp_path / "run" / "report.html")
    assert href(folder, "../a table.csv", out) == "run/a%20table.csv"
    assert href(folder, 'https://example.org/a"b', out) == "https://example.org/a%22b"
    for bad in (
        "../../secret.html",
        "/etc/passwd",
        "javascript:alert(1)",
        "data:text/html,x",
        "http://e.org",
        "../no.csv",
        "../report.html",  # its own script would run once it is opened
        "../drawing.svg",
        "../page.xhtml",
        "../none",
        "../page.txt",
    ):
        assert href(folder, bad, out) is None


def test_a_new_user_builds_and_checks(site, tmp_path):
    out = tmp_path / "page" / "board.html"
    done = CliRunner().invoke(
        app, ["board", "build", str(site / "results"), "--out", str(out), "--json"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["lines"] == 2
    assert (
        "First table" in out.read_text()
        and "| mirror | mirrorenv/identity-v0 | 1.100 [" in out.with_suffix(".md").read_text()
    )
    done = CliRunner().invoke(app, ["board", "check", str(site / "results/small")])
    assert done.exit_code == 0, done.output
    shutil.rmtree(site / "results/small/one/seed0")
    done = CliRunner().invoke(app, ["board", "check", str(site / "results/small")])
    assert isinstance(done.exception, MirrorError) and "\n" not in str(done.exception)
    done = CliRunner().invoke(app, ["board", "build", str(site), "--out", "board.txt"])
    assert isinstance(done.exception, ConfigError)


def test_every_number_on_the_page_has_its_interval(site):
    page = board_page(collect(result_folders([site / "results"])), Path("board.html"))
    body = re.search(r"<tbody.*?</tbody>", page, re.DOTALL)
    assert body is not None
    cells = re.findall(
        r"<td data-head=\"[^\"]*\"><span>(\d*\.\d+) <span class=\"span\">(\[[^\]]+\])", body[0]
    )
    assert [value for value, _ in cells] == ["1.100", "0.110"]
