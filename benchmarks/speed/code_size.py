"""How many lines of code the package has, room by room, beside another tree.

    python benchmarks/speed/code_size.py --against PATH [--without ROOM ...] [--json]

A line counts if it holds code: blank lines, comments and docstrings do not. Both trees are copied
and formatted alike first (ruff, 100 columns, commas that force a split ignored, `# fmt: skip`
taken out), so that neither wide lines nor squeezed ones count for less. Stubs (`.pyi`) are
counted by themselves. Rooms of features that the other tree lacks are left out of the sum where
`--without` names them.
"""

from __future__ import annotations

import ast
import io
import shutil
import subprocess
import sys
import tempfile
import tokenize
from collections import Counter
from pathlib import Path

import _root  # noqa: F401

from benchmarks.shared.runner import ROOT, Script

COLUMNS = 100
STUBS = "(stubs)"
NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def code_lines(source: str) -> int:
    """Lines that hold code.

    Args:
        source: text of a module.
    """
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstring_lines(ast.parse(source)))


def docstring_lines(tree: ast.Module) -> set[int]:
    """Lines of strings that stand by themselves: docstrings of modules, classes, functions and
    attributes."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        alone = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if alone and isinstance(node.value.value, str):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def rooms_of(tree: Path) -> Counter[str]:
    """Lines of code by room of the package in a tree."""
    package = tree / "mirrorenv"
    if not package.is_dir():
        raise SystemExit(f"{tree} holds no folder mirrorenv")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "mirrorenv"
        shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
        format_alike(copy)
        found: Counter[str] = Counter()
        for path in sorted([*copy.rglob("*.py"), *copy.rglob("*.pyi")]):
            parts = path.relative_to(copy).parts
            room = parts[0] if len(parts) > 1 else "(top)"
            where = STUBS if path.suffix == ".pyi" else room
            found[where] += code_lines(path.read_text("utf-8"))
    return found


def format_alike(folder: Path) -> None:
    """Let ruff write every file of a folder the same way."""
    for path in folder.rglob("*.py"):
        text = path.read_text("utf-8")
        if "# fmt: " in text:
            for comment in ("  # fmt: skip", "# fmt: off", "# fmt: on"):
                text = text.replace(comment, "")
            path.write_text(text, "utf-8")
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--quiet"]
    command += ["--line-length", str(COLUMNS)]
    command += ["--config", "format.skip-magic-trailing-comma=true", str(folder)]
    subprocess.run(command, check=True)


def main() -> None:
    """Count and print."""
    script = Script(__doc__, json=True)
    script.add_argument("--against", type=Path, required=True, help="root of the other tree")
    script.add_argument(
        "--without", nargs="+", default=[], metavar="ROOM", help="left out of the sum"
    )
    options = script.parse()
    before = rooms_of(options.against)
    now = rooms_of(ROOT)
    print(f"{'room':14} {'before':>8} {'now':>8} {'now - before':>13}")
    for room in sorted({*before, *now}):
        print(f"{room:14} {before[room]:8,} {now[room]:8,} {now[room] - before[room]:+13,}")
    left_out = {STUBS, *options.without}
    sums = []
    for rooms in (before, now):
        kept = [lines for room, lines in rooms.items() if room not in left_out]
        sums.append(sum(kept))
    print(f"{'sum':14} {sums[0]:8,} {sums[1]:8,} {sums[1] - sums[0]:+13,}")
    print(f"left out of the sum: {', '.join(sorted(left_out))}")
    script.save({"columns": COLUMNS, "before": dict(before), "now": dict(now), "sums": sums})


if __name__ == "__main__":
    main()
