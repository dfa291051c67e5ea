"""A manifest answers every changed byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from mirrorenv.errors import CheckpointError, RunFolderError
from mirrorenv.results.runs.manifest import sha256_of, verify_manifest, write_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "weights.bin").write_bytes(bytes(range(64)))
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "config.json").write_text('{"a": 1}')
    write_manifest(tmp_path)
    return tmp_path


def test_an_untouched_folder_passes(folder: Path) -> None:
    assert verify_manifest(folder) == ("inner/config.json", "weights.bin")
    assert sha256_of(folder / "weights.bin") == hashlib.sha256(bytes(range(64))).hexdigest()


def test_any_changed_byte_is_found(folder: Path) -> None:
    for name in ("weights.bin", "inner/config.json"):
        good = (folder / name).read_bytes()
        for position in range(len(good)):
            bad = bytearray(good)
            bad[position] ^= 1 << (position % 8)
            (folder / name).write_bytes(bad)
            with pytest.raises(CheckpointError, match=Path(name).name):
                verify_manifest(folder)
        (folder / name).write_bytes(good)
    verify_manifest(folder)


@pytest.mark.parametrize("length", [0, 1, 63])
def test_a_cut_file_is_found(folder: Path, length: int) -> None:
    (folder / "weights.bin").write_bytes(bytes(range(64))[:length])
    with pytest.raises(CheckpointError, match=r"weights\.bin does not match"):
        verify_manifest(folder)


@pytest.mark.parametrize("name", ["weights.bin", "manifest.json"])
def test_a_missing_file_is_found(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        verify_manifest(folder)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "inner/../../secret"])
def test_a_manifest_cannot_point_outside_its_folder(folder: Path, name: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = {"bytes": 0, "sha256": ""}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="outside the folder"):
        verify_manifest(folder)


@pytest.mark.parametrize(
    "content",
    ["{}", "[]", '{"algorithm": "md5", "files": {}}', '{"algorithm": "sha256", "files": 3}'],
)
def test_something_else_is_not_a_manifest(folder: Path, content: str) -> None:
    (folder / "manifest.json").write_text(content)
    with pytest.raises(RunFolderError):
        verify_manifest(folder, RunFolderError)
