"""The study of mind states of a language model."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from benchmarks.shared.mind_codes import REFITS, Mind  # noqa: E402
from benchmarks.shared.self_models import stream  # noqa: E402
from benchmarks.shared.texts import STARTS, Corpus, build, read_texts, with_tokens  # noqa: E402
from benchmarks.studies import mind_states  # noqa: E402
from mirrorenv.errors import ConfigError  # noqa: E402

CODES = 6


def wandering(seed: int, batch: int = 8, length: int = 40) -> torch.Tensor:
    """(B, T, H) states that go round a circle of six clouds, one step a place."""
    source = stream("wandering", seed)
    angle = torch.arange(CODES) / CODES * 2 * torch.pi
    centres = torch.stack([angle.cos(), angle.sin(), 0 * angle], -1)
    start = torch.randint(CODES, (batch, 1), generator=source)
    place = (start + torch.arange(length)) % CODES
    return centres[place] + 0.05 * torch.randn(batch, length, 3, generator=source)


def learned(policy: str) -> tuple[Mind, float]:
    """After 200 steps, and the jump at a refit then."""
    mind = Mind(policy, CODES, 3, stream(policy), rate=3e-2)
    mind.fit(wandering(0).flatten(0, 1))
    for step in range(200):
        mind.learn(wandering(step))
    changed = mind.refit(wandering(1000).flatten(0, 1))
    for step in range(5):
        mind.learn(wandering(2000 + step))
    assert 0 <= changed <= 1
    return mind, mind.jump(200)


@pytest.mark.parametrize("policy", [name for name in REFITS if name != "naive"])
def test_codes_that_keep_their_numbers_stay_predictable(policy: str) -> None:
    mind, jump = learned(policy)
    assert abs(jump) < 0.05
    found = mind.evaluate(wandering(5000))
    assert found["used"] == CODES
    assert found["loss"] < 0.3 < found["lift_over_copy"]


def test_a_codebook_numbered_from_nothing_makes_the_loss_jump() -> None:
    _, jump = learned("naive")
    assert jump > 0.5


def test_more_codes_than_states_are_refused() -> None:
    mind = Mind("ema", 50, 3, stream("x"))
    with pytest.raises(ConfigError, match="50 codes cannot be fitted on 12"):
        mind.fit(wandering(0, batch=3, length=4).flatten(0, 1))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> mind_states.Study:
    options = Namespace(
        model="small", length=17, text=None, layer=-2, batch=4, rounds=1, codes=CODES
    )
    return mind_states.Study(options, 0)


def test_new_rows_at_the_mean_hardly_move_the_loss_and_others_do(study: mind_states.Study) -> None:
    jumps = study.added()
    assert set(jumps) == set(STARTS)
    assert jumps["mean embedding"]["plain"] < 0.1
    assert jumps["random, unit variance"]["plain"] > 1


def test_added_tokens_leave_the_model_they_were_added_to_alone(study: mind_states.Study) -> None:
    before = study.base.vocabulary
    model, first = with_tokens(study.base, CODES, "mean embedding", stream("x"))
    assert (study.base.vocabulary, model.vocabulary, first) == (before, before + CODES, before)
    old = study.base.network.get_input_embeddings().weight
    new = model.network.get_input_embeddings().weight
    assert torch.equal(new[:before], old)
    torch.testing.assert_close(new[before:], old.mean(0).expand(CODES, -1))


def test_a_token_changes_what_follows_and_nothing_before(study: mind_states.Study) -> None:
    model, first = with_tokens(study.base, CODES, "random, unit variance", stream("x"))
    tokens = study.held_out()
    one, other = (
        study.losses(model.network, tokens, torch.full((len(tokens),), first + code))
        for code in (0, 1)
    )
    half = study.half
    assert torch.equal(one[:, : half - 1], other[:, : half - 1])
    assert (one[:, half - 1 :] != other[:, half - 1 :]).all()


def test_a_predicted_code_reads_the_past_only(study: mind_states.Study) -> None:
    mind = Mind("ema", CODES, 96, stream("x"))
    mind.fit(study.hidden_of(study.held_out()).flatten(0, 1))
    tokens = study.held_out()
    changed = tokens.clone()
    changed[:, study.half :] = (changed[:, study.half :] + 1) % 256
    for arm, same in (("predicted", True), ("true", False)):
        one, other = (
            study.codes_for(arm, text, mind, 0, stream("y")) for text in (tokens, changed)
        )
        assert torch.equal(one, other) == same


def test_texts_are_the_users_or_pythons_own(tmp_path: Path) -> None:
    assert len(read_texts(None)) > 16
    file = tmp_path / "text.txt"
    file.write_text("word " * 4000)
    corpus = Corpus(read_texts(file), lambda text: list(text.encode()), 32)
    assert corpus.batch(3, stream("x")).shape == (3, 32)
    file.write_text("short")
    with pytest.raises(ConfigError, match="10,000 are needed"):
        read_texts(file)
    with pytest.raises(ConfigError, match="--text"):
        read_texts(tmp_path / "missing")


def test_a_model_that_is_not_there_and_a_wrong_layer_are_refused() -> None:
    with pytest.raises(ConfigError, match="nothing is"):
        build("/no/such/folder", 9, 0)
    options = Namespace(model="small", length=17, text=None, layer=9)
    with pytest.raises(ConfigError, match="hidden states 0 to 3"):
        mind_states.Study(options, 0)


def test_a_smoke_run_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["mind_states.py", "--smoke", "--codes", "4", "--out", str(tmp_path / "study")]
    monkeypatch.setattr(sys, "argv", words)
    mind_states.main()
    page = tmp_path / "study-smoke" / "small" / "page.html"
    text = page.read_text("utf-8")
    assert "hungarian" in text and "constant" in text
    assert "http" not in text.replace("http-equiv", "")
    seeds = sorted(page.parent.glob("seed-*.json"))
    before = [seed.read_bytes() for seed in seeds]
    assert len(before) == 2
    seeds[1].unlink()
    capsys.readouterr()
    mind_states.main()
    assert "1/1" in capsys.readouterr().err
    assert [seed.read_bytes() for seed in seeds] == before
    monkeypatch.setattr(sys, "argv", [*words, "--layer", "-1"])
    with pytest.raises(ConfigError, match="give another --out"):
        mind_states.main()
