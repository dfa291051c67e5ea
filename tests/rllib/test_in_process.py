"""A run in this process alone is the run that Ray would have made, to the bit, and loads nothing of
it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mirrorenv.results.report.report import write_report
from mirrorenv.rllib.checked_settings import settle
from mirrorenv.rllib.in_process import InProcess
from mirrorenv.rllib.on_ray import OnRay
from mirrorenv.rllib.run import make_worlds, train
from mirrorenv.rllib.settings import RunSettings, load_settings
from mirrorenv.rllib.state import load_state, save_state
from mirrorenv.rllib.trainer import Trainer

SMALL = (
    "total_steps=1000",
    "world_options.horizon=8",
    "learning.episodes_per_iteration=16",
    "learning.minibatch_episodes=8",
    "learning.epochs=2",
)
# what is learned, and what is drawn for it, differs in each
KINDS = (
    ("mirror.timing=terminal",),
    ("mirror.timing=window", "mirror.observers_per_author=2", "mirror.final_weight=0"),
    ("mirror.reward=eoi", "population.weights=shared"),
    ("population.actor=gru", "population.observer.head=gru", "mirror.control=shuffled_labels"),
    ("mirror.weight=0", "population.observer.slots_per_update=2"),
    ("learning.update=fast",),
)


def settled(*changes: str) -> tuple[RunSettings, InProcess]:
    settings = load_settings("mirrorenv/ants-v0", (), (*SMALL, *changes))
    found = settle(make_worlds(settings, 1), settings.population, settings.mirror)
    settings = settings.model_copy(update={"population": found.population})
    return settings, InProcess(settings, found.shape)


def bytes_of(trainer: Trainer, folder: Path) -> bytes:
    """Weights and optimisers as a checkpoint keeps them."""
    save_state(folder, trainer.get_state())
    return (folder / "state.safetensors").read_bytes()


@pytest.mark.ray
@pytest.mark.parametrize("changes", KINDS, ids=" ".join)
def test_it_learns_what_ray_would_have_learned(changes: tuple[str, ...], tmp_path: Path) -> None:
    settings, here = settled(*changes)
    there = OnRay(settings)
    try:
        for _ in range(2):
            ours = here.iterate()
            theirs = there.iterate()
        assert ours == theirs
        assert here.iteration == there.iteration == 2
        assert here.steps_done == there.steps_done
        assert bytes_of(here, tmp_path / "here") == bytes_of(there, tmp_path / "there")
    finally:
        there.stop()


@pytest.mark.ray
def test_it_goes_on_where_ray_stopped(tmp_path: Path) -> None:
    settings, here = settled("mirror.reward=eoi")
    there = OnRay(settings)
    try:
        there.iterate()
        save_state(tmp_path / "state", there.get_state())
        here.set_state(load_state(tmp_path / "state"))
        assert here.iterate() == there.iterate()
        assert bytes_of(here, tmp_path / "here") == bytes_of(there, tmp_path / "there")
    finally:
        there.stop()


def test_a_run_without_runners_and_learners_loads_nothing_of_ray(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from mirrorenv.rllib import load_settings, train\n"
        f"small = {(*SMALL, 'evaluation.episodes=8', 'evaluation.checkpoints=1')!r}\n"
        "settings = load_settings('mirrorenv/ants-v0', (), small)\n"
        f"assert train(settings, Path({str(tmp_path / 'run')!r})).status == 'finished'\n"
        "loaded = sorted({'ray', 'pandas'} & set(sys.modules))\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_evaluations_before_the_last_may_be_smaller_and_change_nothing_of_it(
    tmp_path: Path,
) -> None:
    few = ("evaluation.episodes=32", "evaluation.checkpoints=2", "evaluation.baselines=false")
    rows = []
    for name, number in (("all", 0), ("few", 8)):
        changes = (*SMALL, *few, f"evaluation.episodes_before_last={number}")
        settings = load_settings("mirrorenv/ants-v0", (), changes)
        rows.append(train(settings, tmp_path / name).evaluations())
    assert [row["episodes"] for row in rows[0]] == [32, 32, 32]
    assert [row["episodes"] for row in rows[1]] == [8, 8, 32]
    whole, last = (dict(one[-1], seconds=0.0, persistence=0.0) for one in rows)
    assert last == whole
    page = write_report(tmp_path / "few").read_text("utf-8")
    assert "32 evaluation episodes in the last evaluation and 8 in those before it" in page
