"""Folders that are no model: the error names the folder and what is missing, in one line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mirrorenv.errors import ConfigError
from mirrorenv.preference.run import voices_for
from tests.preference.small import small_settings


def _nothing(folder: Path) -> None:
    shutil.rmtree(folder)


def _no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def _strange_kind(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "nonsense"}')


def _no_tokenizer(folder: Path) -> None:
    for file in folder.glob("tokenizer*"):
        file.unlink()


def _no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _torn_weights(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    "spoil", [_nothing, _no_config, _strange_kind, _no_tokenizer, _no_weights, _torn_weights]
)
def test_a_folder_that_is_no_model_is_named(
    tiny_model: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    spoil(folder)
    with pytest.raises(ConfigError, match=str(folder)) as said, voices_for(small_settings(folder)):
        pass
    assert "config.json" in str(said.value) and "\n" not in str(said.value)
