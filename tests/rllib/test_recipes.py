"""The Python recipes of training/ do what they say, small."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mirrorenv.population import load_population

pytestmark = pytest.mark.ray

TRAINING = Path(__file__).resolve().parents[2] / "training"


def recipe(name: str) -> ModuleType:
    return recipe_at(TRAINING / f"{name}.py")


def recipe_at(path: Path) -> ModuleType:
    """A script that lies in no package, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def population(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the recipe for MirrorPPO saved."""
    folder = tmp_path_factory.mktemp("recipe") / "ants"
    row = recipe("mirror_ppo").main(["--iterations", "1", "--episodes", "8", "--out", str(folder)])
    assert row["mirror_return_mean"] <= 1.3863
    return folder


def test_mirror_ppo_trains_and_saves_its_population(population: Path) -> None:
    _, about = load_population(population)
    assert about["world"] == "mirrorenv/ants-v0"


@pytest.mark.slow  # it fits every baseline
def test_a_checkpoint_is_measured_against_limit_and_baselines(
    population: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = recipe("evaluate_checkpoint").main([str(population), "--episodes", "16"])
    assert measured.baselines["chance"].top1.value == pytest.approx(0.25)
    printed = capsys.readouterr().out
    for name in ("learned", "exact limit", *measured.baselines):
        assert name in printed


def test_a_world_of_ones_own_is_trained_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(TRAINING))
    small = ("evaluation.checkpoints=1", "evaluation.episodes=8", "evaluation.baselines=false")
    words = [
        "--steps",
        "3072",
        "--out",
        str(tmp_path / "meeting"),
        *(f"--set={one}" for one in small),
    ]
    report = recipe("own_world").main(words)
    assert "Meeting" in report.read_text("utf-8")


def test_the_world_in_the_recipe_passes_pettingzoos_own_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pettingzoo.test import parallel_api_test

    parallel_api_test(recipe("own_world").Meeting(), num_cycles=40)


@pytest.mark.slow
def test_the_sweep_trains_each_weight_and_seed(tmp_path: Path) -> None:
    words = [
        "--weights",
        "0",
        "1",
        "--seeds",
        "1",
        "--iterations",
        "1",
        "--episodes",
        "8",
        "--out",
        str(tmp_path),
    ]
    rows: list[dict[str, Any]] = recipe("tune_sweep").main(words)
    assert [row["weight"] for row in rows] == [0.0, 1.0]
    assert {row["env_steps"] for row in rows} == {8 * 32}


def test_the_mirror_is_attached_to_an_algorithm_of_rllibs_own() -> None:
    rows = recipe("rllib_attach").main(["--iterations", "1", "--batch", "256"])
    assert rows[0][0] >= 256
    assert 0 <= rows[0][1] <= 1
