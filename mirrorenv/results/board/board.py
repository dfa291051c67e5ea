"""From many result folders to the lines of a leaderboard.

A line is a condition in a world, all its seeds together. Lines stand in one section only if they
are rows of the same suite of the same version and hash; results that belong to no suite stand
apart, by kind. Within a section, lines that differ in anything but the seed (settings, budget) are
different lines.

A line of several seeds shows intervals over seeds; a line of one shows the interval within that
run, marked as such, and is not ranked.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mirrorenv.errors import ResultError
from mirrorenv.mirror import Estimate
from mirrorenv.results.board.proofs import Noted, proved_as
from mirrorenv.results.board.settings_names import settings_key
from mirrorenv.results.board.suite import Suite, SuiteRow
from mirrorenv.results.folders.proof import Proved
from mirrorenv.results.folders.result_folder import is_result, read_scores
from mirrorenv.results.folders.schema import Entry, Figure, Reference, Result, read_result
from mirrorenv.results.folders.verify import check_files
from mirrorenv.results.runs.json_values import number
from mirrorenv.results.stats.estimates import OverSeeds, WithinRun, over_seeds, tied_groups

__all__ = ["Cell", "Line", "Section", "collect", "result_folders"]

HEADLINE = (
    "learned.top1",
    "learned.information",
    "learned.efficiency",
    "limit.information",
    "return",
)
MOST_COLUMNS = 6


class Cell(NamedTuple):
    """A figure of a line, and what it is compared with."""

    found: OverSeeds | WithinRun
    reference: Reference | None

    @property
    def estimate(self) -> Estimate:
        """Value and interval; which kind of interval is the type of `found`."""
        return self.found.estimate


@dataclass(frozen=True)
class Line:
    """A line of the board.

    Attributes:
        world: id and options, in words.
        condition: what was done.
        agents: kind of agent.
        seeds: that were run.
        cells: figure -> what was found; a figure no one has is absent.
        folder: of the first seed.
        links: words -> path relative to it, or https address.
        proved: how far all of its seeds were proved, by the proofs the builder gave.
        group: its place among the lines of the same world, shared by all that may be equal; None if
            it is not ranked.
        settings: a short hash of everything but the seed.
        exact: there is no chance in it.
        asked: how many seeds its row of the suite has, if more than are there; such a line is in no
            group.
    """

    world: str
    condition: str
    agents: str
    seeds: tuple[int, ...]
    cells: Mapping[str, Cell]
    folder: Path
    links: Mapping[str, str]
    settings: str
    exact: bool = False
    asked: int | None = None
    group: int | None = None
    proved: Proved = Proved.FILES


@dataclass(frozen=True)
class Section:
    """Lines that may be compared.

    Attributes:
        title: in words.
        about: what a reader must know.
        figures: columns, the most telling first.
        primary: the figure by which lines are grouped.
        lines: in order.
        smoke: of smoke runs, which are no results.
    """

    title: str
    about: str
    figures: tuple[Figure, ...]
    primary: str
    lines: tuple[Line, ...]
    smoke: bool = False


@dataclass
class _Draft:
    """What the folders hold of one line."""

    result: Result
    entry: Entry
    # seed -> figure -> value and interval
    found: dict[int, dict[str, Any]] = field(default_factory=dict)
    folders: dict[int, Path] = field(default_factory=dict)
    proved: list[Proved] = field(default_factory=list)


def result_folders(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Every result folder at or below the paths, sorted.

    Raises:
        ResultError: if a path does not exist or holds none.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if is_result(path):
            here = [path]
        else:
            below = sorted(one.parent for one in path.rglob("result.json"))
            here = [one for one in below if not _hidden(one.relative_to(path))]
        if not here:
            raise ResultError(
                f"{path} holds no result folder; 'mirrorenv results export RUN' makes one"
            )
        found |= dict.fromkeys(here)
    return list(found)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def collect(
    folders: Sequence[Path],
    suites: Mapping[str, Suite] | None = None,
    *,
    check: bool = True,
    proofs: Mapping[str, Noted] | None = None,
) -> list[Section]:
    """Read result folders and put them in order.

    Args:
        folders: from `result_folders`.
        suites: by name, for titles and columns; results of a suite that is not among them are shown
            all the same.
        check: compare every file with its manifest first.
        proofs: how far folders were proved, from `read_proofs`.

    Raises:
        ResultError: if a folder is damaged, or two hold the same seed of the same line.
    """
    sections: dict[tuple[str, ...], dict[tuple[str, ...], _Draft]] = {}
    for folder in folders:
        if check:
            check_files(folder)
        result = read_result(folder)
        lines = sections.setdefault(_section_key(result, suites or {}), {})
        proved = proved_as(folder, result, proofs or {})
        rows = read_scores(folder)
        if not rows:
            raise ResultError(f"{folder}: scores.json holds no row; export the result again")
        for row in rows:
            _add(lines, result, folder, row, proved)
    return [
        _section(key, list(lines.values()), suites or {}) for key, lines in sorted(sections.items())
    ]


def _section_key(result: Result, suites: Mapping[str, Suite]) -> tuple[str, ...]:
    """What must be equal for two results to share a table: suite, version, hash, and the table
    within the suite."""
    if result.suite is None:
        return "~", result.kind
    mark = result.suite
    suite = _suite(result, suites)
    tables = list(dict.fromkeys(row.table for row in suite.rows)) if suite else []
    # in the order of the suite
    place = f"{tables.index(_table(result, suites)):04d}" if suite else "~"
    return mark.name, f"{mark.version:09d}", mark.hash, "smoke" if mark.smoke else "", place


def _table(result: Result, suites: Mapping[str, Suite]) -> str:
    row = _row(result, suites)
    return row.table if row is not None else ""


def _row(result: Result, suites: Mapping[str, Suite]) -> SuiteRow | None:
    """The row of a known suite."""
    suite = _suite(result, suites)
    rows = suite.rows if suite is not None else ()
    return next(
        (row for row in rows if result.suite is not None and row.row == result.suite.row), None
    )


def _add(
    lines: dict[tuple[str, ...], _Draft],
    result: Result,
    folder: Path,
    row: Mapping[str, Any],
    proved: Proved,
) -> None:
    entry = next(
        (e for e in result.entries if (e.condition, e.agents) == (row["condition"], row["agents"])),
        None,
    )
    seed = row["seed"]
    figures = row["figures"]
    if entry is None or seed not in result.seeds or not isinstance(figures, dict):
        raise ResultError(
            f"{folder}: scores.json has a row that belongs to no entry and seed of result.json"
        )
    key = (_world(result), entry.condition, entry.agents, settings_key(result))
    draft = lines.setdefault(key, _Draft(result, entry))
    if seed in draft.found:
        raise ResultError(
            f"{draft.folders[seed]} and {folder} are both seed {seed} of '{entry.condition}'; give "
            "one"
        )
    draft.found[seed] = figures
    draft.folders[seed] = folder
    draft.proved.append(proved)


def _world(result: Result) -> str:
    options = " ".join(f"{name}={value}" for name, value in sorted(result.world_options.items()))
    return f"{result.world} {options}".strip()


def _section(key: tuple[str, ...], drafts: list[_Draft], suites: Mapping[str, Suite]) -> Section:
    first = drafts[0].result
    figures = _columns(drafts, _suite(first, suites))
    suite = _suite(first, suites)
    row = _row(first, suites)
    lines = [_line(draft, figures, _row(draft.result, suites)) for draft in drafts]
    wanted = (row.primary if row else "") or (suite.primary if suite else None)
    primary = next((one for one in figures if one.name == wanted), figures[0])
    ranked = _ranked(lines, primary)
    if first.suite is None:
        return Section(
            f"Results outside of suites: {first.kind}", _OUTSIDE, figures, primary.name, ranked
        )
    mark = first.suite
    title = _table(first, suites) or (suite.title if suite else mark.name)
    name = f"{title} ({mark.name}, version {mark.version})"
    about = (
        f"{suite.about if suite else 'This suite, or this row of it, is not known here.'} Suite "
        f"hash {mark.hash[:12]}."
    )
    if mark.smoke:
        name = f"{name}, smoke run"
        about = f"{_SMOKE} {about}"
    return Section(name, about.strip(), figures, primary.name, ranked, mark.smoke)


_OUTSIDE = (
    "These lines come from settings of their own: read them one by one rather than against each "
    "other."
)
_SMOKE = "A smoke run only shows that everything works: these are no results."


def _suite(result: Result, suites: Mapping[str, Suite]) -> Suite | None:
    if result.suite is None:
        return None
    known = suites.get(result.suite.name)
    if known is None or known.hash != result.suite.hash:
        return None
    return known if any(row.row == result.suite.row for row in known.rows) else None


def _columns(drafts: Sequence[_Draft], suite: Suite | None) -> tuple[Figure, ...]:
    """What is shown, the most telling first."""
    held = {figure.name: figure for draft in reversed(drafts) for figure in draft.result.figures}
    wanted = suite.figures if suite else HEADLINE
    chosen = [held[name] for name in wanted if name in held]
    return tuple(chosen or list(held.values())[:MOST_COLUMNS])


def _line(draft: _Draft, figures: Sequence[Figure], row: SuiteRow | None) -> Line:
    seeds = tuple(sorted(draft.found))
    smoke = draft.result.suite is not None and draft.result.suite.smoke
    whole = row is None or smoke or draft.entry.exact or len(seeds) >= row.seeds
    own = {figure.name: figure for figure in draft.result.figures}
    wanted = [own[figure.name] for figure in figures if figure.name in own]
    cells: dict[str, Cell] = {}
    for figure in wanted:
        cell = _cell(draft, figure, seeds)
        if cell is not None:
            cells[figure.name] = cell
    return Line(
        world=_world(draft.result),
        condition=draft.entry.condition,
        agents=draft.entry.agents,
        seeds=seeds,
        cells=cells,
        folder=draft.folders[seeds[0]],
        links=draft.result.links,
        settings=settings_key(draft.result),
        exact=draft.entry.exact,
        asked=None if whole or row is None else row.seeds,
        proved=min(draft.proved),
    )


def _cell(draft: _Draft, figure: Figure, seeds: Sequence[int]) -> Cell | None:
    """Over seeds if the line has several, within the run if it has one; None without a figure."""
    reference = draft.entry.references.get(figure.name)
    values: dict[int, float] = {}
    for seed in seeds:
        value = _value(draft.found[seed].get(figure.name))
        if value is not None:
            values[seed] = value
    if not values:
        return None
    if len(seeds) > 1:
        missing = [seed for seed in seeds if seed not in values]
        pooled = over_seeds(values, how=figure.over_seeds, share=figure.share, missing=missing)
        return Cell(pooled, reference)
    (seed,) = seeds
    return Cell(WithinRun(_within_run(draft.found[seed][figure.name]), seed), reference)


def _value(held: Any) -> float | None:
    return number(held.get("value")) if isinstance(held, dict) else None


def _within_run(held: Mapping[str, Any]) -> Estimate:
    """A figure of `scores.json`; an end that is null is unknown."""
    low = number(held.get("low"))
    high = number(held.get("high"))
    return Estimate(
        value=float(held["value"]),
        low=-math.inf if low is None else low,
        high=math.inf if high is None else high,
        n=int(number(held.get("episodes")) or 1),
        method="within one run",
    )


def _ranked(lines: Sequence[Line], primary: Figure) -> tuple[Line, ...]:
    """Lines by world, ranked by the primary figure where its direction is known; then by value."""
    groups: dict[int, int] = {}
    worlds: dict[str, dict[str, OverSeeds]] = {}
    for index, line in enumerate(lines):
        cell = line.cells.get(primary.name)
        if (
            cell is not None
            and isinstance(cell.found, OverSeeds)
            and cell.estimate.n > 1
            and line.asked is None
        ):
            worlds.setdefault(line.world, {})[str(index)] = cell.found
    for cells in worlds.values() if primary.better != "neither" else ():
        better: Literal["high", "low"] = "low" if primary.better == "low" else "high"
        for place, group in enumerate(tied_groups(cells, better=better), start=1):
            groups |= {int(index): place for index in group}
    sign = 1.0 if primary.better == "low" else -1.0

    def key(index: int) -> tuple[Any, ...]:
        line = lines[index]
        cell = line.cells.get(primary.name)
        value = sign * cell.estimate.value if cell and primary.better != "neither" else 0.0
        return line.world, groups.get(index, len(lines) + 1), value, line.condition

    return tuple(
        replace(lines[index], group=groups.get(index))
        for index in sorted(range(len(lines)), key=key)
    )
