"""A tournament becomes a result folder: a line for each reader, scores that are the tournament's,
texts that fit."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.debate.scoring.results import open_results
from mirrorenv.errors import ConfigError, ResultError
from mirrorenv.results import ResultFolder, verify_result
from mirrorenv.results.board.board import collect
from mirrorenv.results.folders.sharing import share_unlabelled
from mirrorenv.results.folders.tables import read_table, table_file, write_table
from mirrorenv.results.runs.manifest import write_manifest


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Six games of scripted players, exported."""
    folder = tmp_path_factory.mktemp("debate")
    words = [
        "debate",
        "run",
        str(folder / "start" / "tournament.toml"),
        "--out",
        str(folder / "run"),
        "--quiet",
    ]
    for command in (
        ["debate", "init", str(folder / "start")],
        [*words, "--games", "6", "--set", "rounds=2"],
    ):
        assert CliRunner().invoke(app, command).exit_code == 0
    done = CliRunner().invoke(app, ["results", "export", str(folder / "run")])
    assert done.exit_code == 0, done.output + str(done.exception)
    return folder / "run"


def test_every_reader_is_a_line_with_the_tournaments_score(run):
    folder = ResultFolder.open(run / "result")
    scores = {score.name: score for score in open_results(run).scores()}
    held = {row["condition"]: row["figures"] for row in folder.scores()}
    assert held.keys() == scores.keys()
    for name, figures in held.items():
        for key, other in (
            ("peer_hits", "peer_hits"),
            ("kappa", "kappa"),
            ("self_hits", "self_hits"),
            ("peer_nats", "nats"),
        ):
            expected = getattr(scores[name], other)
            if expected is None:
                assert figures[key] is None
            else:
                assert figures[key]["value"] == pytest.approx(expected.value)
                assert figures[key]["low"] == pytest.approx(expected.low, abs=1e-9)
    assert folder.result.links == {"report": "../index.html", "transcripts": "../games"}


def test_it_is_verified_and_shown(run):
    said = verify_result(run / "result")
    assert any("recomputed from lineups and verdicts" in line for line in said.checks)
    (section,) = collect([run / "result"])
    assert {line.agents for line in section.lines} == {"scripted"} and len(section.lines) == 6


def test_texts_come_back_and_name_nobody(run, tmp_path):
    out = share_unlabelled(run / "result", tmp_path / "shared")
    steps, trials = (read_table(table_file(out, stem)) for stem in ("steps", "trials"))
    assert set(steps) == {"trajectory", "text"} and all(
        isinstance(text, str) for text in steps["text"]
    )
    assert trials["trajectories"].shape == (12, 4)
    shown = {
        text for debate in open_results(run).games() for one in debate.rounds for text in one.shown
    }
    assert set(steps["text"]) == shown


def test_a_better_verdict_is_found(run, tmp_path):
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(run / "result", folder)
    beliefs = {
        name: column.copy() for name, column in read_table(table_file(folder, "beliefs")).items()
    }
    beliefs["evidence"][0] = np.roll(beliefs["evidence"][0], 1, axis=1) + np.arange(4)
    write_table(folder, "beliefs", beliefs)
    write_manifest(folder)
    with pytest.raises(ResultError, match="episodes: the column"):
        verify_result(folder)


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["--episodes", "9"], "episodes"),
        (["--seed", "3"], "seed"),
        (["--condition", "mine"], "condition"),
        (["--small"], "small"),
    ],
)
def test_options_that_mean_nothing_to_a_tournament_are_refused(run, words, option):
    path = str(run)
    done = CliRunner().invoke(app, ["results", "export", path, "--out", f"{path}x", *words])
    assert isinstance(done.exception, ConfigError)
    assert f"--{option} is for training runs" in str(done.exception)
