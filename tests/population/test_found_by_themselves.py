"""A file that is put into a folder of seams is found there and need not be named anywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

import pytest

from mirrorenv.population.actions import known_layouts
from mirrorenv.population.actors.build import known_actors
from mirrorenv.population.objectives import base, known_objectives

ACTOR = """
from mirrorenv.population.actors import register_actor

@register_actor("left_here")
def make(shape, settings, generator):
    raise NotImplementedError
"""
LAYOUT = """
from typing import Literal

from mirrorenv.population.actions import ActionLayout, register_layout

@register_layout
class LeftHere(ActionLayout):
    kind: Literal["left_here"] = "left_here"

    @classmethod
    def of_space(cls, space):
        return None
"""
OBJECTIVE = """
from mirrorenv.population.objectives import Objective, register_objective

@register_objective("left_here")
class LeftHere(Objective):
    pass
"""


@pytest.mark.parametrize(
    ("room", "registry", "known", "source"),
    [
        ("actors", "base.ACTORS", known_actors, ACTOR),
        ("actions", "registry._LAYOUTS", known_layouts, LAYOUT),
        ("objectives", "base._OBJECTIVES", known_objectives, OBJECTIVE),
    ],
)
def test_a_file_in_the_folder_is_found_by_itself(
    room: str,
    registry: str,
    known: Callable[[], Iterable[str]],
    source: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package = import_module(f"mirrorenv.population.{room}")
    known()
    assert "left_here" not in known()
    module, _, name = registry.partition(".")
    held = getattr(import_module(f"{package.__name__}.{module}"), name)
    before = dict(held)
    (tmp_path / "left_here.py").write_text(source, "utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    monkeypatch.setattr(base, "_looked_for", False)
    try:
        assert "left_here" in known()
    finally:
        held.clear()
        held.update(before)
        sys.modules.pop(f"{package.__name__}.left_here", None)
