"""The scripts of `benchmarks/`: each says what it does, and all share one runner."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.shared.grid import GridScript
from benchmarks.shared.runner import Progress, Script

ROOT = Path(__file__).resolve().parents[1]
SHELVES = ("figures", "proofs", "speed", "studies", "suites")
FILES = [path for shelf in SHELVES for path in sorted((ROOT / "benchmarks" / shelf).glob("*.py"))]
SCRIPTS = [path for path in FILES if '__name__ == "__main__"' in path.read_text("utf-8")]

# Runs every script that is named with --help, in one process: what they import, they import once.
ALL_HELPS = """
import contextlib, io, json, pathlib, runpy, sys, traceback

found = {}
for name in sys.argv[1:]:
    script = pathlib.Path(name)
    sys.argv = [name, "--help"]
    sys.path.insert(0, str(script.parent))
    sys.modules.pop("_root", None)
    text = io.StringIO()
    try:
        with contextlib.redirect_stdout(text):
            runpy.run_path(name, run_name="__main__")
        ending = "it did not end at --help"
    except SystemExit as end:
        ending = end.code or "fine"
    except BaseException:
        ending = traceback.format_exc()
    sys.path.remove(str(script.parent))
    found[name] = [ending, text.getvalue()]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def helps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """How each script ended when it was asked for help, and what it printed."""
    for module in ("ray", "torch", "trl", "peft"):
        pytest.importorskip(module, reason="some script needs it")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    done = subprocess.run(
        [sys.executable, "-c", ALL_HELPS, *map(str, SCRIPTS)],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not list(elsewhere.iterdir()), "asking for help wrote something"
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_says_what_it_does_and_does_nothing_else(
    script: Path, helps: dict[str, list[str]]
) -> None:
    ending, text = helps[str(script)]
    assert ending == "fine"
    assert "usage:" in text and len(text.split()) > 20


def test_every_shelf_has_the_same_way_to_the_root() -> None:
    copies = {(ROOT / "benchmarks" / shelf / "_root.py").read_text("utf-8") for shelf in SHELVES}
    assert len(copies) == 1


def test_a_name_is_on_one_shelf_only_so_that_make_finds_it() -> None:
    names = Counter(path.name for path in FILES if path.name != "_root.py")
    assert not [name for name, count in names.items() if count > 1]


def test_nothing_parses_options_but_the_runner() -> None:
    own = [path.name for path in FILES if "ArgumentParser(" in path.read_text("utf-8")]
    assert not own


def test_a_smoke_run_sets_its_options_and_a_whole_run_does_not() -> None:
    def parsed(*words: str) -> int:
        script = Script("about", smoke={"episodes": 2})
        script.add_argument("--episodes", type=int, default=1000)
        return int(script.parse(words).episodes)

    assert parsed("--smoke") == 2
    assert parsed() == 1000


def test_json_alone_leaves_stdout_to_one_object(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # put back what the script redirects
    script = Script("about", json=True)
    script.parse(["--json"])
    print("for people")
    script.save({"half": 1}, so_far=True)
    script.save({"whole": 2})
    said = capsys.readouterr()
    assert json.loads(said.out) == {"whole": 2}
    assert said.err == "for people\n"


def test_json_with_a_file_writes_it_and_prints_as_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = Script("about", json=True)
    script.parse(["--json", str(tmp_path / "found.json")])
    print("for people")
    script.save({"whole": 2})
    assert json.loads((tmp_path / "found.json").read_text()) == {"whole": 2}
    assert capsys.readouterr().out == "for people\n"


def test_without_json_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script = GridScript("about", seeds=3, out="x")
    assert script.parse([]).seeds == 3
    script.save({"whole": 2})
    assert not list(tmp_path.iterdir())


def test_progress_counts_the_pieces_and_says_what_is_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = Progress(2)
    progress.done("one")
    progress.done("other")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("1/2, ") and first.endswith(": one")
    assert second.startswith("2/2, ") and " about 0.0 left" in second
