"""Run a suite: its cost first, then every piece that has no result yet.

    python benchmarks/suites/suite.py theory [--smoke] [--out benchmarks/results/theory]
        [--part 1/4] [--only orbit] [--cost]

A suite is a file in `benchmarks/suites`. Each of its rows is run with all of its seeds, in pieces
that are result folders: `OUT/<row>/all` where one call makes all seeds, else `OUT/<row>/seed0`
and so on. A piece whose result is there and of this very suite is not run again, so the same
command goes on after anything that stopped it. A whole result of another version of the suite, or
of a smoke run, is replaced only with `--replace`. `--part k/n` splits the pieces over days or
machines, and `--ray-address` over the cores of a Ray cluster. `--add-weights` trains pieces that
were recorded without their weights again and adds these, see `add_weights.py`. Afterwards:
`mirrorenv board check OUT` and `mirrorenv board build OUT`.
"""

from __future__ import annotations

import argparse
import importlib
import shlex
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import _root  # noqa: F401

from benchmarks.shared.runner import Script
from benchmarks.suites.add_weights import add_weights, lacks_weights
from mirrorenv.errors import ConfigError, MirrorError, ResultError
from mirrorenv.results.board.suite import Suite, SuiteRow, load_suite
from mirrorenv.results.folders.schema import Result, SuiteMark, read_result
from mirrorenv.results.folders.verify import check_files

HERE = Path(__file__).resolve().parent
Runner = Callable[[SuiteRow, "tuple[int, ...]", SuiteMark, Path], None]
"""(row, seeds, mark, folder) -> writes a result folder. With a smoke mark it does as little as
shows that it works."""


class Piece(NamedTuple):
    """Something that runs by itself."""

    row: SuiteRow
    seeds: tuple[int, ...]
    folder: Path

    @property
    def seconds(self) -> float:
        """Estimated, of one core."""
        return self.row.seconds * len(self.seeds) / self.row.seeds


def pieces_of(
    suite: Suite, out: Path, only: str, part: tuple[int, int], smoke: bool
) -> list[Piece]:
    """The pieces of this part, seeds outermost, so that what is there when time runs out is
    balanced."""
    pieces = []
    for row in suite.rows:
        if not any(name.strip() in f"{row.row}/" for name in only.split(",")):
            continue
        made = [Piece(row, seeds, out / row.row / name) for name, seeds in row.pieces()]
        pieces += made[:1] if smoke else made
    if not pieces:
        raise ConfigError(
            f"--only {only!r}: no row of '{suite.name}' has such a name; --cost lists them"
        )
    pieces.sort(key=lambda piece: piece.seeds[0])
    return pieces[part[0] - 1 :: part[1]]


def held(folder: Path) -> Result | None:
    """The whole result in a folder, if there is one."""
    try:
        check_files(folder)
        return read_result(folder)
    except MirrorError:
        return None


def is_done(piece: Piece, mark: SuiteMark) -> bool:
    """Whether the folder holds a whole result of this piece."""
    found = held(piece.folder)
    return found is not None and found.suite == mark and (mark.smoke or found.seeds == piece.seeds)


def refuse_to_replace(pieces: list[Piece]) -> None:
    """Days of somebody's work may lie where a piece would go."""
    for piece in pieces:
        if (found := held(piece.folder)) is not None:
            mark = found.suite
            kind = (
                "of no suite"
                if mark is None
                else f"of '{mark.name}' {mark.version}, hash {mark.hash[:12]}"
            )
            smoke = ", a smoke run" if mark is not None and mark.smoke else ""
            raise ConfigError(
                f"{piece.folder} holds a whole result {kind}{smoke}: choose another --out, or "
                "--replace it"
            )


def cost_table(suite: Suite, pieces: list[Piece], done: list[Piece]) -> str:
    """What the rows cost and what is left to do."""
    lines = [f"{suite.title}: suite {suite.name}, version {suite.version}, hash {suite.hash[:12]}"]
    for row in suite.rows:
        mine = [piece for piece in pieces if piece.row == row]
        if mine:
            left = sum(piece.seconds for piece in mine if piece not in done)
            lines.append(
                f"  {row.row:28} {row.seeds:3} seeds {row.seconds / 60:7.1f} min, left "
                f"{left / 60:7.1f}"
            )
    left = sum(piece.seconds for piece in pieces if piece not in done)
    lines.append(
        f"whole suite {suite.seconds / 60:.1f} minutes of one core; left to do here {left / 60:.1f}"
    )
    return "\n".join(lines)


def runner_of(suite: Suite, name: str) -> Runner:
    """A function of `benchmarks/suites/suite_<name>.py`, listed in its RUNNERS."""
    found: dict[str, Runner] = importlib.import_module(
        f"benchmarks.suites.suite_{suite.name.replace('-', '_')}"
    ).RUNNERS
    return found[name]


def run(suite: Suite, options: Any) -> int:
    """Run what is left; returns how many pieces were run."""
    pieces = pieces_of(suite, options.out, options.only, options.part, options.smoke)
    done = [piece for piece in pieces if is_done(piece, suite.mark(piece.row.row, options.smoke))]
    print(cost_table(suite, pieces, done), flush=True)
    if options.smoke:
        print("a smoke run takes a small share of that")
    if options.cost:
        return 0
    left = [piece for piece in pieces if piece not in done]
    if not options.replace:
        refuse_to_replace(left)
    for number, (piece, seconds) in enumerate(made(suite, left, options), start=1):
        print(f"{number}/{len(left)} {piece.folder}: {seconds:.1f} s", flush=True)
    where = shlex.join([str(options.out), "--suites", str(_beside(HERE))])
    print(f"next  mirrorenv board build {where} --out board.html")
    if not options.smoke:
        print(f"      mirrorenv board check {where}")
    return len(left)


def complete(suite: Suite, options: Any) -> int:
    """Add the weights to recorded pieces that have none; returns how many were trained again."""
    pieces = []
    for piece in pieces_of(suite, options.out, options.only, options.part, smoke=False):
        found = held(piece.folder)
        if found is not None and found.suite == suite.mark(piece.row.row) and lacks_weights(found):
            pieces.append(piece)
    refused: list[Piece] = []
    seconds = sum(piece.seconds for piece in pieces)
    print(f"{len(pieces)} to train again, about {seconds / 60:.1f} minutes of one core", flush=True)
    for number, piece in enumerate(pieces, start=1):
        begun = time.process_time()
        runner = runner_of(suite, piece.row.runner)
        train = partial(runner, piece.row, piece.seeds, suite.mark(piece.row.row))
        try:
            weights = add_weights(piece.folder, train, options.proofs).weights
        except ResultError as error:  # the others can still be proved
            refused.append(piece)
            print(f"{number}/{len(pieces)} refused: {error}", flush=True)
            continue
        kept = f"{weights.bytes:,} bytes, {'held' if weights.held else 'hash'}" if weights else ""
        spent = time.process_time() - begun
        print(f"{number}/{len(pieces)} {piece.folder}: {kept}, {spent:.1f} CPU s", flush=True)
    if refused:
        raise ResultError(f"{len(refused)} of {len(pieces)} came out otherwise; see above")
    return len(pieces)


def made(suite: Suite, pieces: list[Piece], options: Any) -> Iterator[tuple[Piece, float]]:
    """Run pieces, here or on Ray: each as it ends, and the seconds it took."""
    if options.ray_address and pieces:
        # only here: Ray is slow to import
        from benchmarks.suites.suite_ray import spread

        yield from spread(suite, pieces, options.smoke, options.ray_address)
        return
    for piece in pieces:
        begun = time.perf_counter()
        mark = suite.mark(piece.row.row, options.smoke)
        runner_of(suite, piece.row.runner)(piece.row, piece.seeds, mark, piece.folder)
        yield piece, time.perf_counter() - begun


def _beside(path: Path) -> Path:
    """The path as it is best typed here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _part(text: str) -> tuple[int, int]:
    try:
        k, n = (int(one) for one in text.split("/"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write it as k/n, for example 1/4") from None
    if not 1 <= k <= n:
        raise argparse.ArgumentTypeError(f"{text!r}: k runs from 1 to n")
    return k, n


def _given(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return text


def _path(text: str) -> Path:
    return Path(_given(text))


def main() -> None:
    """Parse, print the cost, run."""
    script = Script(__doc__, smoke={})
    known = sorted(path.stem for path in (HERE).glob("*.toml"))
    script.add_argument("suite", choices=known)
    script.add_argument(
        "--out", type=_path, help="folder of the results (default: runs/suites/<suite>[-smoke])"
    )
    script.add_argument(
        "--part",
        type=_part,
        default=(1, 1),
        metavar="K/N",
        help="every n-th piece from the k-th on",
    )
    script.add_argument(
        "--only",
        type=_given,
        default="/",
        help="rows whose name contains one of a,b/; / is its end",
    )
    script.add_argument(
        "--replace", action="store_true", help="replace results of another suite or of a smoke run"
    )
    ray = (
        "run the pieces side by side on the Ray cluster at this address; auto: this machine's, "
        "local: these cores"
    )
    script.add_argument("--ray-address", type=_given, metavar="ADDRESS", help=ray)
    script.add_argument(
        "--add-weights",
        action="store_true",
        help="train recorded pieces without weights again and add these where all is the same",
    )
    script.add_argument(
        "--proofs", type=_path, help="with --add-weights: note there what retraining proved"
    )
    script.add_argument("--cost", action="store_true", help="print the cost and run nothing")
    options = script.parse()
    options.out = options.out or Path("runs/suites") / (
        options.suite + ("-smoke" if options.smoke else "")
    )
    if options.add_weights and (options.smoke or options.cost or options.ray_address):
        script.error("--add-weights goes with --out, --only, --part and --proofs")
    if options.proofs and not options.add_weights:
        script.error("--proofs goes with --add-weights")
    try:
        work = complete if options.add_weights else run
        work(load_suite(HERE / f"{options.suite}.toml"), options)
    except MirrorError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
