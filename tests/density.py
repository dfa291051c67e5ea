"""What makes lines dense and words private, counted in each room of the package.

python -m tests.density        prints every place that `test_density.py` refuses
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mirrorenv"
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
PRIVATE_WORDS = re.compile(r"\b(nobody|whom|anew)\b", re.IGNORECASE)
FEWEST_PARAMETERS = 3
"""Of a public function whose docstring must have a section `Args`; below it a sentence does."""

Place = tuple[ast.AST, str]


def unrelated_assignments(tree: ast.Module) -> Iterator[Place]:
    """Assignments of a written tuple to a written tuple that could be two lines.

    Allowed are those that must happen at once: a swap, and an update that reads what it replaces
    (`a, b = b, a + b`).
    """
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Tuple):
            continue
        if any(isinstance(part, ast.Starred) for part in node.value.elts):
            continue
        for target in node.targets:
            if isinstance(target, ast.Tuple):
                replaced = {ast.unparse(part) for part in target.elts}
                read = {ast.unparse(part) for part in ast.walk(node.value) if _is_place(part)}
                if not replaced & read:
                    yield node, ast.unparse(node)


def _is_place(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute | ast.Subscript)


def nested_comprehensions(tree: ast.Module) -> Iterator[Place]:
    """Comprehensions inside a comprehension."""
    for node in ast.walk(tree):
        if isinstance(node, COMPREHENSIONS):
            inner = (part for part in ast.walk(node) if part is not node)
            if any(isinstance(part, COMPREHENSIONS) for part in inner):
                yield node, ast.unparse(node)


def private_words(tree: ast.Module) -> Iterator[Place]:
    """Docstrings, messages and other texts with words that the field does not use in code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for word in PRIVATE_WORDS.findall(node.value):
                yield node, word


def doubled_backticks(tree: ast.Module) -> Iterator[Place]:
    """Docstrings in the other dialect: code stands between single backticks, which the pages show
    as code (`default_role` in docs/conf.py)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            for quoted in re.findall(r"``[^`]+``", str(node.value.value)):
                yield node, quoted


def unexplained_parameters(tree: ast.Module) -> Iterator[Place]:
    """Public functions and methods of several parameters whose docstring has no `Args`.

    A method that fills in a protocol says where that is documented (``See `Objective.loss` ``).
    """
    for node in _public_functions(tree):
        parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        named = [one for one in parameters if one.arg not in ("self", "cls")]
        text = ast.get_docstring(node) or ""
        elsewhere = text.startswith("See ")
        if len(named) >= FEWEST_PARAMETERS and text and "Args:" not in text and not elsewhere:
            yield node, node.name


def _public_functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """At the top level and in public classes."""
    for node in tree.body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        if isinstance(node, ast.ClassDef) and node.name.startswith("_"):
            continue
        for member in members:
            if not isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if not member.name.startswith("_"):
                yield member


MEASURES: dict[str, Callable[[ast.Module], Iterator[Place]]] = {
    "unrelated assignments": unrelated_assignments,
    "nested comprehensions": nested_comprehensions,
    "private words": private_words,
    "doubled backticks": doubled_backticks,
    "unexplained parameters": unexplained_parameters,
}


def found(measure: str) -> dict[str, list[str]]:
    """By room, each place as `file:line what`."""
    places: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).parts
        room = parts[0] if len(parts) > 1 else "top"
        if _is_exempt(measure, parts):
            continue
        for node, what in MEASURES[measure](ast.parse(path.read_text("utf-8"))):
            line = getattr(node, "lineno", 0)
            places.setdefault(room, []).append(f"{path.relative_to(ROOT)}:{line} {what[:100]}")
    return places


def _is_exempt(measure: str, parts: tuple[str, ...]) -> bool:
    """Whether a file holds commands, whose options carry their explanation as `help`, or what
    the scripted personas of a debate say, which is data."""
    if measure == "unexplained parameters":
        return parts[0] == "cli" or parts == ("rllib", "command", "main.py")
    return measure == "private words" and parts == ("debate", "players", "persona.py")


def main() -> None:
    """Print what is found."""
    for measure in MEASURES:
        places = [place for some in found(measure).values() for place in some]
        print(f"{measure}: {len(places)}")
        for place in places:
            print(f"  {place}")


if __name__ == "__main__":
    main()
