"""The study of classifiers that predict themselves, and the data it reads."""

from __future__ import annotations

import gzip
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from benchmarks.shared import self_model_pages  # noqa: E402
from benchmarks.shared.labelled import FASHION, Labelled, fashion, read_folder  # noqa: E402
from benchmarks.shared.self_model_losses import full_loss, minibatch_loss  # noqa: E402
from benchmarks.shared.self_models import (  # noqa: E402
    ARMS,
    AUXILIARIES,
    Arm,
    Seen,
    Stack,
    Training,
    last_spread,
    measure,
    stream,
    train,
)
from benchmarks.studies import self_modelling  # noqa: E402
from mirrorenv.errors import ConfigError  # noqa: E402


def blobs(examples: int = 120, features: int = 6, classes: int = 3) -> Labelled:
    """Classes that a small network separates at once."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(classes, features)) * 2
    labels = rng.integers(classes, size=2 * examples)
    inputs = (centres[labels] + rng.normal(size=(2 * examples, features)) * 0.3).astype(np.float32)
    return Labelled(
        "blobs", inputs[:examples], labels[:examples], inputs[examples:], labels[examples:], classes
    )


def trained(arms: list[Arm], seeds: list[int], epochs: int = 3) -> Stack:
    task = blobs()
    stack = Stack(arms, seeds, 6, 5, 3)
    train(stack, task, Training(epochs, 20))
    return stack


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_an_arm_learns_alone_what_it_learns_beside_others(arm: Arm) -> None:
    alone = trained([arm], [4])
    beside = trained([Arm("base"), arm], [1, 4])
    for one, other in zip(alone.weights, beside.weights, strict=True):
        torch.testing.assert_close(one[0, 0], other[1, 1], rtol=1e-4, atol=1e-6)


def test_a_weight_of_zero_leaves_the_classifier_as_it_was() -> None:
    stack = trained([Arm("base"), Arm("zero", "own", 0.0), Arm("one", "own", 1.0)], [0])
    assert torch.equal(stack.classifier(0), stack.classifier(1))
    assert not torch.equal(stack.classifier(0), stack.classifier(2))


def test_a_stop_gradient_turns_the_push_on_activations_around() -> None:
    """With a prediction of c a, 0 < c < 1: behind a stop-gradient descent makes a larger, and
    without one smaller."""
    hidden = torch.ones(1, 4, 2, requires_grad=True)
    for name, sign in (("own", -1.0), ("attached", 1.0)):
        seen = Seen(
            0.5 * hidden, hidden, torch.zeros(1, 4, 3), torch.arange(4), torch.zeros(1, 3, 2)
        )
        (slope,) = torch.autograd.grad(AUXILIARIES[name](seen).sum(), hidden)
        assert (slope * sign > 0).all()


def test_classes_are_learned_and_the_own_layer_is_predicted() -> None:
    task = blobs()
    stack = Stack([Arm("base"), Arm("own", "own", 5.0)], [0, 1], 6, 16, 3)
    train(stack, task, Training(40, 20, rate=0.02))
    base, own = measure(stack, task)
    assert min(row["accuracy"] for row in base + own) > 0.95
    assert max(row["unexplained"] for row in own) < 0.3
    assert min(row["unexplained"] for row in base) > 0.5


def test_matched_arms_differ_in_what_they_pull_at_and_not_in_how_much() -> None:
    """Steps of all arms are as long as they would be with a gradient of their share added."""
    task = blobs()
    arms = [Arm("base"), *(arm for arm in ARMS if arm.share)]
    stack = Stack(arms, [0], 6, 16, 3)
    before = [weight.detach().clone() for weight in stack.weights]
    train(stack, task, Training(1, len(task.labels), rate=1.0, momentum=0.0))
    moved = [after.detach() - old for after, old in zip(stack.weights, before, strict=True)]
    pull = [one - one[:1] for one in moved[:2]]  # what an arm adds to base, through the layer
    size = sum(one.square().sum((1, 2, 3)) for one in pull).sqrt()
    base = sum(one[0].square().sum() for one in (*moved[:2], *moved[2:])).sqrt()
    assert size[1:].tolist() == pytest.approx([0.3 * float(base)] * (len(arms) - 1), rel=1e-3)


def test_a_decay_is_steered_to_a_spread() -> None:
    task = blobs()
    free = Arm("base")
    held = Arm("held", decay=1e-3, matches="base")
    stack = Stack([free, held], [0, 1], 6, 16, 3)
    wanted = 0.8 * last_spread(trained_longer(stack, task, None))[0]
    again = Stack([free, held], [0, 1], 6, 16, 3)
    spreads = torch.stack([torch.full((2,), torch.nan), wanted])
    found = last_spread(trained_longer(again, task, spreads))
    torch.testing.assert_close(found[1], wanted, rtol=0.06, atol=0.0)


def trained_longer(stack: Stack, task: Labelled, spreads: torch.Tensor | None) -> Stack:
    train(stack, task, Training(60, 20, rate=0.02), spreads=spreads)
    return stack


def test_chains_see_the_loss_of_the_classifier_alone() -> None:
    task = blobs()
    stack = trained([Arm("own", "own", 5.0)], [0, 1])
    ((one, other),) = measure(stack, task)
    centre = stack.classifier(0).unsqueeze(1)  # (S, 1, P)
    found = full_loss(task, 5)(centre)
    assert found.flatten().tolist() == pytest.approx([one["train_loss"], other["train_loss"]])
    means = torch.stack([minibatch_loss(task, 5, 60, stream("x", i))(centre) for i in range(200)])
    torch.testing.assert_close(means.mean(0), found, rtol=0.05, atol=0.0)


def write_idx(file: Path, array: np.ndarray) -> None:
    header = b"\x00\x00\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    content = header + array.astype(np.uint8).tobytes()
    file.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)


def write_mnist(folder: Path, ending: str = "") -> None:
    rng = np.random.default_rng(0)
    for part, count in (("train", 9), ("t10k", 4)):
        images = rng.integers(0, 256, size=(count, 2, 3))
        write_idx(folder / f"{part}-images-idx3-ubyte{ending}", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte{ending}", np.arange(count) % 3)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_files_are_read(tmp_path: Path, ending: str) -> None:
    write_mnist(tmp_path, ending)
    task = read_folder(tmp_path)
    assert task.inputs.shape == (9, 6) and task.test_inputs.shape == (4, 6)
    assert task.classes == 3 and task.labels.tolist() == [0, 1, 2] * 3
    assert -1 <= task.inputs.min() < 0 < task.inputs.max() <= 1
    assert task.first(5).inputs.shape == (5, 6)


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-1], lambda data: b"GIF89a", lambda data: b""]
)
def test_a_damaged_idx_file_is_named(tmp_path: Path, spoil: object) -> None:
    write_mnist(tmp_path)
    file = tmp_path / "train-images-idx3-ubyte"
    file.write_bytes(spoil(file.read_bytes()))  # type: ignore[operator]
    with pytest.raises(ConfigError, match="train-images-idx3-ubyte"):
        read_folder(tmp_path)


def test_cifar_in_its_binary_version_is_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        rows = rng.integers(0, 256, size=(2, 3073), dtype=np.uint8)
        rows[:, 0] = [1, 7]
        (tmp_path / f"{name}.bin").write_bytes(rows.tobytes())
    task = read_folder(tmp_path)
    assert task.inputs.shape == (10, 3072) and task.labels.tolist() == [1, 7] * 5


def test_reviews_are_read(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for side, text in (("neg", "bad bad film"), ("pos", "good film")):
            (tmp_path / part / side).mkdir(parents=True)
            (tmp_path / part / side / "0.txt").write_text(text)
    task = read_folder(tmp_path)
    assert sorted(task.labels.tolist()) == [0, 1] and task.classes == 2
    assert task.inputs.shape == (2, 3)
    np.testing.assert_allclose(np.square(task.inputs).sum(1), 1, rtol=1e-6)


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"none of the formats.*holiday\.jpg"):
        read_folder(tmp_path)
    with pytest.raises(ConfigError, match="no such folder"):
        read_folder(tmp_path / "missing")


@pytest.mark.skipif(not FASHION.is_dir(), reason="needs Debian's dataset-fashion-mnist")
def test_fashion_is_what_its_makers_say() -> None:
    task = fashion()
    assert task.inputs.shape == (60_000, 784) and task.test_inputs.shape == (10_000, 784)
    assert np.bincount(task.labels).tolist() == [6000] * 10


def run_study(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["self_modelling.py", *words])
    self_modelling.main()


def test_a_smoke_run_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_mnist(tmp_path)
    out = tmp_path / "study"
    words = ["--data", str(tmp_path), "--smoke", "--hidden", "4", "--out", str(out)]
    words += ["--arms", "base", "self-model 5", "no stop-gradient 20"]
    run_study(monkeypatch, *words)
    page = next(tmp_path.glob("study-smoke/*/page.html"))
    text = page.read_text("utf-8")
    assert "self-model 5" in text and "stop-gradient" in text
    assert "http" not in text.replace("http-equiv", "")
    assert list(page.parent.glob("hidden-4-*.png"))
    arms = sorted(page.parent.glob("hidden-4/*.json"))
    assert len(arms) == 3
    before = [arm.read_bytes() for arm in arms]
    arms[0].unlink()
    capsys.readouterr()
    run_study(monkeypatch, *words)
    assert "1/1" in capsys.readouterr().err
    assert [arm.read_bytes() for arm in arms] == before
    with pytest.raises(ConfigError, match="give another --out"):
        run_study(monkeypatch, *words, "--batch", "3")


def test_a_network_that_left_the_numbers_is_counted_and_the_rest_is_measured() -> None:
    task = blobs()
    stack = trained([Arm("base"), Arm("own", "own", 1.0)], [0, 1])
    with torch.no_grad():
        stack.weights[0][1, 0] = float("nan")
    base, own = measure(stack, task)
    assert [row["collapsed"] for row in base + own] == [False, False, True, False]
    settings = {"chains": 2, "burn_in": 5, "draws": 4, "thin": 1}
    group = self_modelling.Group(task, 5, (), settings, Path("nowhere"))
    gone, fine = group._coefficients(stack, 1, 10.0)
    assert gone["estimate"] is None and "left the numbers" in gone["reason"]
    assert fine["estimate"] is not None
    row = {"arm": {"name": "own"}, "trained": own, "coefficients": {"paper": [gone, fine]}}
    assert "1 of 2" in self_model_pages.coefficient_cell(row, "paper")


def test_arms_without_the_base_have_a_page_without_differences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mnist(tmp_path)
    words = ["--data", str(tmp_path), "--smoke", "--hidden", "4", "--out", str(tmp_path / "s")]
    run_study(monkeypatch, *words, "--arms", "random target 5")
    (page,) = tmp_path.glob("s-smoke/*/page.html")
    text = page.read_text("utf-8")
    assert "random target 5" in text and "Paired difference" not in text


def test_an_unknown_arm_is_answered_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="self-model 50"):
        self_modelling.chosen(["nonsense"], ARMS)
