"""A population on a tiny model: it learns its own voice, resumes to the same bytes, and rolls back
what collapses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="needs the extra trl")

import torch

from mirrorenv.errors import ConfigError, RunFolderError
from mirrorenv.llm import load_model
from mirrorenv.preference.callbacks import RunCallbacks
from mirrorenv.preference.data import generate_pairs
from mirrorenv.preference.measure import beyond_bound
from mirrorenv.preference.pairs import read_pairs
from mirrorenv.preference.report import summary, write_report
from mirrorenv.preference.rounds import adapted_beta
from mirrorenv.preference.run import train, voices_for
from mirrorenv.results.runs.run_folder import RunFolder
from tests.preference.small import Killed, differing, first_texts, small_settings


@pytest.fixture(scope="module")
def learned(
    tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunFolder, list[str]]:
    """A run from a pair file that is long enough to learn, and the stages it went through."""
    settings = small_settings(
        tiny_model, "learning.rounds=3", "learning.steps=8", "learning.on_policy=false"
    )
    stages: list[str] = []
    callbacks = RunCallbacks(stage=lambda what, done, of: stages.append(what))
    path = tmp_path_factory.mktemp("runs") / "learned"
    return train(settings, path, pairs=first_texts(), callbacks=callbacks), stages


def test_voices_learn_to_know_their_own_texts_on_topics_they_never_saw(
    learned: tuple[RunFolder, list[str]],
) -> None:
    row = learned[0].evaluations()[-1]
    assert row["split"] == "held_out"
    first = row["first"]
    assert first["before"]["sum"]["joint"]["value"] == 0.5  # one model cannot be two authors
    assert first["recognition"]["sum"]["joint"]["value"] == 1.0
    assert first["recognition"]["per_token"]["joint"]["value"] == 1.0
    assert first["recognition"]["self_advantage"]["value"] > 0.2


def test_a_run_leaves_weights_that_peft_loads_and_a_page_that_needs_nothing_else(
    learned: tuple[RunFolder, list[str]], tiny_model: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder, stages = learned
    assert {"writing", "reading"} <= set(stages) and any("training" in stage for stage in stages)
    bare = AutoModelForCausalLM.from_pretrained(tiny_model)
    tuned = PeftModel.from_pretrained(bare, folder.path / "voices" / "ann")
    ids = torch.tensor([[3, 20, 30, 40]])
    with torch.no_grad():
        moved = tuned(ids).logits
        with tuned.disable_adapter():
            assert (tuned(ids).logits - moved).abs().max() > 1e-3
    assert not list(folder.path.rglob("*.bin")) and not list(folder.path.rglob("*.pt"))
    page = write_report(folder.path).read_text()
    for needed in (
        "Recognition against usefulness",
        "On held-out topics",
        "ann",
        "bob",
        "exact limit",
    ):
        assert needed in page
    assert "http://" not in page and "https://" not in page and "<script" not in page
    assert summary(folder.evaluations())["best_round"] >= 1


def test_the_base_model_is_left_as_it_was(
    learned: tuple[RunFolder, list[str]], tiny_model: Path
) -> None:
    from transformers import AutoModelForCausalLM

    ids = torch.tensor([[3, 20, 30, 40]])
    with torch.no_grad():
        fresh = AutoModelForCausalLM.from_pretrained(tiny_model)(ids).logits
        assert torch.equal(load_model(str(tiny_model)).model(ids).logits, fresh)


@pytest.mark.parametrize(
    "share", [0.5, *(pytest.param(share, marks=pytest.mark.slow) for share in (0.1, 0.9))]
)
def test_a_killed_run_comes_to_the_same_bytes(
    tiny_model: Path, tmp_path: Path, share: float
) -> None:
    settings = small_settings(tiny_model)
    stages: list[str] = []
    train(
        settings,
        tmp_path / "whole",
        callbacks=RunCallbacks(stage=lambda what, done, of: stages.append(what)),
    )
    left = round(share * len(stages))

    def kill(what: str, done: int, of: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    with pytest.raises(Killed):
        train(settings, tmp_path / "killed", callbacks=RunCallbacks(stage=kill))
    assert RunFolder.open(tmp_path / "killed").status == "running"
    train(settings, tmp_path / "killed")
    assert differing(tmp_path / "whole", tmp_path / "killed") == []


def test_a_run_killed_after_its_last_row_does_not_write_it_twice(
    tiny_model: Path, tmp_path: Path
) -> None:
    settings = small_settings(tiny_model, "learning.rounds=1")

    def kill(row: dict[str, Any]) -> None:
        if row["split"] == "held_out":
            raise Killed

    with pytest.raises(Killed):
        train(
            settings, tmp_path / "run", pairs=first_texts(), callbacks=RunCallbacks(evaluation=kill)
        )
    folder = train(settings, tmp_path / "run", pairs=first_texts())
    assert [row["split"] for row in folder.evaluations()] == ["tuning", "tuning", "held_out"]


def test_generation_that_was_cut_short_goes_on_and_another_one_is_refused(
    tiny_model: Path, tmp_path: Path
) -> None:
    settings = small_settings(tiny_model)
    generate_pairs(settings, tmp_path / "whole")

    def kill(what: str, done: int, of: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        generate_pairs(settings, tmp_path / "cut", kill)
    begun = (tmp_path / "cut" / "texts.jsonl").read_bytes()
    made = generate_pairs(settings, tmp_path / "cut")
    for name in ("texts.jsonl", "pairs.jsonl", "data_card.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert begun and (tmp_path / "cut" / "texts.jsonl").read_bytes().startswith(begun)
    assert read_pairs(made["path"]).players == ("ann", "bob")
    with pytest.raises(ConfigError, match="holds texts of other settings"):
        generate_pairs(small_settings(tiny_model, "seed=1"), tmp_path / "cut")


def test_a_round_that_breaks_a_bound_is_rolled_back_and_said_so(
    tiny_model: Path, tmp_path: Path
) -> None:
    settings = small_settings(
        tiny_model,
        "bound.perplexity=1.0001",
        "learning.learning_rate=0.3",
        "learning.steps=6",
        "loss.supervised=0",
        "learning.rounds=3",
    )
    notes: list[str] = []
    folder = train(
        settings, tmp_path / "run", pairs=first_texts(), callbacks=RunCallbacks(note=notes.append)
    )
    rows = folder.evaluations()
    rolled = [row for row in rows if row.get("rolled_back")]
    assert rolled and "perplexity" in notes[0] and "rolled back" in notes[0]
    number = rolled[0]["iteration"]
    first, broken = (
        folder.checkpoint_path(n * 6) / "adapters.safetensors" for n in (number - 1, number)
    )
    assert first.read_bytes() == broken.read_bytes()
    state = json.loads((folder.checkpoint_path(number * 6) / "state.json").read_text())
    assert max(state["betas"]) == 0.2 and min(state["rates"]) == pytest.approx(0.15)
    assert "was rolled back" in write_report(folder.path).read_text()


def test_same_prompt_tells_everybody_the_same() -> None:
    players = "data.players=[{name: ann, persona: x}, {name: bob, persona: y}]"
    apart, alike = (
        small_settings(Path("m"), players, f"control={control}")
        for control in ("none", "same_prompt")
    )
    assert apart.persona(1) == "y" and alike.persona(1) == alike.persona(0) == "x"


@pytest.mark.parametrize(("moved", "beta"), [(0.31, 0.15), (0.2, 0.1), (0.12, 0.1 / 1.5)])
def test_the_kl_weight_follows_its_budget(moved: float, beta: float) -> None:
    assert adapted_beta(0.1, moved, 0.2) == pytest.approx(beta)


def test_bounds_name_player_figure_and_limit() -> None:
    def useful(repetition: float, perplexity: float, relevance: float) -> dict[str, Any]:
        return {
            "ann": {
                "repetition": {"value": repetition},
                "perplexity": perplexity,
                "relevance": {"value": relevance},
            }
        }

    bound = small_settings(
        Path("m"), "bound.repetition=0.05", "bound.perplexity=1.5", "bound.relevance=0.9"
    ).bound
    first = useful(0.1, 10.0, 0.5)
    assert beyond_bound(useful(0.14, 14.0, 0.46), first, bound) == {}
    found = beyond_bound(useful(0.2, 16.0, 0.4), first, bound)
    assert found == {
        "ann": [
            "repetition 0.2 is above 0.15",
            "perplexity 16 is above 15",
            "relevance 0.4 is below 0.45",
        ]
    }


def test_a_model_without_such_layers_is_refused(tiny_model: Path) -> None:
    said = pytest.raises(
        ConfigError, match=r"learning.targets: the model .* has no linear layers named nothing"
    )
    with said, voices_for(small_settings(tiny_model, "learning.targets=[nothing]")):
        pass


def test_another_configuration_does_not_resume(
    learned: tuple[RunFolder, list[str]], tiny_model: Path
) -> None:
    with pytest.raises(RunFolderError, match=r"learning\.on_policy"):
        train(small_settings(tiny_model), learned[0].path, pairs=first_texts())
