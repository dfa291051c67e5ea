"""Every door through which something from outside comes in: a name, and what tries it.

A door is a function of a place to work in and hypothesis' source of choices. It returns quietly or
raises; what it raises must be an error that the package means to say, or one of those that every
command says in one line (`mirrorenv.entry`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.fuzz import folders, hostile
from tests.fuzz.hostile import JSON_TEXTS, TOML_TEXTS, YAML_TEXTS

Draw = Callable[[st.SearchStrategy[Any]], Any]
Door = Callable[[Path, Draw], object]
DOORS: dict[str, Door] = {}


def door(name: str) -> Callable[[Door], Door]:
    """Put a function on the list."""

    def listed(function: Door) -> Door:
        DOORS[name] = function
        return function

    return listed


def hostile_bytes(draw: Draw, corpus: list[str]) -> bytes:
    """A document, surrogates and all."""
    text: str = draw(hostile.texts(corpus))
    return text.encode("utf-8", "surrogatepass")


def broken_bytes(draw: Draw, data: bytes) -> bytes:
    """Bytes with something wrong in them."""
    piece = draw(st.binary(max_size=6) | st.sampled_from([b"\x00", b"\xff\xfe", b"{", b'"', b"\n"]))
    return hostile.broken(data, draw(st.integers(0, len(data))), piece, draw(st.integers(0, 4)))


def broken_or(draw: Draw, data: bytes, corpus: list[str]) -> bytes:
    """A whole document broken in bits, or one of the hard ones."""
    return broken_bytes(draw, data) if draw(st.booleans()) else hostile_bytes(draw, corpus)


def changed_text(draw: Draw, tree: Any, corpus: list[str]) -> str:
    """A whole document with something else in it as JSON, or one of the hard ones."""
    if draw(st.booleans()):
        return json.dumps(changed_tree(draw, tree))
    text: str = draw(hostile.texts(corpus))
    return text


def changed_tree(draw: Draw, tree: Any) -> Any:
    """A tree with something else in it."""
    value = draw(hostile.json_values())
    return hostile.changed(tree, draw(st.integers(0, 10_000)), value, draw(st.integers(0, 3)))


def _break_file(draw: Draw, path: Path) -> None:
    """One file of a folder: JSON by its meaning, a log by one of its rows, the rest by its
    bytes."""
    kind = draw(st.integers(0, 3))
    if kind == 0 or path.suffix not in (".json", ".jsonl"):
        path.write_bytes(broken_bytes(draw, path.read_bytes()))
    elif kind == 1 and draw(st.booleans()):
        path.unlink()
    elif path.suffix == ".json":
        folders.put(path, changed_tree(draw, json.loads(path.read_text("utf-8"))))
    else:
        lines = path.read_text("utf-8").splitlines()
        at = draw(st.integers(0, len(lines) - 1))
        lines[at] = json.dumps(changed_tree(draw, json.loads(lines[at])))
        path.write_text("\n".join(lines) + "\n", "utf-8")


def broken_folder(place: Path, draw: Draw, kind: str, *endings: str) -> Path:
    """A copy of a folder with something broken in it, signed."""
    folder = folders.copy_of(kind, place.parent / "whole", place / kind)
    files = folders.files_of(folder, *endings)
    for file in draw(st.lists(st.sampled_from(files), min_size=1, max_size=2, unique=True)):
        _break_file(draw, file)
    if draw(st.booleans()):
        folders.sign(folder)
    return folder


# -- parsers ---------------------------------------------------------------------------------------


@door("TOML")
def toml(place: Path, draw: Draw) -> object:
    from mirrorenv.strict import parse_toml

    return parse_toml(draw(hostile.texts(TOML_TEXTS)), "here")


@door("YAML")
def yaml(place: Path, draw: Draw) -> object:
    from mirrorenv.strict import parse_yaml

    return parse_yaml(draw(hostile.texts(YAML_TEXTS)), "here")


@door("an override")
def override(place: Path, draw: Draw) -> object:
    from mirrorenv.strict import read_override

    name = draw(st.sampled_from(["a", "a.b", "", "=", "a" * 300, "\ud800"]))
    return read_override(f"{name}={draw(hostile.texts(YAML_TEXTS))}", "a=b", "a=1")


@door("a JSON file")
def json_file(place: Path, draw: Draw) -> object:
    from mirrorenv.results.runs.files import read_json

    (place / "a.json").write_bytes(hostile_bytes(draw, JSON_TEXTS))
    return read_json(place / "a.json")


@door("a log of JSON lines")
def json_lines(place: Path, draw: Draw) -> object:
    from mirrorenv.results.runs.json_lines import append_jsonl, read_jsonl

    (place / "a.jsonl").write_bytes(b'{"a": 1}\n' + hostile_bytes(draw, JSON_TEXTS) + b"\n")
    append_jsonl(place / "a.jsonl", {"b": draw(hostile.json_values())})
    return read_jsonl(place / "a.jsonl")


def _table(place: Path, draw: Draw, form: Any) -> Path:
    import numpy as np

    from mirrorenv.results.folders.tables import write_table

    table = {"a": np.arange(6).reshape(3, 2), "t": ["x", "", "ü"], "f": np.zeros(3, np.float32)}
    path = write_table(place, "a", table, form)
    path.write_bytes(broken_bytes(draw, path.read_bytes()))
    return path


@door("a table as npz")
def npz(place: Path, draw: Draw) -> object:
    from mirrorenv.results.folders.tables import read_table

    return read_table(_table(place, draw, "npz"))


@door("a table as Parquet")
def parquet(place: Path, draw: Draw) -> object:
    """In a child, as every command reads it: the library ends its process over some damage."""
    from mirrorenv.results.folders.tables import read_table
    from mirrorenv.results.runs import limits

    path = _table(place, draw, "parquet")
    before = limits._armed
    limits._armed = True
    try:
        limits.confined(lambda: read_table(path) and None, seconds=60)
    finally:
        limits._armed = before
    return None


@door("a file of settings")
def settings_file(place: Path, draw: Draw) -> object:
    from mirrorenv.rllib.settings import load_settings

    if draw(st.booleans()):
        path = place / draw(st.sampled_from(["a.toml", "a.yaml", "config.json"]))
        path.write_bytes(hostile_bytes(draw, TOML_TEXTS if path.suffix == ".toml" else YAML_TEXTS))
    else:
        path = place / "a.json"
        base = {"mirror": {"weight": 1.0}, "population": {"observer": {"place": [0]}}, "seed": 1}
        folders.put(path, changed_tree(draw, base))
    return load_settings("mirrorenv/ants-v0", [path])


@door("settings that are typed")
def typed_settings(place: Path, draw: Draw) -> object:
    from mirrorenv.rllib.settings import check_world, load_settings

    names = ["seed", "total_steps", "mirror.weight", "mirror", "population.hidden", "a.b.c"]
    names += ["population.observer.place", "world_options.horizon", "population.auxiliaries"]
    name = draw(st.sampled_from(names))
    value = draw(
        st.sampled_from([repr(one) for one in hostile.NUMBERS]) | hostile.texts(YAML_TEXTS)
    )
    world = draw(st.sampled_from(["mirrorenv/ants-v0", *hostile.TEXTS]))
    settings = load_settings(world, (), [f"{name}={value}"])
    return check_world(settings) if ":" not in settings.world else None


@door("settings of a training that is about to begin")
def settled(place: Path, draw: Draw) -> object:
    from mirrorenv.rllib.checked_settings import settle
    from mirrorenv.rllib.run import make_worlds
    from mirrorenv.rllib.settings import RunSettings

    base = {
        "world": "mirrorenv/ants-v0",
        "world_options": {"horizon": 4, "num_agents": 3},
        "population": {"actor": "mlp", "hidden": 4, "auxiliaries": [{"name": "self_model"}]},
        "mirror": {"reward": "mirror", "teams": None},
    }
    values = RunSettings.checked(changed_tree(draw, base))
    return settle(make_worlds(values, 1), values.population, values.mirror)


@door("arguments of a world")
def world_options(place: Path, draw: Draw) -> object:
    import mirrorenv
    from mirrorenv.envs.registry import registry

    names = ["horizon", "num_agents", "size", "start", "food", "reward", "length", "num_jobs", "x"]
    world = draw(st.sampled_from(sorted(registry())))
    chosen = draw(st.dictionaries(st.sampled_from(names), hostile.json_values(), max_size=2))
    return mirrorenv.make_batch(world, draw(st.sampled_from([1, 2])), **chosen)


@door("seeds of a world")
def world_seeds(place: Path, draw: Draw) -> object:
    import mirrorenv

    world = mirrorenv.make_batch("mirrorenv/ants-v0", 2)
    return world.reset(draw(st.lists(st.sampled_from(hostile.VALUES), max_size=3)))


@door("a suite")
def suite(place: Path, draw: Draw) -> object:
    from mirrorenv.results.board.suite import find_suites

    folder = folders.copy_of("suite", place.parent / "whole", place / "suites")
    file = folder / "small.toml"
    if draw(st.booleans()):
        file.write_bytes(broken_bytes(draw, file.read_bytes()))
    else:
        file.write_bytes(hostile_bytes(draw, TOML_TEXTS))
    return find_suites(place)


@door("proofs")
def proofs(place: Path, draw: Draw) -> object:
    from mirrorenv.results.board.proofs import read_proofs

    base = {
        "schema": "mirrorenv-proofs",
        "version": 1,
        "proved": {"0" * 64: {"level": "steps", "of_its_row": True}},
    }
    folders.put(place / "p.json", changed_tree(draw, base))
    return read_proofs(place / "p.json")
