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
    *words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """The one message of a command that ends with code 1."""
    monkeypatch.setattr(sys, "argv", ["mirrorenv", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    answer = capsys.readouterr()
    assert ended.value.code == 1, answer.err
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
        (("--set", "world_options.num_agents=1"), "num_agents"),
        (("--set", "mirror.credit=adversarial"), "teams"),
        (("--set", "resources.gpus_per_learner=1"), "GPU"),
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
        said = refused(*TRAIN, "--run", str(folder), monkeypatch=monkeypatch, capsys=capsys)
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
    assert str(place) in refused("evaluate", str(place), monkeypatch=monkeypatch, capsys=capsys)


@pytest.mark.parametrize("what", ["empty", "file", "weights"])
def test_what_is_no_run_gets_no_report(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = junk(tmp_path)[what]
    said = refused("report", str(place), monkeypatch=monkeypatch, capsys=capsys)
    assert str(place) in said and "give the folder that a training run wrote" in said
