"""Several workers do what one would: the same texts to the byte, the same weights within rounding,
one set of files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="needs the extra trl")

import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.errors import ConfigError, TrainingError
from mirrorenv.preference.context import RunContext
from mirrorenv.preference.methods import fit_classifiers, tune_by_reward
from mirrorenv.preference.run import device_for, train, voices_for
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.workers import ALONE, Workers, join_workers
from mirrorenv.results.runs.run_folder import RunFolder
from tests.preference.small import first_texts, small_settings
from tests.preference.together import together

ROOT = Path(__file__).resolve().parents[2]


def furthest(one: Path, other: Path) -> float:
    """The largest difference between the adapters of two runs, in all checkpoints."""
    folders = sorted(path.name for path in (one / "checkpoints").iterdir())
    assert folders == sorted(path.name for path in (other / "checkpoints").iterdir())
    found = 0.0
    for name in folders:
        first, second = (
            load_file(run / "checkpoints" / name / "adapters.safetensors") for run in (one, other)
        )
        assert first.keys() == second.keys()
        found = max(found, *(float((first[key] - second[key]).abs().max()) for key in first))
    return found


def assert_alike(one: Path, other: Path) -> None:
    """Two runs with different numbers of workers."""
    assert (one / "texts.jsonl").read_bytes() == (other / "texts.jsonl").read_bytes()
    assert furthest(one, other) < 1e-5
    assert [row["split"] for row in RunFolder.open(other).evaluations()] == [
        "tuning",
        "tuning",
        "tuning",
        "held_out",
    ]
    assert len(RunFolder.open(other).metrics()) == 3


def test_two_workers_train_like_one_with_all_pairs(tiny_model: Path, tmp_path: Path) -> None:
    """Texts of the second round differ in length, so that a mean over each worker's tokens would be
    another one."""
    settings = small_settings(tiny_model, "loss.supervised=1.0")
    train(settings, tmp_path / "one")

    def work(workers: Workers) -> None:
        folder = train(settings, tmp_path / "two", workers=workers, device="cpu")
        assert workers.is_main == (folder.status == "finished")

    assert together(work, tmp_path) == [0, 0]
    assert_alike(tmp_path / "one", tmp_path / "two")
    assert RunFolder.open(tmp_path / "two").info["device"] == "cpu, 2 workers"
    moved = load_file(tmp_path / "one" / "checkpoints" / "000000000006" / "adapters.safetensors")
    first = load_file(tmp_path / "one" / "checkpoints" / "000000000000" / "adapters.safetensors")
    # far beyond rounding
    assert max(float((moved[key] - first[key]).abs().max()) for key in first) > 0.01


def test_two_workers_take_the_road_with_heads_and_end_with_the_same_voices(
    tiny_model: Path, tmp_path: Path
) -> None:
    """Each draws texts of its own for GRPO, so it is no run of one worker; but voices agree, since
    gradients do."""
    settings = small_settings(
        tiny_model, "method=grpo", "grpo.generations=4", "learning.batch_size=4"
    )

    def work(workers: Workers) -> None:
        with voices_for(settings, "cpu") as voices:
            context = RunContext.start(settings, voices, workers=workers)
            start = list(voices.states)
            fit_classifiers(context, first_texts().texts)
            tune_by_reward(context, 1)
            moved = [
                float((now[name] - was[name]).abs().max())
                for now, was in zip(voices.states, start, strict=True)
                for name in was
            ]
            assert max(moved) > 1e-3
            found = workers.gather(
                lambda: [{name: one.tolist() for name, one in now.items()} for now in voices.states]
            )
            assert found[0] == found[1]

    assert together(work, tmp_path) == [0, 0]


def test_what_the_first_worker_raises_ends_all_and_is_said_once(tmp_path: Path) -> None:
    def work(workers: Workers) -> None:
        assert workers.on_main(lambda: "only mine") == "only mine"
        assert workers.gather(lambda: workers.rank) == [0, 1]
        assert workers.mean({"loss": float(workers.rank)}) == {"loss": 0.5}
        workers.on_main(lambda: (_ for _ in ()).throw(TrainingError("no space left")))

    assert together(work, tmp_path) == [1, 1]
    assert "no space left" in (tmp_path / "worker0.txt").read_text()
    assert not (tmp_path / "worker1.txt").exists()  # it ends in silence


def test_alone_the_verbs_are_plain_calls() -> None:
    assert (
        ALONE.on_main(lambda: 1) == 1
        and ALONE.gather(lambda: 2) == [2]
        and ALONE.shard([1, 2, 3]) == [1, 2, 3]
    )
    assert Workers(1, 3).shard(list(range(7))) == [1, 4]
    with pytest.raises(TrainingError):
        ALONE.on_main(lambda: (_ for _ in ()).throw(TrainingError("x")))


def test_what_workers_cannot_do_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = small_settings(Path("m"), "learning.batch_size=3")
    with pytest.raises(
        ConfigError, match=r"learning\.batch_size = 3 cannot be shared by 2 workers"
    ):
        train(settings, tmp_path / "run", workers=Workers(0, 2))
    with pytest.raises(ConfigError, match="device 'tpu': must be auto, cpu or cuda"):
        device_for("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="torch sees no GPU here"):
            device_for("cuda")
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = CliRunner().invoke(
        app, ["prefer", "train", "--run", str(tmp_path / "run"), "--workers", "2"]
    )
    assert "a launcher has started some already" in str(done.exception)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(ConfigError, match="accelerate is set to FSDP"):
        join_workers()


def _options(settings: PreferenceSettings, path: Path) -> list[str]:
    path.write_text(json.dumps(settings.model_dump(mode="json")))
    return ["-m", "mirrorenv", "prefer", "train", "--config", str(path), "--json"]


@pytest.mark.slow
@pytest.mark.parametrize("by", ["accelerate", "ray"])
def test_the_command_trains_with_two_workers(tiny_model: Path, tmp_path: Path, by: str) -> None:
    if by == "ray":
        pytest.importorskip("ray", reason="needs the extra train")
    settings = small_settings(tiny_model)
    train(settings, tmp_path / "one")
    command = [*_options(settings, tmp_path / "settings.json"), "--run", str(tmp_path / "two")]
    launch = [
        "-m",
        "accelerate.commands.launch",
        "--cpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
    ]
    words = [*launch, *command] if by == "accelerate" else [*command, "--workers", "2"]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().splitlines()
    assert len(lines) == 1 and json.loads(lines[0])["rounds"] == 2  # one worker speaks
    assert_alike(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "two" / "report.html").is_file()


@pytest.mark.slow
def test_what_a_worker_on_ray_says_is_what_the_command_says(
    tiny_model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="needs the extra train")
    settings = small_settings(tiny_model, "learning.targets=[no_such_layer]")
    words = [
        *_options(settings, tmp_path / "settings.json"),
        "--run",
        str(tmp_path / "run"),
        "--workers",
        "2",
    ]
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 1
    assert "error: learning.targets: the model" in done.stderr and "Traceback" not in done.stderr
