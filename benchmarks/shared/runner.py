"""What every script of `benchmarks/` needs besides its measurement.

A script says what it is in its docstring, names its options, and leaves the rest to `Script`: help,
seeds, a smoke run, one thread, where the result goes, and how much time is left.

    def main() -> None:
        script = Script(__doc__, json=True, smoke={"episodes": 20})
        script.add_argument("--episodes", type=int, default=1000)
        options = script.parse()
        row = measure(options.episodes)
        print(f"{row['value']:.2f}")
        script.save({"benchmark": "mine", **machine(), "row": row})

What is printed is for people. `--json` alone puts one JSON object on stdout, and the printed
lines on stderr; `--json FILE` writes the object to a file, whole or not at all.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import numpy as np

from mirrorenv.errors import MirrorError
from mirrorenv.results import atomic_write_text

__all__ = ["ROOT", "Progress", "Script", "load_recipe", "machine", "say"]

ROOT = Path(__file__).resolve().parents[2]
"""The project's root: `training`, `benchmarks` and `tests` lie there."""


class Script(argparse.ArgumentParser):
    """The options of a script, and what it does with its result.

    Args:
        about: the script's docstring; `--help` prints it as it stands.
        json: adds `--json [FILE]` for `save`.
        seed: adds `--seed` with this default.
        seeds: adds `--seeds`, how many, with this default.
        smoke: adds `--smoke`, which sets these options. An empty mapping adds the switch alone.
        minutes: adds `--minutes`; `options.until` is then the moment (`time.monotonic`) after
            which nothing new begins.
        threads: of torch, where the script has imported it: small tensors are faster on one, and
            numbers are the same on every machine. None leaves torch alone.
    """

    def __init__(
        self,
        about: str | None,
        *,
        json: bool = False,
        seed: int | None = None,
        seeds: int | None = None,
        smoke: Mapping[str, object] | None = None,
        minutes: bool = False,
        threads: int | None = 1,
    ) -> None:
        super().__init__(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
        self._smoke = smoke
        self._threads = threads
        self._minutes = minutes
        self._result = sys.stdout
        self._json: str | None = None
        if seeds is not None:
            self.add_argument(
                "--seeds", type=int, default=seeds, help=f"how many seeds (default {seeds})"
            )
        if seed is not None:
            self.add_argument(
                "--seed", type=int, default=seed, help=f"of everything drawn (default {seed})"
            )
        if smoke is not None:
            self.add_argument(
                "--smoke", action="store_true", help="as small as can be: does it run at all?"
            )
        if minutes:
            self.add_argument(
                "--minutes", type=float, default=1e6, help="begin nothing new after so many"
            )
        if json:
            self.add_argument(
                "--json",
                nargs="?",
                const="-",
                metavar="FILE",
                help="print one JSON object to stdout, or write it to FILE",
            )

    def parse(self, words: Sequence[str] | None = None) -> argparse.Namespace:
        """The options, a smoke run's applied.

        Args:
            words: of the command line; those of this process if not given.
        """
        options = self.parse_args(words)
        sys.excepthook = _said
        if self._smoke and options.smoke:
            for name, value in self._smoke.items():
                setattr(options, name, value)
        if self._minutes:
            options.until = time.monotonic() + 60 * options.minutes
        if self._threads is not None and "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(self._threads)
        self._json = getattr(options, "json", None)
        if self._json == "-":
            sys.stdout = sys.stderr
        return options

    def save(self, content: Any, *, so_far: bool = False) -> None:
        """Put the result where `--json` says; without it, nowhere.

        Args:
            content: what `json.dumps` takes.
            so_far: there is more to come: a file holds what there is, stdout waits for the whole.
        """
        if self._json == "-":
            if so_far:
                return
            print(json.dumps(content), file=self._result, flush=True)
        elif self._json is not None:
            atomic_write_text(Path(self._json), json.dumps(content, indent=1) + "\n")


def _said(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """What went wrong on purpose says so itself; a traceback is for the unexpected."""
    if isinstance(error, MirrorError):
        say(f"error: {error}")
    else:
        sys.__excepthook__(kind, error, where)


class Progress:
    """Says on stderr how far a script is and how long the rest may take.

    Args:
        total: pieces of work, all taken to be equally long.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.finished = 0
        self._begun = time.monotonic()

    def done(self, what: str) -> None:
        """One more piece is finished."""
        self.finished += 1
        minutes = (time.monotonic() - self._begun) / 60
        left = minutes / self.finished * (self.total - self.finished)
        say(f"{self.finished}/{self.total}, {minutes:.1f} min, about {left:.1f} left: {what}")


def say(line: str) -> None:
    """A line about the run itself, on stderr."""
    print(line, file=sys.stderr, flush=True)


def machine() -> dict[str, str]:
    """Where a figure was measured: architecture, Python and NumPy."""
    return {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def load_recipe(name: str) -> ModuleType:
    """A script of `training/`, which holds no package, as a module.

    Args:
        name: of the file, without `.py`.
    """
    path = ROOT / "training" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
