"""What people get wrong: each mistake is one message that names the thing, the place and the
remedy."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mirrorenv.cli.app import main

TRAIN = ("train", "mirrorenv/ants-v0")


def refused(
    *words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    code: int = 2,
) -> str:
    """The one message of a command that ends with this code: 2 is wrong usage."""
    monkeypatch.setattr(sys, "argv", ["mirrorenv", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    answer = capsys.readouterr()
    assert ended.value.code == code, answer.err
    _, _, message = answer.err.partition("error: ")
    assert message and "error: " not in message and "Traceback" not in answer.err
    return message


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--set", "mirror.wieght=1"), "Did you mean mirror.weight?"),
        (("--set", "seed=one"), "setting 'seed' = \"one\""),
        (("--set", "mirror.weight=[1"), "not valid YAML"),
        (("--set", "population.weights=own"), "'separate' or 'shared'"),
        (("--set", "world_options.lenght=9"), "Did you mean length"),
        (("--set", "world_options.length=one"), "length"),
        (("--set", "world_options.length=2.5"), "length"),
        (("--set", "world_options.start=left"), "'middle' or 'random'"),
        (("--set", "world_options.num_agents=20"), "population.observer.neighbours=8"),
        (("--set", "mirror.credit=adversarial"), "teams"),
        (("--actor", "lstm"), "Known: byt5, byte_transformer, goals, gru, mlp, transformer."),
        (("--set", "mirror.teams=3"), "a list belongs here"),
        (("--set", "mirror=3"), "a table of names and values belongs here"),
        (("--set", "population.auxiliaries=[{name:x}]"), "a blank after the colon: name: x"),
        (("--set", "seed=4294967296"), "less than or equal to 2147483647"),
    ],
    ids=lambda x: x[-1] if isinstance(x, tuple) else "",
)
def test_a_setting_that_cannot_be_is_refused_before_a_folder_is_made(
    words: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "run"
    assert says in refused(
        *TRAIN, "--run", str(folder), *words, monkeypatch=monkeypatch, capsys=capsys
    )
    assert not folder.exists()


def test_what_a_machine_or_a_world_cannot_do_is_no_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for setting, says in (
        ("resources.gpus_per_learner=1", "GPU"),
        ("world_options.num_agents=1", "Ants has one agent"),
    ):
        words = (*TRAIN, "--run", str(tmp_path / "run"), "--set", setting)
        assert says in refused(*words, monkeypatch=monkeypatch, capsys=capsys, code=1)
    assert not (tmp_path / "run").exists()


def test_a_class_behind_a_dot_is_offered_behind_a_colon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lamps.py").write_text("raise SystemExit('imported for a message')")
    for typed, meant in (("lamps.Lamps", "lamps:Lamps"), ("json.tool.Env", "json.tool:Env")):
        said = refused("train", typed, monkeypatch=monkeypatch, capsys=capsys)
        assert f"after a colon: {meant}" in said


def test_the_limit_as_reward_is_refused_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
        "train",
        "mirrorenv/turn-v0",
        "--run",
        str(tmp_path / "run"),
        "--set",
        "mirror.control=limit",
    )
    said = refused(*words, monkeypatch=monkeypatch, capsys=capsys)
    assert "mirrorenv/turn-v0 has none: start corners name the agents" in said


def test_a_run_folder_that_cannot_be_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("a file")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        words = (*TRAIN, "--run", str(folder))
        said = refused(*words, monkeypatch=monkeypatch, capsys=capsys, code=1)
        assert str(folder) in said and "choose" in said
    assert (tmp_path / "file").read_text() == "a file"


def junk(folder: Path) -> dict[str, Path]:
    """What people point `evaluate` and `report` at, by name."""
    made = {name: folder / name for name in ("empty", "file", "weights", "run")}
    made["empty"].mkdir()
    made["file"].write_text("just words")
    made["weights"].mkdir()
    save_file({"x": np.zeros(3, np.float32)}, made["weights"] / "population.safetensors")
    made["run"].mkdir()
    (made["run"] / "run.json").write_text(json.dumps({"format": 1}))
    (made["run"] / "config.json").write_text("{}")
    return made


@pytest.mark.parametrize("what", ["empty", "file", "weights", "run"])
def test_what_is_no_checkpoint_is_not_evaluated(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = junk(tmp_path)[what]
    words = ("evaluate", str(place))
    assert str(place) in refused(*words, monkeypatch=monkeypatch, capsys=capsys, code=1)


@pytest.mark.parametrize("what", ["empty", "file", "weights"])
def test_what_is_no_run_gets_no_report(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = junk(tmp_path)[what]
    said = refused("report", str(place), monkeypatch=monkeypatch, capsys=capsys, code=1)
    assert str(place) in said and "give the folder that a training run wrote" in said
