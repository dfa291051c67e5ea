"""A recorded result passes as its row; whatever somebody turns in it is refused or named as
unproved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirrorenv.errors import ResultError
from mirrorenv.results.board.binding import check_binding, evidence_digest
from mirrorenv.results.board.board import result_folders
from mirrorenv.results.board.settings_names import comparable, present_settings
from mirrorenv.results.board.suite import load_suite
from mirrorenv.results.folders.proof import Proved
from mirrorenv.results.folders.schema import read_result
from mirrorenv.results.folders.tables import read_table, table_file, write_table
from mirrorenv.results.folders.verify import verify_result
from tests.results.forging import copied

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "benchmarks" / "results"
SUITES = {
    suite.name: suite for suite in map(load_suite, (ROOT / "benchmarks/suites").glob("*.toml"))
}
ROW = RECORDED / "worlds" / "conformity-separate-author"

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="recorded results are not here")


def bound(folder: Path) -> list[str]:
    result = read_result(folder)
    assert result.suite is not None
    suite = SUITES[result.suite.name]
    row = next(row for row in suite.rows if row.row == result.suite.row)
    return check_binding(folder, result, suite, row)


def one_of_each_row() -> list[Path]:
    found: dict[Path, Path] = {}
    for suite in sorted(path for path in RECORDED.iterdir() if path.name in SUITES):
        for folder in result_folders([suite]):
            found.setdefault(folder.parent, folder)
    return list(found.values())


def test_every_recorded_row_is_bound_and_says_that_it_is_unproved() -> None:
    for folder in one_of_each_row():
        unchecked = bound(folder)
        assert not any("pinned nowhere" in one for one in unchecked), folder
        if read_result(folder).kind != "population":
            assert any(one.startswith("unproved") for one in unchecked), folder


def test_a_recorded_result_without_weights_stays_true_and_is_unproved(copy: Path) -> None:
    found = verify_result(copy)
    assert found.proved is Proved.STEPS
    assert any("the folder holds no weights" in one for one in found.unchecked)
    assert read_result(copy).version == 1


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    pytest.importorskip("pyarrow")
    return copied(ROW / "seed0", tmp_path / "r")


def edit(folder: Path, how: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "result.json"
    result = json.loads(path.read_text("utf-8"))
    how(result)
    path.write_text(json.dumps(result), "utf-8")


def turn(folder: Path, stem: str, name: str, values: Any) -> None:
    path = table_file(folder, stem)
    assert path is not None
    table = read_table(path)
    table[name] = values(np.asarray(table[name]))
    write_table(folder, stem, table)


SAID: dict[str, Callable[[dict[str, Any]], object]] = {
    "kind": lambda r: r.update(kind="table"),
    "exact": lambda r: r["entries"][0].update(exact=True),
    "agents": lambda r: r["entries"][0].update(agents="language model"),
    "readers": lambda r: r["readers"][0].update(stream="limit", decode="marginals"),
    "better": lambda r: r["figures"][0].update(better="low"),
    "title": lambda r: r["figures"][1].update(title="Return"),
    "over seeds": lambda r: [one.update(over_seeds="median") for one in r["figures"]],
    "condition": lambda r: r["entries"][0].update(condition="mine"),
    "steps": lambda r: r["config"]["run"].update(total_steps=10**8),
    "weight": lambda r: r["config"]["run"]["mirror"].update(weight=99.0),
    "control": lambda r: r["config"]["run"]["mirror"].update(control="limit"),
    "draws": lambda r: r["config"]["run"]["evaluation"].update(draws="own"),
    "draws by a later version": lambda r: r["config"]["run"].update(version=4),
    "seed of the run": lambda r: r["config"]["run"].update(seed=3),
    "no settings": lambda r: r["config"].pop("run"),
    "episodes": lambda r: r["config"].update(episodes=8),
    "seed of the episodes": lambda r: r["config"].update(seed=7),
}


@pytest.mark.parametrize("what", SAID)
def test_what_a_result_says_falsely_is_refused(what: str, copy: Path) -> None:
    edit(copy, SAID[what])
    with pytest.raises(ResultError):
        bound(copy)


def test_world_seeds_of_ones_own_are_refused(copy: Path) -> None:
    turn(copy, "labels", "world_seed", lambda held: held + 1)
    with pytest.raises(ResultError, match="world seeds"):
        bound(copy)


def test_one_episode_many_times_is_refused(copy: Path) -> None:
    turn(copy, "labels", "world_seed", lambda held: np.full_like(held, held[0]))
    with pytest.raises(ResultError, match="world seeds"):
        bound(copy)


def test_equal_trajectories_cannot_be_told_apart(copy: Path) -> None:
    for name in ("actions", "observations"):
        turn(copy, "steps", name, np.zeros_like)
    with pytest.raises(ResultError, match="equal trajectories have other evidence"):
        bound(copy)


def test_the_same_tables_under_another_seed_have_the_same_digest(copy: Path) -> None:
    other = ROW / "seed1"
    assert evidence_digest(copy) == evidence_digest(ROW / "seed0")
    assert evidence_digest(copy) != evidence_digest(other)


def test_old_and_new_names_of_settings_are_one_line() -> None:
    old = {"mirror": {"weight": 1.0}, "population": {"trunk": "mlp"}, "resources": {"learners": 2}}
    new = {
        "version": 2,
        "mirror": {"weight": 1.0},
        "population": {"actor": "mlp", "auxiliaries": [], "actor_options": {}},
    }
    assert comparable(old) == comparable(new)
    assert present_settings(old)["population"] == {"actor": "mlp"}
    assert comparable(old) != comparable({**new, "mirror": {"weight": 2.0}})


def test_the_pinned_defaults_are_those_of_a_run() -> None:
    pytest.importorskip("torch")
    from mirrorenv.results.board.binding import FREE, _defaults, leaves
    from mirrorenv.rllib.settings import RunSettings

    today = dict(leaves(RunSettings(world="none").model_dump(mode="json")))
    kept = {name: value for name, value in today.items() if not name.startswith(FREE)}
    assert _defaults() == kept  # python benchmarks/suites/pins.py writes them again
