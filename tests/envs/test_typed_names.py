"""A file in the place of a world, or a name that is not quite right, is answered with the words to
type; nothing is run for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mirrorenv.envs import full_id
from mirrorenv.envs.registry import spec
from mirrorenv.envs.typed_names import meant_by
from mirrorenv.errors import ConfigError, WorldError

SOURCE = """
raise SystemExit("this file was run")


class Lamps:
    def reset(self, seed=None): ...
    def step(self, actions): ...


class Lamp: ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "lamps.py").write_text(SOURCE)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "more.py").write_text("def parallel_env(): ...\n")
    (tmp_path / "broken.py").write_text("class (")
    (tmp_path / "ants-v0.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("lamps.py", "type lamps:Lamps$"),
        ("lamps", "type lamps:Lamps$"),
        ("./lamps.py", "type lamps:Lamps$"),
        ("inner/more.py", "type inner.more:parallel_env$"),
        ("broken.py", "type broken:Env$"),
    ],
)
def test_a_file_is_answered_with_the_words_to_type(folder: Path, typed: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        full_id(typed)


def test_a_file_elsewhere_says_where_to_go(folder: Path) -> None:
    with pytest.raises(ConfigError, match="go to its folder and type lamps:Lamps"):
        full_id(str(folder / "lamps.py"))


def test_a_registered_world_is_itself_whatever_lies_beside_it(folder: Path) -> None:
    assert full_id("ants-v0") == "mirrorenv/ants-v0"
    assert full_id("nothing") == "mirrorenv/nothing"
    assert full_id("x" * 5000) == "mirrorenv/" + "x" * 5000


def test_the_name_of_a_module_that_is_nearly_right_is_answered_with_the_right_one(
    folder: Path,
) -> None:
    assert meant_by("lampz:Lamps") == ". Did you mean lamps:Lamps?"
    assert meant_by("zzz_nothing_like_it:Lamps") == ""


def test_the_name_of_a_class_that_is_nearly_right_is_answered_with_the_right_one() -> None:
    with pytest.raises(WorldError, match=r"Did you mean mirrorenv\.envs\.worlds\.ants:Ants"):
        spec("mirrorenv.envs.worlds.ants:Antz").load()


def test_a_module_beside_the_one_that_was_meant_is_found() -> None:
    assert "mirrorenv.envs" in sys.modules
    assert "mirrorenv.envs.registry:x" in meant_by("mirrorenv.envs.registri:x")


@pytest.mark.parametrize("typed", ["./lamps.py:Lamps", "../lamps:Lamps", "/tmp/lamps:Lamps"])
def test_a_path_in_the_place_of_a_module_is_answered(typed: str) -> None:
    with pytest.raises(WorldError, match="go to its folder and type lamps:Lamps"):
        spec(typed).load()
