"""No circle among the modules of the package, and no arrow up between the floors of a room.

Every import counts, inside functions too: an import that is delayed to avoid a circle hides the
circle and does not open it. Only imports for type checkers (`if TYPE_CHECKING`) are left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Circles that still wait to be opened, by the names of their modules. An entry must go with its
# circle: a test says so.
KNOWN_CIRCLES: set[frozenset[str]] = set()

# The floors of envs, from the ground up: a module imports from floors below its own, or from its
# own. A folder stands for all modules in it.
ENVS_FLOORS = (
    ("account", "actions", "masks", "random", "typed_names"),
    ("world_spec",),
    ("base",),
    ("episodes", "policies", "wrapper"),
    ("drawing",),
    ("worlds",),
    ("adapters",),
    ("about", "adhoc", "discovery"),
    ("registry",),
    ("checks",),
    ("audit",),
)

Graph = Mapping[str, set[str]]


def module_names(package: Path) -> dict[str, Path]:
    """Every module below `package`, a folder, by its full name."""
    names = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def imports_of(path: Path) -> Iterator[str]:
    """Full names that a file imports when it runs, at any depth."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        waiting += ast.iter_child_nodes(node)


def import_graph(package: Path) -> dict[str, set[str]]:
    """Which module imports which; a name that is no module stands for the module it is taken
    from."""
    modules = module_names(package)
    graph: dict[str, set[str]] = {name: set() for name in modules}
    for name, path in modules.items():
        for imported in imports_of(path):
            target = imported if imported in modules else imported.rpartition(".")[0]
            if target in modules and target != name:
                graph[name].add(target)
    return graph


def reached_from(start: str, graph: Graph) -> set[str]:
    """All modules that importing `start` leads to; `start` itself only by a circle."""
    reached: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += graph[name]
    return reached


def circles(graph: Graph) -> set[frozenset[str]]:
    """Groups of modules each of which leads to all others of its group."""
    reached = {name: reached_from(name, graph) for name in graph}
    return {
        frozenset({other for other in reached[name] if name in reached[other]})
        for name in graph
        if name in reached[name]
    }


def arrows_up(graph: Graph, room: str, floors: tuple[tuple[str, ...], ...]) -> list[str]:
    """Imports from a lower floor of a room to a higher one."""
    level = {part: number for number, floor in enumerate(floors) for part in floor}

    def floor_of(module: str) -> int | None:
        part = module.removeprefix(f"{room}.").partition(".")[0]
        return level.get(part) if module.startswith(f"{room}.") else None

    found = []
    for name, targets in graph.items():
        for target in targets:
            here, there = floor_of(name), floor_of(target)
            if here is not None and there is not None and there > here:
                found.append(f"{name} -> {target}")
    return sorted(found)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return import_graph(ROOT / "mirrorenv")


def test_there_is_no_circle_of_imports(graph: Graph) -> None:
    found = circles(graph) - KNOWN_CIRCLES
    assert not found, "\n".join(" <-> ".join(sorted(circle)) for circle in found)


def test_a_known_circle_is_still_there(graph: Graph) -> None:
    gone = KNOWN_CIRCLES - circles(graph)
    assert not gone, f"opened, take them off the list: {[sorted(circle) for circle in gone]}"


def test_imports_inside_envs_run_downwards(graph: Graph) -> None:
    assert not arrows_up(graph, "mirrorenv.envs", ENVS_FLOORS)


def test_every_part_of_envs_has_its_floor() -> None:
    folder = ROOT / "mirrorenv" / "envs"
    parts = {path.stem for path in folder.glob("*.py")} | {
        path.parent.name for path in folder.glob("*/__init__.py")
    }
    assert parts - {"__init__"} == {part for floor in ENVS_FLOORS for part in floor}


def write(folder: Path, **files: str) -> Path:
    """A package `toy` with these modules."""
    package = folder / "toy"
    package.mkdir()
    (package / "__init__.py").touch()
    for name, text in files.items():
        (package / f"{name}.py").write_text(text)
    return package


def test_a_circle_through_a_function_is_found_and_named(tmp_path: Path) -> None:
    package = write(
        tmp_path,
        low="def late():\n    from toy.high import f\n",
        middle="from toy import low\n",
        high="import toy.middle\n",
        apart="from toy.high import f\n",
    )
    assert circles(import_graph(package)) == {frozenset({"toy.low", "toy.middle", "toy.high"})}
    graph = import_graph(package)
    floors = (("low",), ("middle",), ("high", "apart"))
    assert arrows_up(graph, "toy", floors) == ["toy.low -> toy.high"]


def test_an_import_for_type_checkers_makes_no_circle(tmp_path: Path) -> None:
    package = write(
        tmp_path,
        low="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from toy.high import f\n",
        high="from toy.low import g\n",
    )
    assert not circles(import_graph(package))
