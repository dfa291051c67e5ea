"""Mathematics of a thought: equations and sums in a text, worked out by SymPy.

A text is never evaluated as Python: it is parsed, and what is no arithmetic is no mathematics. The
work is done in a child process with limits of time and memory, since a few letters can ask for
years. Where `MIRRORENV_WOLFRAM_KEY` is set, Wolfram Alpha can be asked instead.
"""

from __future__ import annotations

import ast
import json
import logging
import os
import re
import resource
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mirrorenv
from mirrorenv.bytes.thoughts import Propose
from mirrorenv.errors import ConfigError, require

__all__ = ["by_sympy", "by_wolfram", "with_mathematics"]

logger = logging.getLogger(__name__)

Solve = Callable[[str], str]
"""A line -> what it comes to; empty where it is no mathematics."""

KEY = "MIRRORENV_WOLFRAM_KEY"
ADDRESS = "MIRRORENV_WOLFRAM_ADDRESS"
_WOLFRAM = "https://api.wolframalpha.com"
_LONGEST = 120  # letters of a line
_LARGEST = 10**12
_POWER = 32
_SECONDS = 20
_MEMORY = 2 << 30
_FUNCTIONS = ("sin", "cos", "tan", "exp", "log", "sqrt")
_UNKNOWNS = ("x", "y", "z", "t", "a", "b", "c")
_ALLOWED = re.compile(r"[0-9a-z+\-*/^().=' ]+")
_OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
}


def with_mathematics(propose: Propose, solve: Solve) -> Propose:
    """Thoughts go on with what their last line comes to, where it is mathematics.

    Args:
        propose: gives the other children.
        solve: `by_sympy` or `by_wolfram`.
    """

    def proposed(text: bytes, most: int) -> Sequence[bytes]:
        line = text.decode("latin-1").rpartition("\n")[2]
        answer = solve(line)
        first = [text + b"\n" + answer.encode()] if answer else []
        return [*first, *propose(text, most)][:most]

    return proposed


def by_sympy(line: str) -> str:
    """Solve an equation (`x^2 = 4`), a differential one (`y'' = -y`), or simplify a term.

    Args:
        line: at most 120 letters; anything else is no mathematics.

    Returns:
        the result in SymPy's words; empty where there is none within 20 seconds.

    Raises:
        MissingExtraError: if SymPy is not installed.
    """
    require("sympy", "thoughts")
    if not _is_mathematics(line):
        return ""
    package = str(Path(mirrorenv.__file__).resolve().parents[1])
    code = "from mirrorenv.bytes.mathematics import main; main()"
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", code],
            input=json.dumps(line).encode(),
            capture_output=True,
            timeout=_SECONDS + 10,
            cwd="/",
            env={"PYTHONPATH": package, "PATH": os.defpath},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.decode(errors="replace").strip()[:1000] if done.returncode == 0 else ""


def by_wolfram(line: str) -> str:
    """Ask Wolfram Alpha, with the key in `MIRRORENV_WOLFRAM_KEY`.

    Args:
        line: at most 120 letters.

    Returns:
        its short answer; empty where it has none or is not reached, which is said in the log.

    Raises:
        ConfigError: if no key is set.
    """
    key = os.environ.get(KEY)
    if not key:
        raise ConfigError(f"Wolfram Alpha: set {KEY}, or use by_sympy, which needs no key")
    if not _is_mathematics(line):
        return ""
    asked = urllib.parse.urlencode({"appid": key, "i": line})
    address = f"{os.environ.get(ADDRESS, _WOLFRAM).rstrip('/')}/v1/result?{asked}"
    if not address.startswith(("http://", "https://")):
        raise ConfigError(f"{ADDRESS} must begin with http:// or https://")
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as answer:
            return str(answer.read(1000).decode(errors="replace")).strip()
    except (urllib.error.URLError, OSError) as error:
        why = f"status {error.code}" if isinstance(error, urllib.error.HTTPError) else "no answer"
        logger.warning("Wolfram Alpha: %s", why)  # the address would tell the key
        return ""


def _is_mathematics(line: str) -> bool:
    signs = any(sign in line for sign in "+-*/^=")
    return bool(len(line) <= _LONGEST and signs and _ALLOWED.fullmatch(line))


def main() -> None:
    """The child: one line in, one answer out."""
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    line = str(json.loads(sys.stdin.read(10_000)))
    try:
        print(_worked_out(line))
    except (ValueError, SyntaxError, NotImplementedError, ArithmeticError, TypeError):
        print("")


def _worked_out(line: str) -> str:
    import sympy

    derived = "'" in line
    left, equals, right = line.replace("^", "**").partition("=")
    term = _term(left, derived)
    if not equals:
        return str(sympy.simplify(term))
    equation = sympy.Eq(term, _term(right, derived))
    unknown = sympy.Function("y")(sympy.Symbol("x"))
    if derived:
        return str(sympy.dsolve(equation, unknown))
    free = sorted(equation.free_symbols, key=str) if hasattr(equation, "free_symbols") else []
    if not free:
        return str(equation)
    return f"{free[0]} = {sympy.solve(equation, free[0])}"


def _term(text: str, derived: bool) -> Any:
    """A SymPy term, built node by node. Where a line is `derived`, y is a function of x."""
    import sympy

    written = text.replace("y''", "y_two").replace("y'", "y_one").strip()
    names: dict[str, Any] = {name: sympy.Symbol(name) for name in _UNKNOWNS}
    function = sympy.Function("y")(names["x"])
    names |= {"y_one": function.diff(), "y_two": function.diff(names["x"], 2)}
    names |= {"pi": sympy.pi, "e": sympy.E}
    if derived:
        names["y"] = function
    return _built(ast.parse(written, mode="eval").body, names)


def _built(node: ast.expr, names: dict[str, Any]) -> Any:
    import sympy

    match node:
        case ast.Constant(value=int() | float() as value) if abs(value) <= _LARGEST:
            return sympy.Integer(value) if isinstance(value, int) else sympy.Float(value)
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_built(inner, names)
        case ast.BinOp(op=ast.Pow(), left=base, right=power):
            exponent = _built(power, names)
            if exponent.is_number and not abs(exponent) <= _POWER:
                raise ValueError(f"a power of {exponent}")
            return _built(base, names) ** exponent
        case ast.BinOp(op=operation, left=one, right=other) if type(operation) in _OPERATIONS:
            return _OPERATIONS[type(operation)](_built(one, names), _built(other, names))
        case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in _FUNCTIONS:
            return getattr(sympy, name)(_built(inner, names))
    raise ValueError("no arithmetic")
