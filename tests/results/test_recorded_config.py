"""What a result says of its run is read as a run would be; what no version writes is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirrorenv.cli.recorded_config import check_config
from mirrorenv.errors import MirrorError, ResultError
from mirrorenv.results.board.board import result_folders
from mirrorenv.results.folders.schema import Result, read_result
from mirrorenv.results.folders.verify import verify_result
from tests.results.forging import copied, say
from tests.results.results_of_ants import table_folder

RECORDED = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
SUITES = ("diversity", "generators", "labour", "observers", "theory", "worlds")
TRAINED = RECORDED / "worlds" / "ants-separate-author" / "seed0"

pytestmark = pytest.mark.skipif(not TRAINED.is_dir(), reason="recorded results are not here")


def test_every_recorded_result_is_read() -> None:
    pytest.importorskip("pyarrow")
    folders = result_folders([RECORDED / suite for suite in SUITES])
    assert len(folders) >= 465
    for folder in folders:
        check_config(read_result(folder))


UNKNOWN: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "beside the run": (lambda c: c.update(note="x"), "config.note"),
    "a line to print": (lambda c: c.update({"x\x1b[2J\n  true  all": 1}), r"config\."),
    "in the run": (lambda c: c["run"].update(trick=1), "config.run.trick"),
    "in its learning": (lambda c: c["run"]["learning"].update(trick=1), "config.run.learning"),
    "in its observers": (
        lambda c: c["run"]["population"]["observer"].update(hiden=9),
        "Did you mean population.observer.hidden",
    ),
    "of a wrong type": (lambda c: c["run"].update(mirror=[]), "config.run.mirror"),
    "out of range": (lambda c: c["run"].update(total_steps=-1), "config.run.total_steps"),
    "of a later version": (lambda c: c["run"].update(version=99), "later mirrorenv"),
    "of another seed": (lambda c: c["run"].update(seed=5), "has seed 5"),
    "of another world": (lambda c: c["run"].update(world="mirrorenv/chain-v0"), "another world"),
    "that is no run": (lambda c: c.update(run=[]), "does not say the settings"),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_a_key_that_no_version_writes_is_refused_by_name(what: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    change, said = UNKNOWN[what]
    folder = copied(TRAINED, tmp_path / "r")
    say(folder, lambda result: change(result["config"]))
    with pytest.raises(ResultError, match=said):
        verify_result(folder, config_reader=check_config)


def test_a_table_says_its_command_and_nothing_else(tmp_path: Path) -> None:
    folder = table_folder(tmp_path / "t", {"a": {0: [1.0]}}, config={"command": "make it"})
    check_config(read_result(folder))
    say(folder, lambda result: result["config"].update(proof="sure"))
    with pytest.raises(ResultError, match=r"config\.proof is nothing that a table"):
        check_config(read_result(folder))


def _of(kind: str, config: dict[str, Any]) -> Result:
    return read_result(TRAINED).model_copy(update={"kind": kind, "config": config})


def test_tournaments_and_tuned_voices_are_read_by_their_rooms(tmp_path: Path) -> None:
    from mirrorenv.debate.starter import write_starter
    from mirrorenv.debate.tournament import load_tournament
    from mirrorenv.preference.settings import PreferenceSettings

    config = load_tournament(write_starter(tmp_path / "s", "default")).config()
    check_config(_of("debate", config))
    with pytest.raises(ResultError, match=r"config\.trick"):
        check_config(_of("debate", {**config, "trick": 1}))
    for key in ("settings", "cards"):
        broken = {**config, key: [{"trick": 1}]}
        with pytest.raises(MirrorError):
            check_config(_of("debate", broken))
    voices = PreferenceSettings().model_dump(mode="json")
    check_config(_of("preference", voices))
    with pytest.raises(MirrorError, match="trick"):
        check_config(_of("preference", {**voices, "trick": 1}))
