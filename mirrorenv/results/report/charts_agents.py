"""Charts of a few episodes: where each agent goes, and one lineup as an observer saw it.

Shape legend: E episodes, N agents, T time, P dimensions of a place, K lineup slots.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from mirrorenv.envs.drawing.canvas import agent_colour
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.results.report.chart import Chart
from mirrorenv.results.report.plots import SMALL, canvas, grid, legend_of, short
from mirrorenv.results.report.shown import Shown
from mirrorenv.results.report.themes import Theme
from mirrorenv.results.report.words import counted, percent, steps

__all__ = ["letter", "lineup", "verdicts", "whereabouts"]

MOST_SLOTS = 8
_MOST_LANES = 24  # agents times choices that a grid of actions can show


def colour_of(agent: int) -> str:
    """The colour of an agent, the same as in the world's own pictures."""
    return "#{:02x}{:02x}{:02x}".format(*agent_colour(agent))


def letter(slot: int) -> str:
    """What a slot of a lineup is called: A, B, C, ..."""
    return chr(ord("A") + slot)


# -- where each agent goes -------------------------------------------------------------------------


def whereabouts(shown: Shown, when: str) -> Chart:
    """Where the agents go, or what they do where a world says nothing of places.

    Args:
        shown: the episodes.
        when: before or after training, in words.
    """
    episodes = counted(len(shown.actions), "episode")
    if shown.places is None:
        title = f"What each does, {when}"
        caption = (
            "Every agent has a band of its own colour, with time from left to right: "
            f"{_bands(shown)}. {_first_of(episodes)}"
        )
        return Chart(
            title, caption, _alt(shown, "what", when), lambda theme: _actions(theme, shown)
        )
    if shown.places.shape[3] == 1:
        caption = (
            f"{episodes}, drawn over each other: time from left to right, the place (as the agent "
            "itself sees it) upwards. One colour for each agent."
        )
        return Chart(
            f"Where each goes, {when}",
            caption,
            _alt(shown, "where", when),
            lambda theme: _places(theme, shown, _over_time),
        )
    caption = (
        f"{episodes}, drawn over each other: paths in the plane, a dot where they end. One colour "
        "for each agent."
    )
    return Chart(
        f"Where each goes, {when}",
        caption,
        _alt(shown, "where", when),
        lambda theme: _places(theme, shown, _path),
    )


def _first_of(episodes: str) -> str:
    return "" if episodes.startswith("1 ") else f"The first of {episodes}."


def _bands(shown: Shown) -> str:
    if shown.choices is None:
        return "the line is the first number of its action"
    if len(shown.agents) * shown.choices <= _MOST_LANES:
        return f"one row for each of {shown.choices} actions, filled where it was taken"
    return f"the line is the number of its action, 0 to {shown.choices - 1}"


def _alt(shown: Shown, what: str, when: str) -> str:
    names = ", ".join(shown.agents[:8]) + (" and others" if len(shown.agents) > 8 else "")
    return f"Picture of {what} {names} do {when}, after {steps(shown.env_steps)} training steps."


def _places(theme: Theme, shown: Shown, draw: Callable[..., None]) -> Figure:
    assert shown.places is not None
    figure, axes = canvas(theme)
    # small shifts, so that agents on one line are all seen
    spread = np.nanmax(shown.places) - np.nanmin(shown.places)
    for agent, name in enumerate(shown.agents):
        colour = colour_of(agent)
        shift = 0.012 * spread * (agent - (len(shown.agents) - 1) / 2)
        for episode, places in enumerate(shown.places[:, agent]):
            label = short(name, 14) if not episode else None
            draw(axes, places, shift, colour, label)
    axes.grid(color=theme.grid, linewidth=0.6)
    axes.set_axisbelow(True)
    if shown.places.shape[3] == 1:
        axes.set_xlabel("step of the episode", color=theme.muted, fontsize=SMALL)
    legend_of(figure, axes, theme, columns=4)
    return figure


def _over_time(axes: Any, places: Floats64, shift: float, colour: str, label: str | None) -> None:
    axes.plot(places[:, 0] + shift, color=colour, alpha=0.7, linewidth=1.5, label=label)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))


def _path(axes: Any, places: Floats64, shift: float, colour: str, label: str | None) -> None:
    x = places[:, 0] + shift
    y = places[:, 1] + shift
    axes.plot(x, y, color=colour, alpha=0.7, linewidth=1.4, label=label)
    seen = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if len(seen):
        axes.plot(x[seen[-1]], y[seen[-1]], "o", color=colour, markersize=4)
    axes.set_aspect("equal", adjustable="datalim")


def _actions(theme: Theme, shown: Shown) -> Figure:
    figure, axes = canvas(theme, height=max(2.2, 0.9 + 0.42 * min(len(shown.agents), 16)))
    count = min(len(shown.agents), 16)
    for agent in range(count):
        lane = count - 1 - agent
        lanes_of(axes, shown.actions[0, agent], shown, lane, colour_of(agent))
    axes.set_yticks(np.arange(count)[::-1] + 0.45, [short(one, 12) for one in shown.agents[:count]])
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.tick_params(axis="y", labelcolor=theme.ink)
    axes.set_ylim(-0.1, count)
    axes.margins(x=0.01)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.set_xlabel("step of the episode", color=theme.muted, fontsize=SMALL)
    return figure


def lanes_of(axes: Any, actions: Floats64, shown: Shown, lane: float, colour: str) -> None:
    """One agent's actions over time in a band from `lane` to `lane` + 0.9.

    Args:
        axes: of the picture.
        actions: (T,), NaN where it had finished.
        shown: whose actions have so many choices.
        lane: lower end of the band.
        colour: of the agent.
    """
    lived = np.isfinite(actions)
    axes.broken_barh([(0, len(actions))], (lane, 0.9), color=colour, alpha=0.10, linewidth=0)
    choices = shown.choices
    if choices is not None and len(shown.agents) * choices <= _MOST_LANES:
        height = 0.9 / choices
        for choice in range(choices):
            bars = [(float(t), 1.0) for t in np.flatnonzero(lived & (actions == choice))]
            axes.broken_barh(bars, (lane + choice * height, height), color=colour, linewidth=0)
        return
    low, high = _range(shown.actions)
    axes.plot(
        np.flatnonzero(lived) + 0.5,
        lane + 0.05 + 0.8 * (actions[lived] - low) / (high - low),
        color=colour,
        linewidth=1.2,
        drawstyle="steps-mid",
    )


def _range(values: Floats64) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    low = float(known.min())
    high = float(known.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


# -- one lineup as an observer saw it --------------------------------------------------------------


def verdicts(shown: Shown) -> list[tuple[int, int, float, bool]]:
    """What the observer said in the end: for each slot the agent it named, its true author, the
    belief in the named one, and whether that was right."""
    last = shown.belief[-1]
    named = shown.candidates[last.argmax(axis=1)]
    return [
        (int(who), int(author), float(row.max()), bool(who == author))
        for who, author, row in zip(named, shown.authors, last, strict=True)
    ]


def lineup(shown: Shown) -> Chart:
    """A lineup without names, and the observer's belief as it grows.

    Args:
        shown: the episodes; the first one's lineup is drawn.
    """
    found = verdicts(shown)[:MOST_SLOTS]
    observer = shown.agents[shown.observer]
    said = "; ".join(
        f"{letter(slot)} named {shown.agents[who]} with {percent(belief)}, "
        f"by {shown.agents[author]}"
        for slot, (who, author, belief, _) in enumerate(found)
    )
    caption = (
        f"What {observer} was shown of one episode: a trajectory in each row, grey because names "
        f"and colours are off. Beside it how {observer}'s belief grows step by step: the more of "
        "an agent's colour, the surer it is that this agent made it. The true author is written "
        "above."
    )
    return Chart(
        f"One lineup as {observer} saw it",
        caption,
        f"Lineup of {len(found)} trajectories with belief over time: {said}.",
        lambda theme: _lineup(theme, shown),
    )


def _lineup(theme: Theme, shown: Shown) -> Figure:
    found = verdicts(shown)[:MOST_SLOTS]
    figure, axes = grid(theme, rows=len(found), columns=2)
    for slot, (_, author, _, right) in enumerate(found):
        left, beside = axes[slot]
        _trajectory(left, shown, author, theme)
        _belief(beside, shown.belief[:, slot], shown.candidates.tolist())
        left.set_ylabel(letter(slot), rotation=0, labelpad=10, va="center", color=theme.ink)
        mark = "\N{CHECK MARK}" if right else "\N{MULTIPLICATION SIGN}"
        beside.set_title(
            f"{mark} {short(shown.agents[author], 16)}",
            loc="right",
            fontsize=SMALL,
            color=theme.ink,
            pad=3,
            parse_math=False,
        )
        if slot < len(found) - 1:
            left.set_xticklabels([])
            beside.set_xticklabels([])
    for axis in axes[-1]:
        axis.set_xlabel("step of the episode", color=theme.muted, fontsize=SMALL)
    handles = [
        Patch(color=colour_of(agent), label=short(shown.agents[agent], 14))
        for agent in shown.candidates[:MOST_SLOTS]
    ]
    legend_of(figure, axes[0][0], theme, columns=4, handles=handles)
    return figure


def _trajectory(axes: Any, shown: Shown, agent: int, theme: Theme) -> None:
    """What an observer is shown of one agent, in no agent's colour."""
    if shown.places is None:
        lanes_of(axes, shown.actions[0, agent], shown, 0.0, theme.muted)
        axes.set_ylim(-0.05, 0.95)
    elif shown.places.shape[3] == 1:
        axes.plot(shown.places[0, agent, :, 0], color=theme.muted, linewidth=1.6)
        axes.set_ylim(*_margin(shown.places))
    else:
        axes.plot(*shown.places[0, agent].T, color=theme.muted, linewidth=1.6)
        axes.set_xlim(*_margin(shown.places[..., 0]))
        axes.set_ylim(*_margin(shown.places[..., 1]))
        axes.set_xticks([])
    axes.set_yticks([])


def _margin(values: Floats64) -> tuple[float, float]:
    low, high = _range(values)
    room = 0.06 * (high - low)
    return low - room, high + room


def _belief(axes: Any, belief: Floats64, candidates: Sequence[int]) -> None:
    """Belief (T, K) in each candidate, stacked."""
    time = np.arange(1, len(belief) + 1)
    colours = [colour_of(agent) for agent in candidates]
    if len(belief) == 1:
        time, belief = np.array([0.5, 1.5]), np.repeat(belief, 2, axis=0)
    axes.stackplot(time, belief.T, colors=colours, linewidth=0)
    axes.set_ylim(0, 1)
    axes.margins(x=0)
    axes.set_yticks([0, 1], ["0 %", "100 %"])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
