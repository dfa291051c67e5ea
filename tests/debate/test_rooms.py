"""The floors of the room `debate`: a module imports from lower floors only, hence no circles."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOM = Path(__file__).resolve().parents[2] / "mirrorenv" / "debate"

# From the ground up. A name is a module or a folder; modules of one folder may import each other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("settings", "texts", "topic_files", "log", "verdict_objects"),
    ("verdict_words", "verdicts_legacy"),
    ("verdicts",),
    ("views", "cards"),
    ("rules", "prompts", "identity"),
    ("players", "audit", "env"),
    ("tournament", "starter", "registered_worlds", "taking"),
    ("recorded", "calls", "planning", "arms"),
    ("playing",),
    ("scoring", "live_check"),
    ("output", "inspect_task"),
    ("inspect_log",),
)
LEVEL = {name: level for level, floor in enumerate(FLOORS) for name in floor}


def _place(path: Path) -> str:
    parts = path.relative_to(ROOM).with_suffix("").parts
    return parts[0]


def _sources() -> list[Path]:
    return [path for path in sorted(ROOM.rglob("*.py")) if path != ROOM / "__init__.py"]


def _imported(path: Path) -> list[tuple[int, str]]:
    """Line and place of everything that a file imports from this room, inside functions too."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mirrorenv.debate"):
            inside = (node.module or "").split(".")[2:]
            names = inside[:1] or [alias.name for alias in node.names]
            found += [(node.lineno, name) for name in names]
    return found


def test_every_file_has_a_floor():
    assert {_place(path) for path in _sources()} == LEVEL.keys()


@pytest.mark.parametrize("path", _sources(), ids=lambda path: path.relative_to(ROOM).as_posix())
def test_imports_run_to_lower_floors(path):
    home = _place(path)
    wrong = [
        f"line {line}: {home} imports {target}"
        for line, target in _imported(path)
        if target != home and LEVEL[target] >= LEVEL[home]
    ]
    assert not wrong, wrong
