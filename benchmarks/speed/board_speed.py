"""How long a leaderboard of many results takes to build, and its page to open.

    python benchmarks/speed/board_speed.py [--results 10000] [--seeds 1] [--json] [--smoke]

Invented results (no agent ever produced them) in as many folders, every file with its checksum.
"build" is `collect`, page and Markdown, in this process: reading every folder and hashing every
file included, starting Python not. "open" is the `load` event of the page in headless Chromium, its
script included, and "laid out" when style and layout are done as well, both since navigation
started, the best of five; they are left out where there is no Chromium. On a busy machine believe
the processor's seconds: those of the build, and those that Chromium needs for the page beyond an
empty one. Targets for 10,000 lines: built in 10 s, opened in 2 s.
"""

from __future__ import annotations

import hashlib
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np

from benchmarks.shared.runner import Script
from mirrorenv.results.board.board import collect, result_folders
from mirrorenv.results.board.page import board_page
from mirrorenv.results.board.text import markdown
from mirrorenv.results.folders.result_folder import write_result
from mirrorenv.results.folders.schema import Entry, Figure, Result
from tests.results.browser import ask, chromium

WORLDS = [f"mirrorenv/world{k}-v0" for k in range(8)]
FIGURES = ("top1", "information", "share", "limit", "return")


def template(folder: Path) -> dict[str, bytes]:
    """The files of one invented result."""
    figures = tuple(Figure(name=name, title=name.title(), better="high") for name in FIGURES)
    entry = Entry(condition="CONDITION", agents="trained")
    result = Result(
        kind="table",
        title="invented",
        world="WORLD",
        entries=(entry,),
        figures=figures,
        seeds=(987654,),
    )
    rows = {"entry": np.zeros(8, int), "seed": np.full(8, 987654), "episode": np.arange(8)}
    draws = np.random.default_rng(0).random((len(FIGURES), 8))
    write_result(folder, result, {"episodes": {**rows, **dict(zip(FIGURES, draws, strict=True))}})
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"
    }


def invent(root: Path, count: int, seeds: int) -> None:
    """That many result folders."""
    files = template(root / "template")
    for number in range(count):
        line, seed = divmod(number, seeds)
        words = {
            b"CONDITION": f"condition {line}".encode(),
            b"WORLD": WORLDS[line % len(WORLDS)].encode(),
        }
        words[b"987654"] = str(seed).encode()
        folder = root / "results" / f"{number:06d}"
        folder.mkdir(parents=True)
        entries = {}
        for name, data in sorted(files.items()):
            for old, new in words.items() if name.endswith(".json") else ():
                data = data.replace(old, new)
            (folder / name).write_bytes(data)
            entries[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        manifest = {"algorithm": "sha256", "files": entries}
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def build(root: Path) -> dict[str, Any]:
    """Seconds to build, bytes of the page."""
    out = root / "board.html"
    begun = time.perf_counter()
    used = time.process_time()
    sections = collect(result_folders([root / "results"]))
    read = time.perf_counter()
    out.write_text(board_page(sections, out), "utf-8")
    out.with_suffix(".md").write_text(markdown(sections, out), "utf-8")
    built = time.perf_counter()
    worked = time.process_time()
    return {
        "lines": sum(len(section.lines) for section in sections),
        "read_s": read - begun,
        "build_s": built - begun,
        "build_cpu_s": worked - used,
        "page_bytes": out.stat().st_size,
    }


def browse(root: Path, times: int) -> dict[str, float]:
    """Seconds to open the page (the best of that many), and of the processor beyond an empty page
    (their median)."""
    laid_out = "document.body.getBoundingClientRect();"  # style and layout of everything, now
    script = (
        f"const load = performance.now(); {laid_out} return [load / 1000, performance.now() / "
        "1000];"
    )
    out = root / "board.html"
    empty = root / "empty.html"
    empty.write_text("<!doctype html><html><body></body></html>")
    costs = []
    told = []
    for page in (empty, out) * times:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        told.append(ask(page, script, virtual=False))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    opened, laid = np.min(told[1::2], axis=0).tolist()
    return {
        "open_s": opened,
        "laid_out_s": laid,
        "open_cpu_s": float(np.median(costs[1::2]) - np.median(costs[::2])),
    }


def main() -> None:
    """Print the figures."""
    script = Script(__doc__, json=True, smoke={"results": 50})
    script.add_argument("--results", type=int, default=10_000)
    script.add_argument("--seeds", type=int, default=1, help="results that make one line")
    script.add_argument("--opens", type=int, default=5, help="how often the page is opened")
    options = script.parse()
    with tempfile.TemporaryDirectory() as folder:
        invent(Path(folder), options.results, options.seeds)
        found = {"results": options.results, **build(Path(folder))}
        print(
            f"{options.results:,} results, {found['lines']:,} lines, page of "
            f"{found['page_bytes'] / 1e6:.1f} MB"
        )
        read = f"{found['read_s']:.1f} s of it reading (target 10 s)"
        print(f"built in {found['build_s']:.1f} s, {read}")
        print(f"the processor worked for {found['build_cpu_s']:.1f} s of them", flush=True)
        if chromium():
            found |= browse(Path(folder), options.opens)
    script.save(found)
    if "open_s" in found:
        print(
            f"opened in {found['open_s']:.2f} s, laid out in {found['laid_out_s']:.2f} s (target 2 "
            "s)"
        )
        print(
            f"Chromium's processes worked {found['open_cpu_s']:.2f} s more than for an empty page"
        )
    else:
        print("no Chromium found: opening was not measured")


if __name__ == "__main__":
    main()
