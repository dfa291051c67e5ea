"""A document of any kind at its largest takes less than a gigabyte, or is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GIGABYTE = 1 << 30
READ = {
    "toml": "from mirrorenv.strict import gather; gather([path], (), {}, 'a=1')",
    "yaml": "from mirrorenv.strict import gather; gather([path], (), {}, 'a=1')",
    "json": "from mirrorenv.strict import gather; gather([path], (), {}, 'a=1')",
    "jsonl": "from mirrorenv.results.runs.json_lines import read_jsonl; read_jsonl(path)",
    "pcap": "from mirrorenv.bytes.pcap import read_packets; read_packets(path)",
    "shown": "from mirrorenv.results.report.shown import read_shown; "
    "read_shown(path.parent, 'after')",
}
HEAD = b"\xd4\xc3\xb2\xa1" + bytes(20)
BOMBS: dict[str, tuple[str, bytes]] = {
    "tables": ("toml", b"[[a]]\n" * (1 << 21)),
    "numbers": ("toml", b"a = [" + b"0," * (1 << 22) + b"]"),
    "inline tables": ("toml", b"a = [" + b"{}," * (1 << 21) + b"]"),
    "dotted": ("toml", b"a" + b".a" * 100_000 + b" = 1"),
    "a list": ("yaml", b"- a\n" * (1 << 21)),
    "merges": ("yaml", b"a: &a {x: 1}\nb:\n" + b"  <<: *a\n" * 200_000),
    "lists as settings": ("json", b"[" + b"[]," * (1 << 20) + b"[]]"),
    "rows": ("jsonl", b'{"a":[1,2]}\n' * 6_000_000),
    "lists": ("jsonl", b'{"a":[' + b"[]," * 3_900_000 + b"[]]}\n"),
    "empty packets": ("pcap", HEAD + bytes(16) * 1_000_000),
    "episodes": ("shown", b'{"agents":[' + b'"a",' * 5_000_000 + b'"a"]}'),
}

MEASURE = """
import os, sys
child = os.fork()
if child == 0:
    os.execv(sys.executable, [sys.executable, "-c", sys.argv[1], *sys.argv[2:]])
_, status, used = os.wait4(child, 0)
print(used.ru_maxrss, os.waitstatus_to_exitcode(status))
"""
BEGIN = """
import sys
from pathlib import Path
path = Path(sys.argv[1])
from mirrorenv.errors import MirrorError
try:
    {}
except (MirrorError, RecursionError):
    pass
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are measured as Linux says them")
@pytest.mark.parametrize("name", BOMBS)
def test_it_takes_less_than_a_gigabyte(name: str, tmp_path: Path) -> None:
    kind, data = BOMBS[name]
    path = tmp_path / f"a.{kind}"
    if kind == "shown":
        (tmp_path / "episodes").mkdir()
        path = tmp_path / "episodes" / "after.json"
    path.write_bytes(data)
    given = tmp_path / "episodes" if kind == "shown" else path
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, BEGIN.format(READ[kind]), str(given)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    peak, code = map(int, ran.stdout.split())
    assert code == 0, ran.stderr
    assert peak << 10 < GIGABYTE
