"""Write what rows of suites say about themselves: conditions, titles, directions, kinds of agents;
and the settings that they leave out.

    python benchmarks/suites/pins.py [benchmarks/results]

`mirrorenv board check` compares every submission with these pins. They are taken from the results
that lie in the folder, which must be ours; a row without a result here has none, and the check says
so.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import _root  # noqa: F401

from benchmarks.shared.runner import Script
from mirrorenv.results.board.binding import FREE, leaves, words_of
from mirrorenv.results.board.board import result_folders
from mirrorenv.results.folders.schema import read_result
from mirrorenv.rllib.settings import RunSettings

HERE = Path(__file__).resolve()
BOARD = HERE.parents[2] / "mirrorenv" / "results" / "board"
PINS = BOARD / "row_pins.json"
DEFAULTS = BOARD / "run_defaults.json"


def pins_of(folder: Path) -> dict[str, dict[str, list[str]]]:
    """Suite hash -> row -> SHA-256 of its words, each once."""
    found: dict[str, dict[str, set[str]]] = {}
    suites = {path.stem for path in HERE.parent.glob("*.toml")}
    for one in result_folders(sorted(path for path in folder.iterdir() if path.name in suites)):
        result = read_result(one)
        if result.suite is not None and not result.suite.smoke:
            rows = found.setdefault(result.suite.hash, {})
            rows.setdefault(result.suite.row, set()).add(words_of(result))
    return {
        suite: {row: sorted(words) for row, words in sorted(rows.items())}
        for suite, rows in sorted(found.items())
    }


def defaults() -> dict[str, Any]:
    """Settings of a run that no one set, by dotted name, without those that decide nothing."""
    held = RunSettings(world="none").model_dump(mode="json")
    return {name: value for name, value in leaves(held) if not name.startswith(FREE)}


def main() -> None:
    """Read the folder, write the pins."""
    script = Script(__doc__)
    script.add_argument("folder", type=Path, nargs="?", default=HERE.parents[1] / "results")
    options = script.parse()
    PINS.write_text(json.dumps(pins_of(options.folder), indent=1) + "\n", "utf-8")
    DEFAULTS.write_text(json.dumps(defaults(), indent=1) + "\n", "utf-8")
    print(PINS, DEFAULTS)


if __name__ == "__main__":
    main()
