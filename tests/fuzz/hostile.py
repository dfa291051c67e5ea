"""What somebody hostile, or a broken disk, puts where we expect something: values, texts, bytes."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

NUMBERS = [
    0,
    -1,
    1,
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    -(2**63) - 1,
    10**12,
    10**30,
    10**400,
    1e308,
    -0.0,
    0.5,
    1e-320,
]
TEXTS = [
    "",
    " ",
    "x" * 300,
    "y" * 5000,
    "\ud800",
    "x\ud800y",
    "\x00",
    "\x1b[2J\x1b]0;t\x07",
    "a\nb",
    "\u202e",
    "../../..",
    "/dev/full",
    "os:system",
    "2024-99-99",
    "NaN",
    "{}",
    "[" * 100,
    "é" * 200,
    "mirrorenv/ants-v0",
    "ants-v0",
]
VALUES = [
    None,
    True,
    False,
    *NUMBERS,
    *TEXTS,
    [],
    {},
    [[]],
    [None] * 3,
    [1, "a", None],
    {"a": 1},
    {"": {}},
    [[1, 2], [3]],
    {"value": None},
    [0.5] * 5,
    {"value": "x", "low": {}, "high": []},
]

# whole documents that are hard on a parser
JSON_TEXTS = [
    "",
    "{",
    "[]",
    "null",
    '"x"',
    "[" * 3000,
    '{"a":' * 3000,
    '{"a": 1, "a": 2}',
    '{"a": NaN}',
    '{"a": ' + "9" * 5000 + "}",
    '{"a": 1e999}',
    '{"a": "\\ud800"}',
    "\ufeff{}",
    '{"a": 1} x',
    '{"a": .5}',
    "[" + "[]," * 1_100_000 + "[]]",
]
TOML_TEXTS = [
    "",
    "a",
    "a = " + "[" * 3000 + "]" * 3000,
    "a = " + "{a=" * 3000,
    "a." * 3000 + "b = 1",
    "a = " + "9" * 5000,
    "a = 2024-99-99",
    "a = 24:61:00",
    "a = 1e999999999",
    "a = nan",
    "a = inf",
    "a = 0x" + "f" * 5000,
    'a = "\\ud800"',
    'a = "\\U00110000"',
    "[a]\n[a]",
    "a = 1\na = 2",
    "a = '\x00'",
    "[[" + "a." * 2000 + "b]]",
    "a = 9999-12-31T23:59:60Z",
    "a = 1979-05-27T00:32:00+99:99",
]
YAML_TEXTS = [
    "",
    "a",
    "- [" * 1000,
    "a: " + "[" * 3000 + "]" * 3000,
    "a: " + "{a: " * 3000,
    "a: " + "9" * 5000,
    "a: 2024-99-99",
    "a: !!timestamp x",
    "a: !!bool x",
    "a: !!int x",
    "a: !!float x",
    "a: !!binary x",
    "a: !!python/object/apply:os.system [true]",
    "a: !!set {b}",
    "a: !!omap [b]",
    "a: !!pairs [b]",
    "a: *x",
    "a: &x [*x]",
    "&a [*a, *a]",
    "a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
    "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
    "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n"
    "h: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]\ni: [*h,*h,*h,*h,*h,*h,*h,*h,*h]",
    "<<: x",
    "<<: [1]",
    "? [a]\n: b",
    "? {a: b}\n: c",
    "1: 2",
    "null: 1",
    "a: 0b" + "1" * 20000,
    "a: 1:60:60:60" + ":59" * 3000,
    "a: .inf",
    "a: 0o9",
    "%YAML 9.9\n---\na: 1",
    "a: 'x",
    "\tb: 1",
    "a: \x00",
    "a: 1979-05-27T00:32:00+99:99",
    "a: 2001-02-30",
    "2024-01-01: 1",
    "- a\n- b",
    "a: |\n\x85",
    "=: 1",
    "a: =",
]


def json_values() -> st.SearchStrategy[Any]:
    """Hostile values, and trees of them."""
    leaf = st.sampled_from(VALUES) | st.integers() | st.floats() | st.text(max_size=8)
    keys = st.sampled_from(TEXTS[:8]) | st.text(max_size=5)
    return st.recursive(
        leaf,
        lambda part: st.lists(part, max_size=3) | st.dictionaries(keys, part, max_size=3),
        max_leaves=5,
    )


def texts(corpus: list[str]) -> st.SearchStrategy[str]:
    """Whole hard documents, and short ones of any letters."""
    letters = "[]{}:,\"'=#&*!|>-\n ab01.\t\\"
    return st.sampled_from(corpus) | st.text(letters, max_size=60) | st.text(max_size=20)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a tree."""
    found = [at] if at else []
    if isinstance(value, dict):
        for key, part in value.items():
            found += places(part, (*at, key))
    elif isinstance(value, list):
        for index, part in enumerate(value[:3]):
            found += places(part, (*at, index))
    return found


def changed(tree: Any, number: int, value: Any, how: int) -> Any:
    """A tree with one thing replaced (how 0, 1), taken out (2), or a twin beside it (3)."""
    tree = json.loads(json.dumps(tree))
    spots = places(tree)
    if not spots:
        return value
    *way, last = spots[number % len(spots)]
    holder = tree
    for step in way:
        holder = holder[step]
    if how == 2:
        del holder[last]
    elif how == 3 and isinstance(holder, dict):
        holder[f"{last}2"] = value
    else:
        holder[last] = value
    return tree


def broken(data: bytes, number: int, piece: bytes, how: int) -> bytes:
    """Bytes cut short (how 0), with a piece put in (1), over (2) or twice (3), or a bit turned."""
    at = number % max(1, len(data))
    if how == 0:
        return data[:at]
    if how == 1:
        return data[:at] + piece + data[at:]
    if how == 2:
        return data[:at] + piece + data[at + len(piece) :]
    if how == 3:
        return data[:at] + data[at // 2 :]
    turned = bytearray(data or b"\0")
    turned[at] ^= 1 << (number % 8)
    return bytes(turned)
