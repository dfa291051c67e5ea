"""What happens to real runs: each fault is injected into a small training run, and the run is
judged by what it leaves.

    python benchmarks/proofs/fault_table.py [--only NAME] [--quick] [--json FILE]

Rows of other faults that are in FILE already are kept.

Survived: the run came to its end with samples in every iteration, and said what happened; where it
was started again, it ended as an uninterrupted run does, bit for bit. Stopped: it ended with an
error of ours that names what it must (environment, agent, step, remedy). Silent: anything else.
Prints a Markdown table; exit code 1 if a fault was silent or did not do what it should. The faults
are those of `tests/faults`, which the tests go through as well.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import _root  # noqa: F401

from benchmarks.shared.runner import ROOT, Script, machine, say

os.environ.setdefault("RAY_worker_niceness", "0")

# the faults are part of the tests, which are no installed package
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ray

from tests.faults.judging import measure
from tests.faults.table import RUN_FAULTS

_WIDTH = 180  # of a message in the printed table; the file has all of it


def main() -> int:
    """Let everything happen and print the table."""
    script = Script(__doc__, json=True)
    script.add_argument("--only", help="faults whose name contains this")
    script.add_argument(
        "--quick", action="store_true", help="only those that take no process of their own"
    )
    options = script.parse()
    chosen = [
        f for f in RUN_FAULTS if (options.only or "") in f.name and not (options.quick and f.slow)
    ]
    ray.init(
        address="local",
        num_cpus=8,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    rows: list[dict[str, Any]] = []
    for fault in chosen:
        with tempfile.TemporaryDirectory(prefix="mr", ignore_cleanup_errors=True) as place:
            row = measure(fault, Path(place))
            row["message"] = row["message"].replace(place, "RUNS").replace(str(ROOT), ".")
        rows.append(row)
        say(f"{row['outcome']:9} {row['seconds']:6.1f} s  {row['kind']}")
    ray.shutdown()
    rows = _kept(options.json, rows)
    where = {**machine(), "ray": ray.__version__}
    script.save({"benchmark": "fault_table", **where, "counts": _counts(rows), "rows": rows})
    print(
        "| kind | injected | outcome | seconds | first line of the message |\n|---|---|---|---|---|"
    )
    for row in rows:
        print(
            "| {kind} | {where} | {outcome} | {seconds:.1f} | {text} |".format(
                **row, text=_short(row)
            )
        )
    counts = ", ".join(f"{count} {outcome}" for outcome, count in _counts(rows).items())
    print(f"\n{len(rows)} kinds: {counts}")
    return int(any(row["outcome"] != row["wanted"] for row in rows))


def _counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    counts = Counter(row["outcome"] for row in rows)
    return {outcome: counts[outcome] for outcome in ("survived", "stopped", "silent")}


def _kept(file: str | None, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the file, those measured now in their places; faults that are no more are left
    out."""
    path = Path(file or "-")
    old = json.loads(path.read_text("utf-8"))["rows"] if path.exists() else []
    known = {row["kind"]: row for row in [*old, *rows]}
    return [known[fault.name] for fault in RUN_FAULTS if fault.name in known]


def _short(row: dict[str, Any]) -> str:
    text = (
        row["message"]
        .replace("mirrorenv.testing.", "")
        .replace("tests.faults.", "")
        .replace("|", "\\|")
    )
    text = text if len(text) <= _WIDTH else f"{text[:_WIDTH].rsplit(' ', 1)[0]} ..."
    return (f"{text} ({row['why']})" if row["why"] else text) or "(nothing to say)"


if __name__ == "__main__":
    sys.exit(main())
