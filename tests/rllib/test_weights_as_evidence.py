"""A result holds the weights it is of: its evidence follows from them, and they from its seed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from mirrorenv.errors import ResultError
from mirrorenv.population import proof, weight_file
from mirrorenv.population.export import export_run
from mirrorenv.population.proof import prove_from_weights
from mirrorenv.results.folders.proof import Proved
from mirrorenv.results.folders.result_folder import WEIGHTS, ResultFolder
from mirrorenv.results.folders.verify import Verification, verify_result
from mirrorenv.results.runs.manifest import write_manifest
from mirrorenv.rllib.retrain import planned_steps, retrain
from mirrorenv.rllib.run import train
from mirrorenv.rllib.settings import load_settings

SMALL = (
    "total_steps=256",
    "world_options.horizon=8",
    "learning.episodes_per_iteration=16",
    "learning.minibatch_episodes=8",
    "learning.epochs=1",
    "population.hidden=8",
    "population.observer.hidden=8",
    "evaluation.checkpoints=1",
    "evaluation.episodes=8",
    "evaluation.baselines=false",
    "seed=2",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result of a run that was really trained."""
    place = tmp_path_factory.mktemp("trained")
    train(load_settings("mirrorenv/ants-v0", (), SMALL), place / "run")
    return export_run(place / "run", place / "result", episodes=16, seed=5, form="npz")


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "r")


def by_weights(folder: Path) -> Verification:
    return verify_result(folder, provers=[prove_from_weights])


def sign(folder: Path, how: Callable[[dict[str, Any]], object] = lambda result: None) -> None:
    """Change what result.json says, and write the manifest as a forger would."""
    path = folder / "result.json"
    result = json.loads(path.read_text("utf-8"))
    how(result)
    path.write_text(json.dumps(result), "utf-8")
    write_manifest(folder)


def put(folder: Path, data: bytes) -> None:
    """Other weights, named as such."""
    (folder / WEIGHTS).write_bytes(data)
    named = {"sha256": weight_file.hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    sign(folder, lambda result: result["weights"].update(named))


def elsewhere(result: dict[str, Any]) -> None:
    result["machine"]["processor"] = "another"


def test_the_evidence_follows_from_the_weights(made: Path) -> None:
    found = by_weights(made)
    assert found.proved is Proved.WEIGHTS
    assert any("played and read again by the weights" in one for one in found.checks)
    assert [one for one in found.unchecked if "retrain" in one]
    assert (made / WEIGHTS).stat().st_size < weight_file.LARGEST


def test_nothing_is_proved_by_weights_that_no_one_read(made: Path) -> None:
    found = verify_result(made)
    assert found.proved is Proved.STEPS
    assert any("its weights were not read" in one for one in found.unchecked)


def test_the_training_follows_from_its_seed(made: Path) -> None:
    assert planned_steps(ResultFolder.open(made).result) == 256
    found = verify_result(made, provers=[prove_from_weights, retrain])
    assert found.proved is Proved.TRAINING
    assert not any("unproved" in one for one in found.unchecked)


def test_draws_of_a_result_are_those_that_it_names(copy: Path) -> None:
    sign(copy, lambda result: result["config"]["run"]["evaluation"].update(draws="common"))
    with pytest.raises(ResultError, match="not those that its weights play"):
        by_weights(copy)


def test_a_result_from_before_the_choice_of_draws_is_proved_as_it_was_made(tmp_path: Path) -> None:
    settings = load_settings("mirrorenv/ants-v0", (), [*SMALL, "evaluation.draws=common"])
    train(settings, tmp_path / "run")
    old = export_run(tmp_path / "run", tmp_path / "old", episodes=16, seed=5, form="npz")

    def as_version_3(result: dict[str, Any]) -> None:
        result["config"]["run"]["version"] = 3
        del result["config"]["run"]["evaluation"]["draws"]

    sign(old, as_version_3)
    found = verify_result(old, provers=[prove_from_weights, retrain])
    assert found.proved is Proved.TRAINING


def test_another_seed_trains_to_something_else(copy: Path) -> None:
    def other(result: dict[str, Any]) -> None:
        result["config"]["run"]["seed"] = 3
        result["seeds"] = [3]

    sign(copy, other)
    folder = ResultFolder.open(copy)
    with pytest.raises(ResultError, match="comes out otherwise"):
        retrain(folder, folder.tables())
    sign(copy, elsewhere)
    folder = ResultFolder.open(copy)
    (said,) = retrain(folder, folder.tables()).unchecked
    assert "not comparable here" in said and "false" not in said


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda run: run["resources"].update(env_runners=2), "several processes"),
        (lambda run: run["population"].update(actor="elsewhere:Actor"), "name code"),
    ],
)
def test_what_is_not_repeatable_is_not_trained(
    change: Callable[[Any], object], why: str, copy: Path
) -> None:
    sign(copy, lambda result: change(result["config"]["run"]))
    folder = ResultFolder.open(copy)
    found = retrain(folder, folder.tables())
    assert found.level is None and why in found.unchecked[0]
    assert planned_steps(folder.result) == 0


def test_other_weights_are_not_those_of_the_episodes(copy: Path) -> None:
    weights = load((copy / WEIGHTS).read_bytes())
    put(copy, save({name: one + 0.5 * torch.sign(one) for name, one in weights.items()}))
    with pytest.raises(ResultError, match="not those that its weights play"):
        by_weights(copy)
    sign(copy, elsewhere)
    found = by_weights(copy)
    assert found.proved is Proved.STEPS
    assert any("not comparable here: it was computed elsewhere" in one for one in found.unchecked)


def test_other_observers_do_not_give_the_evidence(copy: Path) -> None:
    weights = load((copy / WEIGHTS).read_bytes())
    put(
        copy,
        save({name: one * (2 if "observers" in name else 1) for name, one in weights.items()}),
    )
    with pytest.raises(ResultError, match="evidence is not what its weights give"):
        by_weights(copy)


def test_weights_that_do_not_fit_the_settings_are_refused(copy: Path) -> None:
    weights = load((copy / WEIGHTS).read_bytes())
    put(copy, save({name: one for name, one in weights.items() if "critics" not in name}))
    with pytest.raises(ResultError, match="the network of its settings takes"):
        by_weights(copy)
    put(copy, save(weights).replace(b'"actor.', b'"octar.'))
    with pytest.raises(ResultError, match="where the settings of the run make"):
        by_weights(copy)
    put(copy, b"\x80\x04pickle".ljust(len(save(weights))))
    with pytest.raises(ResultError, match="holds no weights"):
        by_weights(copy)


def test_weights_under_another_hash_are_refused(copy: Path) -> None:
    data = (copy / WEIGHTS).read_bytes()
    (copy / WEIGHTS).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    sign(copy)
    with pytest.raises(ResultError, match="not hold the weights that the result names"):
        by_weights(copy)
    (copy / WEIGHTS).unlink()
    sign(copy)
    with pytest.raises(ResultError, match="is missing"):
        by_weights(copy)


def test_settings_of_a_giant_network_are_refused_before_it_is_built(copy: Path) -> None:
    sign(copy, lambda result: result["config"]["run"]["population"].update(hidden=10**9))
    with pytest.raises(ResultError, match="no network of settings as large"):
        by_weights(copy)


def test_large_weights_are_named_by_their_hash(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weight_file, "LARGEST", 1000)
    monkeypatch.setattr(proof, "LARGEST", 1000)
    out = export_run(made.parent / "run", tmp_path / "result", episodes=16, seed=5, form="npz")
    said = ResultFolder.open(out).result.weights
    assert said is not None and not said.held and not (out / WEIGHTS).exists()
    found = by_weights(out)
    assert found.proved is Proved.STEPS
    assert any("named by their hash only" in one for one in found.unchecked)
    monkeypatch.setattr(proof, "LARGEST", 100_000)  # who leaves small ones out has a reason
    with pytest.raises(ResultError, match="belong into the folder"):
        by_weights(out)
    sign(out, lambda result: result["weights"].update(bytes=10**6))
    with pytest.raises(ResultError, match="the network of its settings takes"):
        by_weights(out)


def test_a_result_says_on_what_it_was_computed(made: Path) -> None:
    said = json.loads((made / "result.json").read_text())
    assert said["version"] == 2
    assert said["machine"] == {
        "processor": torch.backends.cpu.get_cpu_capability(),
        "architecture": weight_file.platform.machine(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def test_the_first_difference_of_tables_is_named() -> None:
    held = {"steps": {"a": np.arange(3.0)}}
    assert proof.unlike(held, {"steps": {"a": np.arange(3.0)}}, ("steps", "shown")) is None
    assert (
        proof.unlike(held, {"steps": {"b": np.arange(3.0)}}, ("steps",)) == "steps: other columns"
    )
    near = {"steps": {"a": np.arange(3.0) + 1e-9}}
    assert proof.unlike(held, near, ("steps",)) == "steps: the column 'a' differs"
    assert proof.unlike(held, near, ("steps",), 1e-6) is None
    many = {"steps": {"a": np.zeros(1000)}}
    one_off = {"steps": {"a": np.eye(1, 1000)[0] * 9e-5}}
    assert proof.unlike(many, one_off, ("steps",), 1e-4) is None
    all_off = {"steps": {"a": np.full(1000, 9e-5)}}
    assert proof.unlike(many, all_off, ("steps",), 1e-4) is not None
    assert proof.unlike(held, {}, ("steps",)) == "the table 'steps' is there only once"
