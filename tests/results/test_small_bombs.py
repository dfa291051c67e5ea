"""No small file takes gigabytes: it is refused by name, and the command stays below one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirrorenv.errors import CheckpointError, MirrorError, ResultError, RunFolderError
from mirrorenv.results.folders.tables import read_table
from mirrorenv.results.runs import files, json_lines, limits
from mirrorenv.results.runs.files import read_json
from mirrorenv.results.runs.json_lines import read_jsonl
from mirrorenv.results.runs.limits import at_most, confined
from mirrorenv.results.runs.manifest import write_manifest
from tests.results import bombs
from tests.results.results_of_ants import population_folder

ROOT = Path(__file__).resolve().parents[2]
GIGABYTE = 1 << 30
linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's limit is Linux's")


def made(name: str, how: dict[str, Callable[[Path], Path]], path: Path) -> Path:
    if name.startswith("parquet"):
        pytest.importorskip("pyarrow")
    return how[name](path)


# what lies here holds only for the kernel's limit, not for looking at sizes
KERNEL = ("parquet_page",)


@pytest.mark.parametrize("name", [one for one in bombs.TABLES if one not in KERNEL])
def test_a_table_that_asks_for_more_is_refused(name: str, tmp_path: Path) -> None:
    path = made(name, bombs.TABLES, tmp_path / "bomb")
    with pytest.raises(ResultError, match="bomb"):
        read_table(path)


@pytest.mark.parametrize("name", bombs.JSONS)
def test_json_that_asks_for_more_is_refused(name: str, tmp_path: Path) -> None:
    path = bombs.JSONS[name](tmp_path / "bomb.json")
    with pytest.raises(RunFolderError, match=r"bomb\.json") as said:
        read_json(path)
    assert len(str(said.value)) < 1000


def test_a_log_of_too_many_values_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "_MOST", 1_000_000)
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"a":[1,2]}\n' * 400_000)
    with pytest.raises(RunFolderError, match="more than"):
        read_jsonl(path)


def test_a_device_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("config.json", "pipe.json"):
        with pytest.raises(RunFolderError, match="a device or a pipe"):
            read_json(tmp_path / name)


# -- whole commands --------------------------------------------------------------------------------


# A child begins with the peak of whoever forked it, so that a small process has to ask.
MEASURE = """
import os, sys
child = os.fork()
if child == 0:
    os.execv(sys.executable, [sys.executable, "-P", "-m", "mirrorenv", *sys.argv[2:]])
_, status, used = os.wait4(child, 0)
open(sys.argv[1], "w").write(str(used.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
"""


def typed(peak: Path, *words: str) -> tuple[int, str, int]:
    """Exit code, what was said, and the most memory that the command and its children took."""
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, str(peak), *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout, int(peak.read_text()) << 10


def refused(tmp_path: Path, *words: str) -> str:
    """What a command says that refuses, in less than a gigabyte and one line."""
    code, said, memory = typed(tmp_path / "peak", *words)
    assert code == 1, said
    assert memory < GIGABYTE, f"{memory:,} bytes"
    assert said.startswith("error: ") and said.count("\n") == 1, said
    return said


@linux
@pytest.mark.parametrize("name", ["parquet_page", "parquet_delta", "npz_offsets", "npz_zeros"])
def test_verifying_a_folder_with_such_a_table_takes_less_than_a_gigabyte(
    name: str, tmp_path: Path
) -> None:
    folder = population_folder(tmp_path / "r", form="npz")
    (folder / "steps.npz").unlink()
    made(name, bombs.TABLES, folder / "steps")
    write_manifest(folder)
    assert "steps" in refused(tmp_path, "verify", str(folder))


@linux
def test_scores_of_millions_of_objects_are_refused(tmp_path: Path) -> None:
    folder = population_folder(tmp_path / "r", form="npz")
    bombs.json_objects(folder / "scores.json")
    write_manifest(folder)
    assert "parts" in refused(tmp_path, "verify", str(folder))
    assert "parts" in refused(
        tmp_path, "board", "build", str(folder), "--out", str(tmp_path / "b.html")
    )


@linux
def test_the_report_of_a_folder_with_a_giant_log_is_refused(tmp_path: Path) -> None:
    from tests.results.synthetic import make_run

    run = make_run(tmp_path / "run", count=2)
    bombs.sparse(run.path / "metrics.jsonl")
    assert "larger than" in refused(tmp_path, "report", str(run.path))


@linux
def test_what_the_looking_misses_the_kernel_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_armed", True)

    def greedy() -> None:
        bytearray(2 * GIGABYTE)

    with pytest.raises(ResultError, match=r"more memory.*MIRRORENV_READ_MEGABYTES"):
        confined(greedy)
    with pytest.raises(ResultError, match=r"not done in the time.*MIRRORENV_READ_SECONDS"):
        confined(lambda: limits.time.sleep(60), seconds=0.2)
    with pytest.raises(ResultError, match="ended by signal"):
        confined(lambda: os.kill(os.getpid(), signal.SIGKILL))


@linux
def test_a_child_says_what_its_work_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_armed", True)

    def raises(error: BaseException) -> Callable[[], None]:
        def work() -> None:
            raise error

        return work

    confined(lambda: None)
    with pytest.raises(CheckpointError, match="no such thing"):
        confined(raises(CheckpointError("no such thing")))
    with pytest.raises(FileNotFoundError):
        confined(raises(FileNotFoundError(2, "No such file", "x")))
    with pytest.raises(SystemExit) as code:
        confined(raises(SystemExit(3)))
    assert code.value.code == 3
    with pytest.raises(KeyboardInterrupt):
        confined(raises(KeyboardInterrupt()))
    with pytest.raises(RecursionError):
        confined(raises(RecursionError()))


def test_where_there_is_no_limit_it_is_said_and_the_work_done(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[int] = []
    monkeypatch.setattr(limits, "_armed", True)
    monkeypatch.setattr(sys, "platform", "darwin")
    confined(lambda: done.append(os.getpid()))
    assert done == [os.getpid()]  # in this process
    assert "darwin lets no process be held" in caplog.text


@linux
def test_a_limit_is_lent_for_a_moment() -> None:
    with pytest.raises(MemoryError), at_most(64):
        bytearray(GIGABYTE // 2)
    assert len(bytearray(GIGABYTE // 8)) == GIGABYTE // 8


# -- checkpoints -----------------------------------------------------------------------------------


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    pytest.importorskip("torch")
    from mirrorenv.population.checkpoint import save_population
    from tests.population.small import population

    run = {"world": "mirrorenv/ants-v0", "world_options": {}, "mirror": {}}
    save_population(tmp_path / "c", population(), run)
    return tmp_path / "c"


def load(folder: Path) -> Any:
    from mirrorenv.population.checkpoint import load_population

    write_manifest(folder, ["population.safetensors", "config.json"])
    return load_population(folder)


@pytest.mark.parametrize("name", bombs.WEIGHTS)
def test_weights_that_ask_for_more_are_refused(
    name: str, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bombs.WEIGHTS[name](checkpoint / "population.safetensors")
    if name == "sparse":  # no one hashes ten gigabytes in a test
        os.truncate(checkpoint / "population.safetensors", 1 << 21)
        monkeypatch.setattr(files, "MAX_BYTES", 1 << 20)
    with pytest.raises(CheckpointError, match="checkpoint"):
        load(checkpoint)


@linux
@pytest.mark.parametrize("hidden", [20_000, 10**6, 10**12])
def test_settings_of_a_giant_network_are_refused(hidden: int, checkpoint: Path) -> None:
    config = json.loads((checkpoint / "config.json").read_text())
    config["population"]["hidden"] = hidden
    (checkpoint / "config.json").write_text(json.dumps(config))
    with pytest.raises(MirrorError, match="checkpoint"):
        load(checkpoint)


@pytest.mark.parametrize("option", ["horizon", "num_agents"])
def test_a_world_out_of_any_range_is_refused(option: str) -> None:
    pytest.importorskip("torch")
    from mirrorenv.population.checkpoint import world_of

    about = {"world": "mirrorenv/ants-v0", "world_options": {option: 10**12}}
    with pytest.raises(CheckpointError, match="out of any range"):
        world_of(about)
