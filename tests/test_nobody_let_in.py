"""Nothing that lies in a folder runs because a command is typed there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mirrorenv import named_code
from mirrorenv.cli import next_steps
from mirrorenv.errors import CheckpointError, ConfigError
from mirrorenv.named_code import code_in, name_code, unnamed_code
from tests.results.results_of_ants import population_folder

ROOT = Path(__file__).resolve().parents[1]
SHADOWS = [
    "sksparse",
    "scikits",
    "uarray",
    "cython",
    "bottleneck",
    "numexpr",
    "pytz",
    "pandas",
    "numpy",
    "scipy",
    "yaml",
    "torch",
    "pydantic",
    "typer",
    "rich",
    "click",
    "json",
    "random",
    "conftest",
    "sitecustomize",
    "usercustomize",
    "setup",
    "mirrorenv_plugin",
    "pyarrow",
    "filelock",
    "gymnasium",
    "pettingzoo",
    "matplotlib",
    "jinja2",
    "markupsafe",
    "apsw",
    "sqlite3",
    "sqlite_vec",
    "ray",
    "safetensors",
    "transformers",
    "trl",
    "peft",
    "httpx2",
    "encodings",
    "readline",
    "dotenv",
    "zstandard",
    "ipython_config",
    "trap_of_a_file",
]
PACKAGES = ["config", "numba", "cupy", "torch_xla", "tensorboard", "PIL", "importlib_metadata"]
"""Folders that hold a trap as a package of that name."""
OBEYED: dict[str, str] = {
    "matplotlibrc": "backend: module://trap_of_a_file\ntext.usetex: True\n",
    "mplstyle/trap.mplstyle": "backend: module://trap_of_a_file\n",
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-p trap_of_a_file'\n",
    "pytest.ini": "[pytest]\naddopts = -p trap_of_a_file\n",
    "tox.ini": "[pytest]\naddopts = -p trap_of_a_file\n",
    "setup.cfg": "[tool:pytest]\naddopts = -p trap_of_a_file\n",
    ".coveragerc": "[run]\nplugins = trap_of_a_file\n",
    "coverage.cfg": "[run]\nplugins = trap_of_a_file\n",
    ".env": "PYTHONSTARTUP=trap_of_a_file.py\nPYTHONPATH=.\nMPLBACKEND=module://trap_of_a_file\n",
    ".pythonrc": "import trap_of_a_file\n",
    ".pdbrc": "import trap_of_a_file\n",
    ".netrc": "default login trap password trap\n",
    "pip.conf": "[global]\nindex-url = http://127.0.0.1:1/\n",
    "pyvenv.cfg": "home = .\ninclude-system-site-packages = true\n",
    "python311._pth": ".\nimport site\n",
    "ray.yaml": "setup_commands: [python trap_of_a_file.py]\n",
    ".ray/config.yaml": "runtime_env: {working_dir: .}\n",
    ".config/matplotlib/matplotlibrc": "backend: module://trap_of_a_file\n",
    "config.yaml": "a: !!python/object/apply:os.system ['python trap_of_a_file.py']\n",
    "logging.conf": "[handlers]\nkeys=trap\n",
    "gdbinit": "python import trap_of_a_file\n",
    "entry_points.txt": "[mirrorenv.envs]\ntrap = trap_of_a_file\n",
    "trap-1.0.dist-info/entry_points.txt": "[mirrorenv.envs]\ntrap = trap_of_a_file\n",
    "trap-1.0.dist-info/METADATA": "Name: trap\nVersion: 1.0\n",
    "vec0.so": "no library",
    "libgomp.so.1": "no library",
}
"""Files that some tool would obey, with what would spring the trap."""
TRAP = "import os\nopen(os.environ['TRAP_MARK'], 'a').write(__name__ + chr(10))\n"


def set_traps(folder: Path) -> None:
    """Files that tell on whoever runs them, under every name somebody might look for."""
    for name in SHADOWS:
        (folder / f"{name}.py").write_text(TRAP)
        (folder / f"{name}.pth").write_text(f"import {name}\n")
    for name in PACKAGES:
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "__init__.py").write_text(TRAP)
    for name, text in OBEYED.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def typed(folder: Path, *words: str) -> tuple[int, str, str]:
    """What a command does in a folder full of traps: exit code, what was sprung, what it said."""
    mark = folder.with_name(f"{folder.name}.sprung")
    mark.unlink(missing_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TRAP_MARK": str(mark)}
    begin = "import sys; sys.path.pop(0); from mirrorenv.cli.app import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", begin, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    return ran.returncode, mark.read_text() if mark.exists() else "", ran.stderr + ran.stdout


COMMANDS = {
    "verify": (["verify", "."], 0),
    "board check": (["board", "check", "."], 0),
    "board build": (["board", "build", ".", "--out", "../board.html"], 0),
    "share": (["results", "share", ".", "../riddle"], 0),
    "export": (["results", "export", "."], 1),
    "marl-eval": (["results", "marl-eval", ".", "--out", "../eval.json"], 1),
    "report": (["report", "."], 1),
    "evaluate": (["evaluate", "."], 1),
    "play": (["play", "ants-v0", "--gif", "../ants.gif"], 0),
    "play a checkpoint": (["play", "ants-v0", "--policy", "."], 1),
    "check": (["check", "ants-v0", "--episodes", "1"], 0),
    "audit": (["audit", "ants-v0", "--episodes", "64"], None),
    "worlds": (["worlds"], 0),
    "settings": (["settings", "prefer"], 0),
    "version": (["version"], 0),
    "debate score": (["debate", "score", "."], 1),
    "debate view": (["debate", "view", "."], 1),
    "debate check": (["debate", "check", "."], 1),
    "prefer train": (["prefer", "train", "--config", "nowhere.toml"], 2),
    "train": (["train", "antz-v0"], 2),
    "identity": (["identity", ".", "--out", "../identity.html"], 0),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_runs_a_file_of_the_folder_it_is_typed_in(name: str, tmp_path: Path) -> None:
    folder = population_folder(tmp_path / "received", form="npz")
    manifest = json.loads((folder / "manifest.json").read_text())
    kept = {file: (folder / file).read_bytes() for file in manifest["files"]}
    set_traps(folder)
    words, code = COMMANDS[name]
    if code == 0 and "." in words:  # a result with further files is refused; beside it they are not
        whole = folder / "result"
        whole.mkdir()
        for file, data in {
            **kept,
            "manifest.json": (folder / "manifest.json").read_bytes(),
        }.items():
            (whole / file).write_bytes(data)
        words = ["result" if word == "." else word for word in words]
    ended, sprung, said = typed(folder, *words)
    assert sprung == "", said
    assert code is None or ended == code, said
    assert "Traceback" not in said


def test_there_are_as_many_traps_as_the_docs_say() -> None:
    assert 2 * len(SHADOWS) + len(PACKAGES) + len(OBEYED) >= 120


def test_every_command_is_walked() -> None:
    from mirrorenv.cli.app import app

    names = {str(one.callback.__name__) for one in app.registered_commands if one.callback}
    walked = {words[0] for words, _ in COMMANDS.values()}
    assert names <= walked


def test_a_world_of_ones_own_is_found_with_what_it_imports_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    set_traps(folder)
    (folder / "helper_of_mine.py").write_text("LENGTH = 4\n")
    (folder / "mine.py").write_text(
        "from helper_of_mine import LENGTH\n"
        "from mirrorenv.envs.worlds.ants import Ants\n"
        "class Mine(Ants):\n"
        "    def __init__(self, num_envs):\n"
        "        super().__init__(num_envs=num_envs, horizon=LENGTH)\n"
    )
    ended, sprung, said = typed(folder, "play", "mine:Mine", "--json")
    assert ended == 0, said
    assert sprung == ""
    ended, sprung, said = typed(folder, "play", "helper:Mine")
    assert ended == 1 and sprung == "" and "helper" in said


def test_whatever_has_a_colon_may_be_code_and_is_found_at_any_depth() -> None:
    value = {"a": ["x-y:z", {"b:c": 1}], "d": "no code", "e": 2}
    assert code_in(value) == ["x-y:z", "b:c"]
    assert unnamed_code([value, value]) == ["x-y:z", "b:c"]


def test_code_is_named_as_it_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_code, "_NAMED", set())
    for word in ("others=mine:act", '{"env": "lamps.own:Lamps"}', "x-y:Z", "--world=a:B"):
        name_code(word)
    assert unnamed_code(["mine:act", "lamps.own:Lamps", "x-y:Z", "a:B", "foreign:act"]) == [
        "foreign:act"
    ]


def test_a_line_to_paste_names_no_code_that_only_a_file_has_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(named_code, "_NAMED", {"lamps:Lamps"})
    lines = [
        next_steps.evaluate(tmp_path, "os:system"),
        *next_steps.control(tmp_path, "os:system; x"),
    ]
    assert not any("os:system" in line for line in lines)
    assert "--world lamps:Lamps" in next_steps.evaluate(tmp_path, "lamps:Lamps")
    assert "train lamps:Lamps --config" in next_steps.control(tmp_path, "lamps:Lamps")[0]


def test_settings_that_a_run_wrote_name_no_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    from mirrorenv.rllib.settings import load_settings

    monkeypatch.setattr(named_code, "_NAMED", set())
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"version": 2, "world": "foreign.evil:Env"}))
    with pytest.raises(ConfigError, match=r"names code to run: foreign\.evil:Env"):
        load_settings(files=[file])
    assert load_settings("foreign.evil:Env", files=[file]).world == "foreign.evil:Env"


def test_nothing_in_a_checkpoint_is_imported_unless_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    from mirrorenv.population.checkpoint import load_population, save_population, world_of
    from mirrorenv.results import write_manifest
    from tests.population.small import population

    monkeypatch.setattr(named_code, "_NAMED", set())
    (tmp_path / "foreign_trap.py").write_text("raise SystemExit('sprung')\n")
    monkeypatch.syspath_prepend(tmp_path)
    run = {"world": "mirrorenv/ants-v0", "world_options": {}, "mirror": {}}
    folder = tmp_path / "c"
    places = (
        ("population", "actor", "foreign_trap:X"),
        ("population", "auxiliaries", [{"name": "foreign_trap:X"}]),
        ("population", "observer", {"head": "foreign_trap:X"}),
        ("run", "mirror", {"reward": "foreign_trap:X"}),
    )
    for part, key, value in places:
        save_population(folder, population(), run)
        config = json.loads((folder / "config.json").read_text())
        config[part][key] = value
        (folder / "config.json").write_text(json.dumps(config))
        write_manifest(folder, ["population.safetensors", "config.json"])
        with pytest.raises(CheckpointError, match="names code to run"):
            load_population(folder)
    nested = {**run, "world_options": {"deep": [{"others": "foreign_trap:act"}]}}
    with pytest.raises(CheckpointError, match="--code foreign_trap:act"):
        world_of(nested, "mirrorenv/ants-v0")
    assert "foreign_trap" not in sys.modules


def test_a_matplotlibrc_of_the_folder_is_not_obeyed(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\n")
    line = (
        "from mirrorenv.entry import _ignore_matplotlibrc as ignore; ignore(); import matplotlib; "
        "print(matplotlib.rcParams['text.usetex'])"
    )
    command = [sys.executable, "-P", "-c", line]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
