"""Is a submission fit for the board? One line says what is wrong with it.

A submission is a folder under `benchmarks/results/`: one result folder, or one folder that holds
all of a suite's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mirrorenv.errors import ResultError
from mirrorenv.results.board.binding import check_binding, evidence_digest
from mirrorenv.results.board.board import result_folders
from mirrorenv.results.board.suite import Suite, SuiteRow
from mirrorenv.results.folders.proof import Proved, Prover
from mirrorenv.results.folders.schema import Figure, Result, read_result
from mirrorenv.results.folders.verify import verify_result

__all__ = ["CheckedRow", "Submission", "check_submission"]


@dataclass(frozen=True)
class CheckedRow:
    """What was found of the results of one row.

    Attributes:
        name: suite and row; the folder for a result of no suite.
        results: how many.
        proved: how far all of them were proved.
        unchecked: what could not be checked of one or more of them, in words.
    """

    name: str
    results: int
    proved: Proved
    unchecked: tuple[str, ...]


@dataclass(frozen=True)
class Submission:
    """What was checked.

    Attributes:
        folders: result folders.
        unchecked: what could not be checked, in words, and of how many folders.
        suites: name and version of the suites they belong to.
        absent: rows of these suites without a result, with their estimated seconds; they are
            allowed.
        rows: the same, row by row.
        proved: how far each folder was proved.
    """

    folders: tuple[Path, ...]
    unchecked: tuple[tuple[str, int], ...]
    suites: tuple[str, ...]
    absent: tuple[tuple[str, float], ...]
    rows: tuple[CheckedRow, ...]
    proved: Mapping[Path, Proved]


def check_submission(
    path: Path,
    suites: Mapping[str, Suite],
    *,
    world: str | None = None,
    provers: Sequence[Prover] = (),
    config_reader: Callable[[Result], None] = lambda result: None,
) -> Submission:
    """Check every result folder at or below a path: schema, manifest, recomputed scores, suite
    hash, seeds.

    Args:
        path: the submission.
        suites: by name, from `find_suites`.
        world: name of a world that is code, see `verify_result`.
        provers: who looks further, see `verify_result`.
        config_reader: reads configurations, see `verify_result`.

    Raises:
        ResultError: at the first thing that is wrong.
    """
    folders = result_folders([path])
    seeds: dict[tuple[str, str], dict[int, Path]] = {}
    found: dict[str, list[tuple[Path, Proved, tuple[str, ...]]]] = {}
    described: dict[tuple[str, ...], tuple[Path, Figure]] = {}
    digests: dict[str, Path] = {}
    for folder in folders:
        verified = verify_result(folder, world=world, provers=provers, config_reader=config_reader)
        result = read_result(folder)
        if result.suite is None:
            found[str(folder)] = [(folder, verified.proved, verified.unchecked)]
            continue
        row = _row(folder, result, suites)
        _as_described(folder, result, row)
        _figures_agree(folder, result, described)
        bound = check_binding(folder, result, suites[result.suite.name], row)
        found.setdefault(f"{result.suite.name}, {row.row}", []).append(
            (folder, verified.proved, (*verified.unchecked, *bound))
        )
        _different(folder, result, digests)
        held = seeds.setdefault((result.suite.name, row.row), {})
        for seed in result.seeds:
            if seed in held:
                raise ResultError(
                    f"{folder} and {held[seed]} both hold seed {seed} of row '{row.row}'; give one"
                )
            held[seed] = folder
    for (name, row_name), held in seeds.items():
        _all_seeds(path, next(row for row in suites[name].rows if row.row == row_name), held)
    names = sorted({name for name, _ in seeds})
    absent = [
        (f"{name}, {row.row}", row.seconds)
        for name in names
        for row in suites[name].rows
        if (name, row.row) not in seeds
    ]
    unchecked: Counter[str] = Counter()
    for checked in found.values():
        for _, _, reasons in checked:
            unchecked.update(reasons)
    return Submission(
        tuple(folders),
        tuple(unchecked.most_common()),
        tuple(f"{name} {suites[name].version}" for name in names),
        tuple(absent),
        tuple(_row_of(name, checked) for name, checked in found.items()),
        {folder: level for checked in found.values() for folder, level, _ in checked},
    )


def _row_of(name: str, checked: Sequence[tuple[Path, Proved, tuple[str, ...]]]) -> CheckedRow:
    """What holds for all results of a row."""
    reasons: dict[str, None] = {}
    for _, _, said in checked:
        reasons |= dict.fromkeys(said)
    return CheckedRow(name, len(checked), min(level for _, level, _ in checked), tuple(reasons))


def _row(folder: Path, result: Result, suites: Mapping[str, Suite]) -> SuiteRow:
    """The row of the suite that a result says it is of.

    Raises:
        ResultError: if it is a smoke run, or the suite or the row is not what it was made with.
    """
    mark = result.suite
    assert mark is not None
    if mark.smoke:
        raise ResultError(
            f"{folder} is a smoke run of '{mark.name}', which only shows that it works; run it "
            "without --smoke"
        )
    if mark.name not in suites:
        known = ", ".join(sorted(suites)) or "none"
        raise ResultError(
            f"{folder} belongs to suite '{mark.name}', which is not here (here: {known}); name its "
            "folder: --suites"
        )
    suite = suites[mark.name]
    if (mark.version, mark.hash) != (suite.version, suite.hash):
        raise ResultError(
            f"{folder} was made with suite '{mark.name}' version {mark.version}, hash "
            f"{mark.hash[:12]}; here it is "
            f"version {suite.version}, hash {suite.hash[:12]}: another suite, run it again"
        )
    row = next((row for row in suite.rows if row.row == mark.row), None)
    if row is None:
        raise ResultError(f"{folder} is row '{mark.row}', which suite '{mark.name}' does not have")
    if result.world != row.world:
        raise ResultError(f"{folder} is of {result.world}, but row '{row.row}' is of {row.world}")
    return row


def _as_described(folder: Path, result: Result, row: SuiteRow) -> None:
    """Where the row's arguments name a condition, they also say the world's options and what its
    return is beside."""
    asked = row.arguments
    if "condition" not in asked:
        return
    settings = asked.get("settings", {})  # of some rows: overrides in words
    within = settings.get("world_options", {}) if isinstance(settings, Mapping) else {}
    options = asked.get("options", within)
    references = {"return": dict(asked["reference"])} if "reference" in asked else {}
    for entry in result.entries:
        said = {name: one.model_dump() for name, one in entry.references.items()}
        for what, mine, theirs in (
            ("the condition", entry.condition, asked["condition"]),
            ("the world's options", result.world_options, options),
            ("what it is compared with", said, references),
        ):
            if mine != theirs:
                raise ResultError(
                    f"{folder}: {what}: says {mine!r}, but row '{row.row}' says {theirs!r}"
                )


def _figures_agree(
    folder: Path, result: Result, described: dict[tuple[str, ...], tuple[Path, Figure]]
) -> None:
    """A figure means the same in all of a suite, and its seeds are put together in one way within a
    row."""
    mark = result.suite
    assert mark is not None
    for figure in result.figures:
        for key, meaning in (
            ((mark.name, figure.name), ("better", "share", "of")),
            ((mark.name, mark.row, figure.name), ("over_seeds",)),
        ):
            where, first = described.setdefault(key, (folder, figure))
            for what in meaning:
                if (one := getattr(figure, what)) != (other := getattr(first, what)):
                    raise ResultError(
                        f"{folder}: '{figure.name}', {what}: says {one!r}, but {where} says "
                        f"{other!r}"
                    )


def _different(folder: Path, result: Result, digests: dict[str, Path]) -> None:
    """No two runs, trained apart, do and believe the very same, nor have the same weights."""
    digest = evidence_digest(folder)
    found = {} if digest is None else {digest: "the same steps and the same evidence"}
    if result.weights is not None:
        found[result.weights.sha256] = "the same weights"
    for key, what in found.items():
        other = digests.setdefault(key, folder)
        if other != folder:
            raise ResultError(f"{folder} and {other} hold {what}: two runs never do")


def _all_seeds(path: Path, row: SuiteRow, held: Mapping[int, Path]) -> None:
    asked = row.all_seeds
    missing = sorted(set(asked) - held.keys())
    extra: Sequence[int] = sorted(held.keys() - set(asked))
    if missing:
        shown = ", ".join(str(seed) for seed in missing[:8]) + (", ..." if len(missing) > 8 else "")
        raise ResultError(
            f"{path}: row '{row.row}' lacks seed {shown} of {row.seeds}; a row counts with all its "
            "seeds, good or bad"
        )
    if extra:
        raise ResultError(
            f"{held[extra[0]]}: row '{row.row}' has seeds {asked[0]} to {asked[-1]}, and this is "
            f"seed {extra[0]}"
        )
