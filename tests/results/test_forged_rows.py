"""Ways to make up a row of a suite: each is refused, or the check says what it did not prove."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from mirrorenv.errors import MirrorError, ResultError
from mirrorenv.results.board.check import Submission, check_submission
from mirrorenv.results.board.suite import Suite, load_suite
from mirrorenv.results.folders.proof import Proved
from mirrorenv.results.folders.result_folder import ResultFolder, write_result
from mirrorenv.results.folders.schema import read_result
from mirrorenv.results.folders.verify import verify_result
from tests.results.forgeries import REFUSED, UNPROVED, WORLDS
from tests.results.forging import copied, put_in_place, say, seeds_of
from tests.results.weight_forgeries import TRUE_TO_WEIGHTS, WITH_WEIGHTS

pytest.importorskip("pyarrow")

ROOT = Path(__file__).resolve().parents[2]
ROW = WORLDS / "conformity-separate-author"

pytestmark = pytest.mark.skipif(not ROW.is_dir(), reason="recorded results are not here")


@pytest.fixture(scope="module")
def suites() -> dict[str, Suite]:
    files = (ROOT / "benchmarks" / "suites").glob("*.toml")
    return {suite.name: suite for suite in map(load_suite, files)}


@pytest.fixture
def row(tmp_path: Path) -> Path:
    return copied(ROW, tmp_path / "row")


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused(what: str, row: Path, suites: dict[str, Suite]) -> None:
    forge, said = REFUSED[what]
    try:
        forge(row)
    except MirrorError as error:  # not even its scores can be computed
        assert re.search(said, str(error)), error
        return
    with pytest.raises(ResultError, match=said):
        check_submission(row, suites)


@pytest.mark.parametrize("what", UNPROVED)
def test_it_is_named_as_unproved(what: str, row: Path, suites: dict[str, Suite]) -> None:
    forge, said = UNPROVED[what]
    forge(row)
    try:
        found = check_submission(row, suites)
    except ResultError:
        return  # better still
    (checked,) = found.rows
    assert checked.proved <= Proved.STEPS
    assert any(said in one for one in checked.unchecked), checked.unchecked


def test_the_true_row_is_fine_and_says_what_is_unproved(suites: dict[str, Suite]) -> None:
    found = check_submission(ROW, suites)
    (checked,) = found.rows
    assert checked.results == 10 and checked.proved is Proved.STEPS
    assert sum(one.startswith("unproved") for one in checked.unchecked) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "what",
    ["every seed under another's number", "weights of no reward", "the last bit of every weight"],
)
def test_training_again_tells(what: str, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    from mirrorenv.rllib.retrain import retrain

    row = copied(ROW, tmp_path / "row", weights=True)
    TRUE_TO_WEIGHTS[what][0](row)
    with pytest.raises(ResultError, match="comes out otherwise"):
        verify_result(seeds_of(row)[0], provers=[retrain])


def test_invented_rows_of_a_simulation_are_named_as_unproved(
    tmp_path: Path, suites: dict[str, Suite]
) -> None:
    folder = shutil.copytree(WORLDS / "conformity-scripted" / "all", tmp_path / "all")
    tables = ResultFolder.open(folder).tables()
    tables["episodes"]["return"] = np.full_like(tables["episodes"]["return"], 0.97)
    write_result(folder, read_result(folder), tables, overwrite=True)
    (checked,) = check_submission(folder, suites).rows
    assert checked.proved is Proved.SCORES
    assert any(one.startswith("unproved: the rows") for one in checked.unchecked)


# -- rows with weights -----------------------------------------------------------------------------


@pytest.fixture
def proved(tmp_path: Path) -> Path:
    return copied(ROW, tmp_path / "proved", weights=True)


def checked(row: Path, suites: dict[str, Suite]) -> Submission:
    from mirrorenv.cli.recorded_config import check_config
    from mirrorenv.population.proof import prove_from_weights

    return check_submission(row, suites, provers=[prove_from_weights], config_reader=check_config)


@pytest.mark.parametrize("what", WITH_WEIGHTS)
def test_what_its_weights_do_not_bear_out_is_refused(
    what: str, proved: Path, suites: dict[str, Suite]
) -> None:
    pytest.importorskip("torch")
    forge, said = WITH_WEIGHTS[what]
    forge(proved)
    with pytest.raises(ResultError, match=said):
        checked(proved, suites)


@pytest.mark.parametrize("what", TRUE_TO_WEIGHTS)
def test_what_only_training_would_tell_is_named(
    what: str, proved: Path, suites: dict[str, Suite]
) -> None:
    pytest.importorskip("torch")
    forge, said = TRUE_TO_WEIGHTS[what]
    forge(proved)
    (row,) = checked(proved, suites).rows
    assert row.proved < Proved.TRAINING
    assert any(said in one for one in row.unchecked), row.unchecked


def test_a_row_with_weights_is_proved_as_far_as_it_is(tmp_path: Path) -> None:
    """Weights that were trained for longer, or by hand, give their own evidence: that is not hidden
    and not taken for the training of the row."""
    pytest.importorskip("torch")
    from mirrorenv.population.export import export_run
    from mirrorenv.population.proof import prove_from_weights
    from mirrorenv.rllib.run import train
    from mirrorenv.rllib.settings import load_settings
    from tests.rllib.test_weights_as_evidence import SMALL

    rows = {}
    for steps in (256, 512):
        settings = load_settings("mirrorenv/ants-v0", (), (*SMALL, f"total_steps={steps}"))
        train(settings, tmp_path / f"{steps}")
        rows[steps] = export_run(
            tmp_path / f"{steps}", tmp_path / "made" / f"{steps}", episodes=16, seed=5
        )
    forged = rows[512]
    say(forged, lambda r: r["config"]["run"].update(total_steps=256))
    (checked,) = check_submission(forged, {}, provers=[prove_from_weights]).rows
    assert checked.proved is Proved.WEIGHTS
    assert any("unproved: that this training made these agents" in one for one in checked.unchecked)

    from mirrorenv.rllib.retrain import retrain

    with pytest.raises(ResultError, match="comes out otherwise"):
        check_submission(forged, {}, provers=[retrain])
    put_in_place(rows[256], forged)  # the weights of one, the episodes of the other
    with pytest.raises(ResultError, match="weights"):
        check_submission(rows[256], {}, provers=[prove_from_weights])


def test_no_one_proves_a_row_by_a_file_beside_it(tmp_path: Path) -> None:
    from mirrorenv.results.board.board import collect, result_folders
    from mirrorenv.results.board.proofs import record_proofs

    row = copied(ROW, tmp_path / "row")
    everything = dict.fromkeys(seeds_of(row), Proved.TRAINING)
    record_proofs(row / "proofs.json", everything, of_their_rows=True)
    (section,) = collect(result_folders([row]))
    assert {line.proved for line in section.lines} == {Proved.FILES}


def test_a_line_is_proved_as_far_as_its_least_proved_seed(tmp_path: Path) -> None:
    from mirrorenv.results.board.board import collect, result_folders
    from mirrorenv.results.board.proofs import read_proofs, record_proofs

    folders = result_folders([ROW])
    proofs = tmp_path / "proofs.json"
    record_proofs(proofs, dict.fromkeys(folders, Proved.STEPS), of_their_rows=True)
    record_proofs(proofs, {folders[0]: Proved.TRAINING}, of_their_rows=False)
    record_proofs(proofs, {folders[0]: Proved.SCORES}, of_their_rows=False)  # takes nothing away
    (section,) = collect(folders, proofs=read_proofs(proofs))
    assert [line.proved for line in section.lines] == [Proved.STEPS]
    record_proofs(proofs, dict.fromkeys(folders, Proved.TRAINING), of_their_rows=False)
    (section,) = collect(folders, proofs=read_proofs(proofs))
    assert [line.proved for line in section.lines] == [Proved.TRAINING]
    proofs.write_text('{"schema": "mirrorenv-proofs", "proved": {"a": "surely"}}')
    with pytest.raises(ResultError, match="needs of_its_row and a level"):
        read_proofs(proofs)


def test_a_true_result_under_another_row_is_not_proved_by_verifying_it(tmp_path: Path) -> None:
    """Retrained to the bit, and still no result of the row whose name it bears."""
    from mirrorenv.results.board.board import collect, result_folders
    from mirrorenv.results.board.proofs import read_proofs, record_proofs

    proofs = tmp_path / "proofs.json"
    folders = result_folders([ROW])
    record_proofs(proofs, dict.fromkeys(folders, Proved.TRAINING), of_their_rows=False)
    (section,) = collect(folders, proofs=read_proofs(proofs))
    assert [line.proved for line in section.lines] == [Proved.FILES]


def test_a_suite_of_ones_own_is_named(row: Path, suites: dict[str, Suite]) -> None:
    mine = suites["worlds"].model_copy(update={"version": 7})
    for folder in seeds_of(row):
        say(folder, lambda r: r["suite"].update(version=7, hash=mine.hash))
    (checked,) = check_submission(row, {"worlds": mine}).rows
    assert any("none that this version came with" in one for one in checked.unchecked)


def test_there_are_as_many_ways_as_the_docs_say() -> None:
    assert len(REFUSED) + len(UNPROVED) + len(WITH_WEIGHTS) + len(TRUE_TO_WEIGHTS) >= 70
