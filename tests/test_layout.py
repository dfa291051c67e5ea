"""The house rules that a machine can hold: who imports whom, how large files are, what must never
be tracked."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mirrorenv"

# What a room may import besides itself; `errors`, `lazy`, `named_code`, `plain_text` and
# `strict` (typed settings) are open to all.
GROUND = {"mirror", "envs", "results"}
BELOW: dict[str, set[str]] = {
    "errors": set(),
    "patient_imports": set(),
    "entry": {"terminal"},
    "lazy": set(),
    "strict": {"described"},
    "described": set(),
    "named_code": set(),
    "plain_text": set(),
    "terminal": set(),
    "ray_up": set(),
    "mirror": set(),
    "envs": {"mirror"},
    "results": {"mirror", "envs"},
    "llm": GROUND,
    "complexity": set(),
    "memory": GROUND,
    "instrument": GROUND,
    "population": {*GROUND, "complexity"},
    "bytes": {*GROUND, "llm", "population", "memory"},
    "goals": {*GROUND, "llm", "population", "memory"},
    "rllib": {*GROUND, "population", "entry", "terminal", "ray_up"},
    "sb3": {*GROUND, "population"},
    "debate": {*GROUND, "llm"},
    "preference": {*GROUND, "llm", "debate", "population", "ray_up"},
    "testing": {"mirror", "envs"},
    "__init__": set(),
}
# What a room may import of a room below it, where that is not all of it.
NO_MORE_THAN = {("preference", "population"): "mirrorenv.population.objectives"}
LIGHT_ROOMS = ("mirror", "envs", "results", "llm", "debate", "testing")
# reads back what it pickled in the line before
OWN_PICKLES = {"mirrorenv/envs/checks/checks_repeating.py"}
# The model in this process is torch code as a whole. It is imported by the function that loads a
# model and by nothing else, so that the game in words, with scripted players or with endpoints,
# stays as light as the rooms below it.
LATE_TORCH = {"mirrorenv/llm/model.py"}
HEAVY = {
    "torch",
    "ray",
    "safetensors",
    "tensorboard",
    "stable_baselines3",
    "transformers",
    "tokenizers",
    "gguf",
}


def _sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _tracked() -> list[Path]:
    """Every file that git tracks; a copy without git (an sdist) counts all of its sources."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        folders = ("mirrorenv", "tests", "docs", "agents", "training", "benchmarks")
        paths = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    return [path for path in paths if path.is_file()]


def _room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    if path.stem == "__main__" or parts == ("start.py",):  # where the command starts
        return "cli"
    return parts[0] if len(parts) > 1 else path.stem


def _imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Full names of everything imported, at any depth, and the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for alias in node.names:
                yield f"{module}.{alias.name}", node.lineno


def _runs_at_import(tree: ast.Module) -> ast.Module:
    """The module without function bodies and without `if TYPE_CHECKING:` blocks."""

    class Prune(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
            return None

        def visit_If(self, node: ast.If) -> ast.AST:
            if "TYPE_CHECKING" in ast.unparse(node.test):
                return ast.If(test=node.test, body=node.orelse or [ast.Pass()], orelse=[])
            return self.generic_visit(node)

    pruned = Prune().visit(tree)
    assert isinstance(pruned, ast.Module)
    return pruned


def _public_definitions(
    tree: ast.Module,
) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Public functions, classes and methods; overrides marked as such and dunder methods are
    spared."""
    for node in tree.body:
        if not isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ) or node.name.startswith("_"):
            continue
        yield node
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(
                    member, ast.FunctionDef | ast.AsyncFunctionDef
                ) and not member.name.startswith("_"):
                    yield member


def test_imports_run_downwards() -> None:
    wrong = []
    for path in _sources():
        room = _room(path)
        if room == "cli":
            continue
        allowed = BELOW[room] | {room, "errors", "lazy", "named_code", "plain_text", "strict"}
        for name, line in _imports(ast.parse(path.read_text())):
            if name.startswith("."):
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports relatively")
            elif name.startswith("mirrorenv."):
                target = name.split(".")[1]
                part = NO_MORE_THAN.get((room, target), "")
                above = target == "cli" or (target in BELOW and target not in allowed)
                if above or not name.startswith(part):
                    wrong.append(f"{path.relative_to(ROOT)}:{line} ({room}) imports {name}")
    assert not wrong, "\n".join(wrong)


def test_the_trainer_does_without_the_console_script() -> None:
    wrong = []
    for path in (PACKAGE / "rllib").glob("*.py"):
        for name, line in _imports(ast.parse(path.read_text())):
            if name.startswith("mirrorenv.rllib.command"):
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_every_room_has_its_place_in_the_table() -> None:
    rooms = {_room(path) for path in _sources()}
    assert rooms <= {*BELOW, "cli"}, f"unknown rooms: {rooms - {*BELOW, 'cli'}}"


def test_light_rooms_never_name_torch_or_ray_at_import() -> None:
    wrong = []
    for path in _sources():
        light = _room(path) in (*LIGHT_ROOMS, "__init__", "errors", "cli")
        if light and path.relative_to(ROOT).as_posix() not in LATE_TORCH:
            for name, line in _imports(_runs_at_import(ast.parse(path.read_text()))):
                if name.split(".")[0] in HEAVY:
                    wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_data_folders_are_not_packages() -> None:
    for folder in ("agents", "training", "benchmarks"):
        found = list((ROOT / folder).rglob("__init__.py"))
        assert not found, f"{folder}/ must not be importable: {found}"


def test_training_scripts_do_not_shadow_packages() -> None:
    taken = {
        "ray",
        "torch",
        "numpy",
        "scipy",
        "mirrorenv",
        "gymnasium",
        "pettingzoo",
        "random",
        "statistics",
    }
    scripts = [*(ROOT / "training").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    assert not [path for path in scripts if path.stem in taken]


def test_the_formatter_is_hardly_ever_told_off() -> None:
    mark = "# fmt: " + "skip"  # in pieces, so that this file does not find itself
    folders = ("mirrorenv", "tests", "benchmarks", "training")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert sum(path.read_text().count(mark) for path in files) < 10


def test_lines_are_at_most_100_wide() -> None:
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]
    assert ruff["line-length"] == 100
    assert "E" in ruff["lint"]["select"]
    assert "E501" not in ruff["lint"].get("ignore", [])


def test_files_stay_short() -> None:
    folders = (PACKAGE, ROOT / "tests", ROOT / "benchmarks", ROOT / "training")
    lengths = {
        p: len(p.read_text().splitlines()) for folder in folders for p in folder.rglob("*.py")
    }
    long = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for path, lines in lengths.items()
        if lines >= 400
    ]
    assert not long, "one file, one idea, under 400 lines:\n" + "\n".join(long)


def test_no_machine_paths_or_registry_hosts_are_tracked() -> None:
    # Spelled in pieces, so that this file does not find itself.
    needles = ["/" + name + "/" for name in ("work", "farm", "root", "home", "Users")] + [
        "/opt" + "/wheels"
    ]
    needles += [
        "files." + "pythonhosted.org",
        "//" + "pypi.org",
        "registry." + "npmjs.org",
        "deb." + "debian.org",
    ]
    needles += ["download." + "pytorch.org"]
    found = []
    for path in _tracked():
        data = path.read_bytes()
        if b"\0" in data:
            continue
        text = data.decode("utf-8", errors="replace")
        found += [
            f"{path.relative_to(ROOT)} contains {needle}" for needle in needles if needle in text
        ]
    assert not found, "\n".join(found)


def test_nothing_is_unpickled() -> None:
    wrong = []
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text())):
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if (
                isinstance(node, ast.Import | ast.ImportFrom)
                and path.relative_to(ROOT).as_posix() not in OWN_PICKLES
            ):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                if {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"} & {
                    n.split(".")[0] for n in names
                }:
                    wrong.append(f"{where} imports a pickle module")
            elif isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                if called == "torch.load" and keywords.get("weights_only") != "True":
                    wrong.append(f"{where} torch.load must say weights_only=True")
                if (
                    called.endswith(("np.load", "numpy.load"))
                    and keywords.get("allow_pickle") == "True"
                ):
                    wrong.append(f"{where} numpy.load must not allow pickles")
                if called in ("yaml.load", "yaml.unsafe_load", "yaml.full_load", "eval", "exec"):
                    wrong.append(f"{where} calls {called}")
    assert not wrong, "\n".join(wrong)


def test_global_random_state_is_never_used() -> None:
    drawing = {
        "seed",
        "rand",
        "randn",
        "randint",
        "random",
        "choice",
        "shuffle",
        "permutation",
        "normal",
        "uniform",
    }
    wrong = []
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                module, _, name = ast.unparse(node.func).rpartition(".")
                if module in ("np.random", "numpy.random", "random") and name in drawing:
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} calls {module}.{name}")
    assert not wrong, "\n".join(wrong)


def test_public_things_say_what_they_are() -> None:
    silent = []
    for path in _sources():
        tree = ast.parse(path.read_text())
        if ast.get_docstring(tree) is None:
            silent.append(f"{path.relative_to(ROOT)}: module")
        for node in _public_definitions(tree):
            overrides = any(
                ast.unparse(decorator).endswith("override") for decorator in node.decorator_list
            )
            setter = any(
                ast.unparse(decorator).endswith(".setter") for decorator in node.decorator_list
            )
            if ast.get_docstring(node) is None and not overrides and not setter:
                silent.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert not silent, "without a docstring:\n" + "\n".join(silent)
