"""Whatever writes a folder refuses a second writer, and changes nothing of the first one's."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.errors import MirrorError, ResultError
from mirrorenv.results.runs.lock import one_at_a_time, only_writer
from mirrorenv.results.runs.manifest import whole_folder
from tests.fuzz import folders
from tests.fuzz.lines import LINES

RUNS: dict[str, list[str]] = {
    "train": ["train", "ants-v0", "--run", "{}", "--set", "total_steps=8"],
    "debate run": ["debate", "run", "{start}", "--games", "1", "--run", "{}"],
    "debate set": ["debate", "set", "{start}", "--games", "1", "--run", "{}"],
    "prefer train": ["prefer", "train", "--run", "{}", "--set", "model={model}"],
    "prefer generate": ["prefer", "generate", "--out", "{}"],
}
"""They hold a run folder as long as they write it."""
WHOLE: dict[str, list[str]] = {
    "results export": ["results", "export", "{tournament}", "--out", "{}"],
    "results share": ["results", "share", "{result}", "--out", "{}"],
    "debate init": ["debate", "init", "{}"],
}
"""They write a folder beside its place, which then takes its name."""
FILES = {
    "verify": "a file of proofs, which waits for whoever adds to it",
    "board check": "the same",
    "board build": "a page and its Markdown, each replaced whole",
    "results marl-eval": "one file, replaced whole",
    "report": "a page and its pictures, each replaced whole",
    "play": "one picture, replaced whole",
    "debate score": "tables, each replaced whole",
    "debate rescore": "one file, replaced whole",
    "debate rate": "tables, each replaced whole",
    "debate view": "pages, each replaced whole",
    "debate export": "one file, replaced whole",
    "debate inspect-log": "one file",
    "debate replay": "nothing",
    "debate check": "nothing",
    "debate plan": "nothing",
    "prefer report": "a page, replaced whole",
    "identity": "a page, replaced whole",
    "evaluate": "nothing",
    "check": "nothing",
    "audit": "nothing",
    "worlds": "nothing",
    "settings": "nothing",
}
"""What the others write."""


def content(folder: Path) -> dict[str, bytes]:
    return {str(one): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def refused(tmp_path: Path, words: list[str], held: AbstractContextManager[object]) -> None:
    """Type a command while somebody holds its target."""
    target = tmp_path / "target"
    if any("{start}" in word for word in words):
        from mirrorenv.debate.starter import write_starter

        words = [word.replace("{start}", str(tmp_path / "start/tournament.toml")) for word in words]
        write_starter(tmp_path / "start", "default")
    if "model={model}" in words:  # a folder that is new is made once the model is loaded
        from tests.preference.tiny_model import make_tiny_model

        model = make_tiny_model(tmp_path)
        words = [word.replace("{model}", str(model)) for word in words]
    for kind in ("tournament", "result"):
        if f"{{{kind}}}" in words:
            folders.MAKERS[kind](tmp_path / kind)
            words = [word.replace(f"{{{kind}}}", str(tmp_path / kind)) for word in words]
    with held:
        before = content(tmp_path)
        typed = [word.replace("{}", str(target)) for word in words]
        done = CliRunner().invoke(app, typed, standalone_mode=False)
        assert isinstance(done.exception, MirrorError), done
        assert "is being written by" in str(done.exception), done.exception
        assert content(tmp_path) == before


@pytest.mark.parametrize("name", RUNS)
def test_a_run_folder_has_one_writer(name: str, tmp_path: Path) -> None:
    if name == "train":
        pytest.importorskip("ray")
    if name.startswith("prefer"):
        pytest.importorskip("trl")
    refused(tmp_path, RUNS[name], only_writer(tmp_path / "target"))


@pytest.mark.parametrize("name", WHOLE)
def test_a_folder_that_is_written_whole_has_one_writer(name: str, tmp_path: Path) -> None:
    refused(tmp_path, WHOLE[name], one_at_a_time(tmp_path / "target", ResultError))


def test_every_command_is_one_of_these() -> None:
    apart = {"version", "debate demo", "debate serve", "prefer demo"}
    found = {name for name in LINES if LINES[name][0] != name.split()[0]}
    assert found == RUNS.keys() | WHOLE.keys() | FILES.keys()
    assert not found & apart


def test_the_first_of_two_keeps_its_half(tmp_path: Path) -> None:
    target = tmp_path / "made"
    with whole_folder(target, ResultError, "-") as partial:
        (partial / "a").write_text("mine")
        with (
            pytest.raises(ResultError, match="by another process"),
            whole_folder(target, ResultError, "-"),
        ):
            pass
        assert (partial / "a").read_text() == "mine"
    assert (target / "a").read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir()] == ["made"]  # no lock is left


def test_proofs_of_two_checks_are_both_there(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from mirrorenv.results.board.proofs import read_proofs, record_proofs
    from mirrorenv.results.folders.proof import Proved

    made = []
    for number in range(8):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "manifest.json").write_text(json.dumps(number))
        made.append(folder)
    with ThreadPoolExecutor(8) as pool:
        file = tmp_path / "p.json"
        work = [
            pool.submit(record_proofs, file, {one: Proved.STEPS}, of_their_rows=True)
            for one in made
        ]
        for one in work:
            one.result()
    assert len(read_proofs(file)) == 8
