"""One case of each kind that the fuzz found, so that none comes back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import mirrorenv
from mirrorenv.errors import ConfigError, MirrorError, ResultError, RunFolderError
from mirrorenv.results.runs.files import atomic_write_bytes
from mirrorenv.results.runs.manifest import sha256_of
from mirrorenv.strict import parse_yaml, read_settings_text
from tests.fuzz.hostile import YAML_TEXTS


@pytest.mark.parametrize("text", [one for one in YAML_TEXTS if "*h" in one or "*a, *a" in one])
def test_a_small_text_is_no_large_tree(text: str) -> None:
    with pytest.raises(ConfigError, match="too many values"):
        parse_yaml(text, "here")


def test_nothing_is_written_over_a_pipe_or_read_from_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for way in (lambda: atomic_write_bytes(pipe, b"x"), lambda: sha256_of(pipe)):
        with pytest.raises(RunFolderError, match="a device or a pipe"):
            way()
    with pytest.raises(ConfigError, match="a device or a pipe"):
        read_settings_text(pipe)
    assert pipe.is_fifo()


@pytest.mark.parametrize("seeds", [[None, []], [[1], [2, 3]], [10**400], [{}]])
def test_seeds_that_are_none(seeds: list[object]) -> None:
    with pytest.raises(MirrorError):
        mirrorenv.make_batch("mirrorenv/ants-v0", 2).reset(seeds)


@pytest.mark.parametrize(
    ("world", "options"),
    [
        ("mirrorenv/ants-v0", {"horizon": 10**12}),
        ("mirrorenv/ants-v0", {"horizon": 10**400}),
        ("mirrorenv/pacmen-v0", {"size": {"a": 1}}),
    ],
)
def test_arguments_out_of_any_range(world: str, options: dict[str, object]) -> None:
    with pytest.raises(MirrorError):
        mirrorenv.make_batch(world, 1, **options)


def test_a_setting_that_cannot_be_written_is_refused_all_the_same() -> None:
    pytest.importorskip("torch")
    from mirrorenv.rllib.settings import load_settings

    for value in ("{2024-01-01: 1}", "0b" + "1" * 20_000, "{[1]: 2}"):
        with pytest.raises(ConfigError, match=r"mirror\.weight|not valid YAML"):
            load_settings("mirrorenv/ants-v0", (), [f"mirror.weight={value}"])


def test_scores_without_a_row_make_no_line(tmp_path: Path) -> None:
    from mirrorenv.results.board.board import collect
    from mirrorenv.results.runs.manifest import write_manifest
    from tests.results.results_of_ants import population_folder

    folder = population_folder(tmp_path / "r", form="npz")
    (folder / "scores.json").write_text(json.dumps({"scores": []}))
    write_manifest(folder)
    with pytest.raises(ResultError, match="holds no row"):
        collect([folder])


def test_a_checkpoint_of_another_world_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from mirrorenv.errors import CheckpointError
    from mirrorenv.population.checkpoint import check_fits
    from tests.population.small import population

    world = mirrorenv.make_batch("mirrorenv/ants-v0", 1, num_agents=7)
    with pytest.raises(CheckpointError, match="was made for"):
        check_fits(population(), world, "here")


def test_a_call_of_a_wrong_type_is_named_by_its_line(tmp_path: Path) -> None:
    from mirrorenv.debate.log import CallLog

    reply = {"text": "x", "usage": {"inputs": 1}}
    row = {"kind": "call", "game": 0, "key": "k", "sample": 0, "agent": "a", "digest": "d"}
    (tmp_path / "calls.jsonl").write_text(json.dumps({**row, "reply": reply}) + "\n")
    with pytest.raises(RunFolderError, match="line 1: damaged"):
        CallLog(tmp_path / "calls.jsonl")


def test_an_evaluation_without_its_steps_makes_no_table(tmp_path: Path) -> None:
    from mirrorenv.results.stats.marl_eval import marl_eval_of_runs
    from tests.results.synthetic import make_run

    run = make_run(tmp_path / "run", count=2).path
    file = run / "evaluations.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    del rows[0]["env_steps"]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(RunFolderError, match="after how many steps"):
        marl_eval_of_runs([run])


@pytest.mark.parametrize("run", [[], "x", {"mirror": []}, {"mirror": {"weight": "x"}}])
def test_a_checkpoint_that_does_not_say_its_run_is_refused(run: object, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from mirrorenv.cli.evaluate import evaluate
    from mirrorenv.results.runs.manifest import write_manifest
    from tests.fuzz.folders import checkpoint

    folder = checkpoint(tmp_path / "c")
    config = json.loads((folder / "config.json").read_text())
    config["run"] = {**config["run"], **run} if isinstance(run, dict) else run
    config["run"] = (
        {**config["run"], "world": "mirrorenv/conformity-v0"} if isinstance(run, dict) else run
    )
    (folder / "config.json").write_text(json.dumps(config))
    write_manifest(folder, ["population.safetensors", "config.json"])
    with pytest.raises(MirrorError):
        evaluate(folder, episodes=8)
