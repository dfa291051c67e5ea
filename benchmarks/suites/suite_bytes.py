"""Runners of the suite `bytes`: agents that utter bytes, on the same board as everybody else.

`benchmarks/suites/suite.py bytes` runs them. What is measured: `benchmarks/studies/byte_agents.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.studies import byte_agents
from benchmarks.suites.suite_theory import write
from benchmarks.suites.suite_worlds import TOP1, scripted, trained
from mirrorenv.results.board.suite import SuiteRow
from mirrorenv.results.folders.schema import Entry, Figure, SuiteMark
from mirrorenv.rllib.settings import load_settings

Measure = Callable[[byte_agents.Trained, int], Mapping[str, float]]
_SMOKE = (
    "learning.episodes_per_iteration=8",
    "learning.minibatch_episodes=8",
    "learning.epochs=1",
)


def _share(name: str, title: str, about: str) -> Figure:
    return Figure(name=name, title=title, about=about, share=True, better="high")


KNOWN = (
    Figure(name="entropy", title="Entropy of a byte", about="nats; log 256 is 5.545"),
    Figure(name="spent", title="Spent", about="nats of each byte, log 256 - entropy", better="low"),
    TOP1,
    _share("limit.top1", "Limit, top-1", "of the exact limit"),
    Figure(name="limit.information", title="Limit (nats)", about="of the exact limit"),
    Figure(
        name="closed_form",
        title="One trajectory, at most",
        about="nats, min(log N, M (log 256 - H)); the limit reads a whole lineup",
    ),
)
PAST = (
    _share("past_top1", "Past self", "policies half way that today's policy finds its own"),
    _share("present_top1", "Present self", "the same of today's trajectories"),
)
EVEN = (
    _share("evenness", "Evenness", "H of the calls over log 16, mean over programs"),
    _share("best", "Best", "of all programs"),
    _share("reached", "Reach a call", "share of programs"),
)
TRACES = (
    _share("trace_top1", "Known by traces", "episodes given to their author from traces alone"),
    Figure(
        name="own_trace",
        title="Own against others",
        about="nats a step that an agent expects its own traces better than others'",
        better="high",
    ),
    Figure(
        name="byte_information",
        title="A byte tells",
        about="nats, less those of shuffled names",
        better="high",
    ),
    Figure(name="identity_p", title="p, identity bytes", about="permutation of names"),
    Figure(
        name="chance_p", title="p, not chance", about="largest of the agents, against uniform bytes"
    ),
)


def _runner(figures: tuple[Figure, ...], measure: Measure) -> Any:
    """Trains with the row's `settings` and measures."""

    def run(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
        torch.set_num_threads(1)
        (seed,) = seeds
        overrides = list(row.arguments["settings"])
        if mark.smoke:
            overrides += [*_SMOKE, "total_steps=16"]
        made = byte_agents.learn([f"world={row.world}", *overrides], seed)
        found = measure(made, 8 if mark.smoke else row.arguments["episodes"])
        entry = Entry(condition=row.arguments["condition"], agents="trained")
        write(row, mark, folder, figures, [(entry, {seed: _column(found)})])

    return run


def search(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """The best of as many uniform programs as training draws."""
    (seed,) = seeds
    settings = load_settings(overrides=[f"world={row.world}", *row.arguments["settings"]])
    found = byte_agents.random_search(
        settings, 1024 if mark.smoke else row.arguments["programs"], seed
    )
    entry = Entry(condition=row.arguments["condition"], agents="random search")
    write(row, mark, folder, EVEN, [(entry, {seed: _column(found)})])


def _column(found: Mapping[str, float]) -> dict[str, Any]:
    return {name: np.array([value]) for name, value in found.items()}


RUNNERS = {
    "scripted": scripted,
    "trained": trained,
    "known": _runner(KNOWN, byte_agents.known),
    "past": _runner(PAST, byte_agents.past_self),
    "evenness": _runner(EVEN, byte_agents.evenness_of),
    "traces": _runner(TRACES, byte_agents.traces_of),
    "search": search,
}
