"""What a set of arms leaves: `set.json`, and a page with the arms side by side."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from mirrorenv.debate.arms import BASE
from mirrorenv.debate.scoring.figures import FIGURES
from mirrorenv.debate.scoring.paired import EVERYBODY, PAIRED, differences
from mirrorenv.debate.scoring.results import Results
from mirrorenv.mirror import Estimate
from mirrorenv.mirror.intervals import TextStyle
from mirrorenv.results.report.chart import Chart
from mirrorenv.results.report.page import (
    Cell,
    details,
    document,
    figure,
    header,
    paragraph,
    pictures,
    section,
    table,
)
from mirrorenv.results.report.plots import Dots, Level, dot_plot
from mirrorenv.results.report.templates import Html, render
from mirrorenv.results.report.words import DASH, counted
from mirrorenv.results.runs.files import atomic_write_json, atomic_write_text

__all__ = ["SetPage", "set_rows", "set_table", "write_set"]

SET = "set.json"
_CHANGE = TextStyle(lambda value: f"{round(value, 3) + 0.0:+.3f}")  # no "-0.000"


@dataclass(frozen=True)
class SetPage:
    """What was written.

    Attributes:
        path: of the page.
        table: as in `set.json`.
    """

    path: Path
    table: dict[str, Any]


def write_set(folder: Path, results: Mapping[str, Results]) -> SetPage:
    """Write `set.json` and `index.html`.

    Args:
        folder: of the set.
        results: by name of the arm, the base first.
    """
    found = set_table(results)
    atomic_write_json(folder / SET, found)
    links = {name: os.path.relpath(one.path, folder) for name, one in results.items()}
    return SetPage(atomic_write_text(folder / "index.html", _page(found, links)), found)


def set_table(results: Mapping[str, Results]) -> dict[str, Any]:
    """What stands in `set.json`.

    Args:
        results: by name of the arm, the base first.

    Returns:
        `name`, `seed`, `games` by arm, `calls` (those `paid`, those that as many folders would have
        taken `apart`, the `share`), and for each of `arms` its `changes` and `readers`: by
        reader and figure `base`, `arm`, and the difference `over_games` and `over_topics`.
    """
    base = results[BASE]
    totals = [one.log.totals for one in results.values()]
    paid = sum(one.paid for one in totals)
    apart = paid + sum(one.saved for one in totals)
    if not apart:  # scripted players, who cost nothing
        paid = sum(one.calls for one in totals)
        apart = paid + sum(one.taken for one in totals)
    arms = {name: _arm(base, arm) for name, arm in results.items() if name != BASE}
    return {
        "name": base.tournament.name,
        "seed": base.tournament.seed,
        "games": {name: one.finished for name, one in results.items()},
        "calls": {"paid": paid, "apart": apart, "share": paid / apart if apart else 1.0},
        "arms": arms,
    }


def _arm(base: Results, arm: Results) -> dict[str, Any]:
    """What an arm changes: in the rules, and in the figures of each reader."""
    rules = base.tournament.settings.model_dump(mode="json")
    own = arm.tournament.settings.model_dump(mode="json")
    readers: dict[str, dict[str, Any]] = {}
    for reader, figures in differences(base, arm).items():
        readers[reader] = {figure: one.to_dict() for figure, one in figures.items()}
    changes = {name: value for name, value in own.items() if value != rules[name]}
    return {"changes": changes, "readers": readers}


def set_rows(found: Mapping[str, Any], which: str = "peer_hits") -> list[list[str]]:
    """A row for each arm: games, base, arm, and the difference over games and over topics.

    Args:
        found: as :func:`set_table` returns it.
        which: the figure, of all players together.
    """
    rows = []
    for name, arm in found["arms"].items():
        one = _of_all(arm, which)
        cells = [DASH] * 4 if one is None else _cells(one)
        rows.append([name, str(found["games"][name]), *cells])
    return rows


def _of_all(arm: Mapping[str, Any], figure: str) -> Mapping[str, Any] | None:
    """A figure of all players together; None if no game says it."""
    found: Mapping[str, Any] | None = arm["readers"].get(EVERYBODY, {}).get(figure)
    return found


def _estimate(part: Mapping[str, Any]) -> Estimate:
    known = Estimate.from_dict(part)
    return known if known is not None else Estimate(float("nan"))


def _cells(one: Mapping[str, Any]) -> list[str]:
    changes = [_estimate(one[part]).text(_CHANGE) for part in ("over_games", "over_topics")]
    return [f"{one['base']:.3f}", f"{one['arm']:.3f}", *changes]


def _page(found: Mapping[str, Any], links: Mapping[str, str]) -> str:
    calls = found["calls"]
    games = found["games"]
    lead = (
        f"{counted(games[BASE], 'game')} of the base. {calls['paid']:,} calls paid; as many "
        f"folders would have taken {calls['apart']:,}: {calls['share']:.2f}."
    )
    columns = ["arm", "games", "base", "arm", "difference over games", "over topics"]
    arms = found["arms"].values()
    known = [name for name in PAIRED if any(map(_of_all, arms, repeat(name)))]
    tables = [
        table(columns, set_rows(found, name), FIGURES[name].head.capitalize()) for name in known
    ]
    said = (
        "Arm minus base on the same texts, the mean over the players of a game. The first interval "
        "counts games: what other games on these topics would give. The second counts topics: what "
        "these players would give on others. Both are 95 % t intervals of the difference."
    )
    note = (
        "All arms read the texts of the base: they were written under the rules of the base, "
        "whatever readers know here."
    )
    opened = _filled("arms.html", arms=[_link(name, found, links) for name in games])
    return document(
        f"Set: {found['name']}",
        header(found["name"], _headline(found), "mirrorenv debate set", lead=lead),
        section("Side by side", *_chart(found), *tables[:1], paragraph(note, "note"), lead=said),
        section("Other figures", details("Of all players", *tables[1:])),
        section("Reader by reader", *(_readers(*one) for one in found["arms"].items())),
        section("Arms", opened, lead="Each is a run folder with pages of its own."),
    )


def _filled(name: str, **data: object) -> Html:
    return render("mirrorenv.debate.output", name, **data)


def _link(name: str, found: Mapping[str, Any], links: Mapping[str, str]) -> tuple[str, str, str]:
    """Address, name and rules of an arm."""
    arm = found["arms"].get(name)
    changes = {} if arm is None else arm["changes"]
    told = ", ".join(f"{key} = {value}" for key, value in changes.items())
    return f"{links[name]}/index.html", name, told or "the tournament as its file says"


def _headline(found: Mapping[str, Any]) -> list[str]:
    """What is shown and what is not, in sentences."""
    said = []
    for name, arm in found["arms"].items():
        one = _of_all(arm, "peer_hits")
        if one is None:
            said.append(f"{name} has no finished game yet.")
            continue
        change = _estimate(one["over_games"])
        moved = f"from {one['base']:.2f} to {one['arm']:.2f}"
        if not change.bounded:
            said.append(f"{name}: peer hits go {moved} in a single game.")
        elif change.low > 0 or change.high < 0:
            said.append(f"{name} changes peer hits {moved}.")
        else:
            said.append(f"{name} is not shown to change peer hits ({moved}).")
    return said


def _chart(found: Mapping[str, Any]) -> list[Html]:
    known = {
        name: arm["readers"][EVERYBODY]["peer_hits"]
        for name, arm in found["arms"].items()
        if arm["readers"]
    }
    if not known:
        return []
    groups = [
        _dots("games as clusters", [_estimate(one["over_games"]) for one in known.values()], True),
        _dots("topics as clusters", [_estimate(one["over_topics"]) for one in known.values()]),
    ]
    told = "; ".join(f"{name} {one['over_games']['value']:+.3f}" for name, one in known.items())
    chart = Chart(
        "What each arm changes",
        "Peer hits of an arm minus those of the base on the same texts, mean over players, with "
        "95 % intervals. The dotted line is no change.",
        f"Dot plot of differences in peer hits: {told}.",
        lambda theme: dot_plot(
            theme,
            list(known),
            groups,
            x_label="peer hits, arm minus base",
            level=Level("same", 0.0),
        ),
    )
    return [pictures([figure(chart)])]


def _dots(label: str, changes: list[Estimate], first: bool = False) -> Dots:
    def ends(name: str) -> Any:
        return np.array([getattr(one, name) if one.bounded else np.nan for one in changes])

    value = np.array([one.value for one in changes])
    colour = "learned" if first else "other"
    return Dots(label, value, ends("low"), ends("high"), filled=first, colour=colour)


def _readers(name: str, arm: Mapping[str, Any]) -> Html:
    rows: list[list[Cell]] = []
    for reader, figures in arm["readers"].items():
        cells: list[Cell] = [reader]
        for which in PAIRED:
            one = figures.get(which)
            cells.append(DASH if one is None else _change(one))
        rows.append(cells)
    columns = ["reader", *(FIGURES[which].head for which in PAIRED)]
    return details(f"{name}: every reader", table(columns, rows, "Arm minus base, over games"))


def _change(one: Mapping[str, Any]) -> Cell:
    change = _estimate(one["over_games"])
    return _CHANGE.number(change.value), change.interval_text(_CHANGE).strip()
