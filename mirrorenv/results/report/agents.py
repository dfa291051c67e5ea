"""The part of a report that shows the agents: what world this is, and what they do in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mirrorenv.envs import spec
from mirrorenv.envs.adhoc import is_adhoc
from mirrorenv.errors import MirrorError
from mirrorenv.results.report.charts_agents import (
    MOST_SLOTS,
    colour_of,
    letter,
    lineup,
    verdicts,
    whereabouts,
)
from mirrorenv.results.report.page import data_uri, figure
from mirrorenv.results.report.shown import TIMES, Film, Shown, Time, read_shown
from mirrorenv.results.report.templates import Html, render
from mirrorenv.results.report.words import percent, steps
from mirrorenv.results.runs.run_folder import RunFolder

__all__ = ["OF_AGENTS", "agents_section", "shown_of"]

COLOURS = "Colours are the agents', as below: no observer sees them."
DRAWN = "Drawn by the environment itself, in its own colours."
_WHEN: dict[Time, str] = {"before": "before training", "after": "at the end"}

OF_AGENTS = ("agents_before", "agents_after", "lineup")
"""File names of its pictures."""


def shown_of(run: RunFolder) -> dict[Time, Shown]:
    """The episodes that a run kept, by time."""
    found = ((time, read_shown(run.path, time)) for time in TIMES)
    return {time: shown for time, shown in found if shown is not None}


def agents_section(run: RunFolder, shown: Mapping[Time, Shown]) -> Html:
    """The world in a sentence, the agents at work, and one lineup as an observer saw it.

    Args:
        run: the run; its charts are put among its pictures, too.
        shown: from :func:`shown_of`.
    """
    if not shown:
        return _without(run)
    last = shown[list(shown)[-1]]
    names = [
        {"name": name, "colour": colour_of(agent)} for agent, name in enumerate(last.agents[:16])
    ]
    ours = not is_adhoc(str(run.config.get("world")))
    films = [
        _film(one.film, one, _WHEN[time], ours=ours)
        for time, one in shown.items()
        if one.film is not None
    ]
    drawn = {f"agents_{time}": whereabouts(one, _WHEN[time]) for time, one in shown.items()}
    drawn["lineup"] = lineup(last)
    return render(
        "mirrorenv.results.report",
        "agents.html",
        about=last.about,
        facts=last.facts,
        agents=names,
        notes=[] if films or not last.no_film else [f"There is no animation: {last.no_film}."],
        films=films,
        charts=[figure(one, run.plots_path / f"{name}.png") for name, one in drawn.items()],
        observer=last.agents[last.observer],
        verdicts=_said(last),
    )


def _without(run: RunFolder) -> Html:
    """What can be said where no episodes were kept."""
    return render(
        "mirrorenv.results.report",
        "agents.html",
        about=_registered(run.config.get("world")),
        facts=(),
        agents=(),
        notes=["This run kept no episodes to look at: 'mirrorenv train' keeps some."],
        films=(),
        charts=(),
        verdicts=(),
    )


def _registered(world: object) -> str:
    """The description of a registered world; what names code is not looked at."""
    if not isinstance(world, str) or is_adhoc(world):
        return ""
    try:
        return spec(world).description
    except MirrorError:
        return ""


def _film(film: Film, shown: Shown, when: str, *, ours: bool) -> dict[str, Any]:
    width, height = film.size
    trained = f"After {steps(shown.env_steps)} training steps" if shown.env_steps else "Untrained"
    return {
        "title": f"An episode {when}",
        "animation": data_uri("gif", film.animation),
        "strip": data_uri("png", film.strip),
        "alt": f"Animation of an episode of {len(shown.agents)} agents {when}.",
        "caption": f"{trained}. {COLOURS if ours else DRAWN}",
        "width": width,
        "height": height,
    }


def _said(shown: Shown) -> list[str]:
    """What the observer named, slot by slot."""
    said = []
    for slot, (named, author, belief, right) in enumerate(verdicts(shown)[:MOST_SLOTS]):
        was = "right" if right else f"wrong, it was {shown.agents[author]}"
        said.append(f"{letter(slot)} is {shown.agents[named]} ({percent(belief)} sure): {was}")
    return said
