"""Runners of the suite `observers` for agents that are not as they were: strangers, and marks.

And what an agent that knows its own policy knows of itself.
"""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np

from benchmarks.shared.populations import (
    limit_of,
    population_at_half,
    replayed,
)
from benchmarks.shared.readers import (
    Floats,
    Recording,
    Trunk,
    reader_evidence,
    score,
    trained_reader,
)
from benchmarks.studies.mark_test import (
    MARKS,
    area,
    best_scores,
    favourites,
    own_policy,
    play_marked,
    readings,
)
from benchmarks.suites.reading_rows import (
    READING,
    Setting,
    _figures,
    together,
)
from benchmarks.suites.suite_theory import Measured, write
from mirrorenv.mirror import Belief
from mirrorenv.population.population import Population
from mirrorenv.results.board.suite import SuiteRow
from mirrorenv.results.folders.schema import Entry, Figure, SuiteMark

AREAS = tuple(
    Figure(
        name=mark.name,
        title=f"{'Noise' if mark.kind == 'noise' else 'Favourite action masked,'} "
        f"{mark.strength:.0%}",
        about="area under the curve of hits against false alarms, mean over agents; 0.5 is chance",
        share=True,
        better="high",
    )
    for mark in MARKS
)
SELF = (
    Figure(
        name="self_advantage",
        title="Self-advantage",
        about="own recognition minus how well others know me, each read alone; 0 where nothing is "
        "privileged",
        better="high",
    ),
    Figure(
        name="self_dprime",
        title="Self d'",
        about="sensitivity of saying 'mine'; 0 at chance",
        better="high",
    ),
)


def strangers(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """Observers that learned one population are shown another: as they are, after enrolment, and
    trained on.

    The names mean nothing to the second population, so as they are, observers can only guess.
    """
    ask = Setting.of(row, seeds, mark)
    population, other = (population_at_half(ask.case, seed) for seed in (ask.seed, ask.seed + 1000))
    past = ask.record(population, "past")
    test = ask.record(population, "test")
    new_past, new_test = (ask.record(other, part, ask.seed + 1000) for part in ("past", "test"))
    known = limit_of(test)
    limit = limit_of(new_test)
    found: Measured = list(
        together("strangers: exact limit", "exact limit", limit.evidence, limit, ask.seed)
    )

    def add(words: str, evidence: Floats, against: Belief = limit) -> None:
        found.extend(together(words, "learned head", evidence, against, ask.seed))

    for name in ask.heads:
        reader = trained_reader(name, past, ask.seed, ask.epochs)
        shown_past, shown_test = (seen_by(population, one) for one in (new_past, new_test))
        add(f"own population: {name}", reader_evidence(reader, test), known)
        before = reader_evidence(reader, shown_past)
        now = reader_evidence(reader, shown_test)
        add(f"strangers, as it is: {name}", now)
        for shots in ask.shots:
            add(f"strangers, {shots} episodes to enrol: {name}", enrolled(before[:shots], now))
            further = reader_evidence(
                ask.few(name, new_past, shots, start=copy.deepcopy(reader)), new_test
            )
            add(f"strangers, {shots} episodes to train on: {name}", further)
            add(
                f"strangers, {shots} episodes from nothing: {name}",
                reader_evidence(ask.few(name, new_past, shots), new_test),
            )
    write(row, mark, folder, READING[:4], found, **ask.case.options)


def seen_by(population: Population, record: Recording) -> Recording:
    """Episodes of others as this population's agents read them: their own policies on somebody
    else's steps."""
    return Recording(
        record.shape, record.episodes, replayed(population, record.episodes), population
    )


def enrolled(past: Floats, now: Floats, shrinkage: float = 0.2) -> Floats:
    """Name strangers by whose past evidence theirs resembles: linear discriminant analysis on what
    observers say.

    Args:
        past: (k, J, K, N) evidence on labelled episodes, in author order.
        now: (B, J, K, N) evidence on others of the same agents.
        shrinkage: of the pooled covariance towards a multiple of the identity.

    Returns:
        (B, 1, K, K) evidence that trajectory k was made by stranger n.
    """

    def vectors(evidence: Floats) -> Floats:
        centred = evidence - evidence.mean(-1, keepdims=True)
        rows: Floats = centred.swapaxes(1, 2).reshape(len(evidence), evidence.shape[2], -1)
        return rows  # (B, K, J N)

    shown = vectors(past)
    mean = shown.mean(0)  # (K, D)
    spread = (shown - mean).reshape(-1, shown.shape[-1])
    covariance = spread.T @ spread / max(len(spread) - len(mean), 1)
    scale = np.trace(covariance) / len(covariance)
    covariance = (1 - shrinkage) * covariance + max(shrinkage * scale, 1e-9) * np.eye(
        len(covariance)
    )
    weights = np.linalg.solve(covariance * (1 + 1 / len(past)), mean.T)  # (D, K)
    found: Floats = vectors(now) @ weights - 0.5 * np.einsum("kd,dk->k", mean, weights)
    return found[:, None]


def self_knowledge(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """Own recognition against how well others know me, by what the heads read with."""
    ask = Setting.of(row, seeds, mark)
    population = population_at_half(ask.case, ask.seed)
    past = ask.record(population, "past")
    test = ask.record(population, "test")
    limit = limit_of(test)
    words: dict[Trunk, str] = {
        "separate": "own weights",
        "stopped": "own trunk as it is",
        "shared": "own trunk, trained on",
    }
    how: list[tuple[str, Trunk, str]] = [
        (name, trunk, f"{name}, {said}") for name in ask.heads for trunk, said in words.items()
    ]
    how += [
        (name, "separate", f"{name}, own policy looked up") for name in row.arguments["likelihood"]
    ]
    found: Measured = []
    for shots in ask.shots:
        for name, trunk, said in how:
            evidence = reader_evidence(ask.few(name, past, shots, trunk), test)
            decoded = score(evidence, limit)
            figures = _figures(decoded["lineup"], math.nan)
            for figure in ("self_advantage", "self_dprime"):
                one = getattr(decoded["alone"], figure)
                figures[figure] = np.array([math.nan if one is None else one.value])
            found.append(
                (
                    Entry(condition=f"after {shots} episodes: {said}", agents="learned head"),
                    {ask.seed: figures},
                )
            )
    write(row, mark, folder, (*READING[:3], *SELF), found, **ask.case.options)


def mark_test(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """Who notices that an agent's own policy was secretly changed?"""
    ask = Setting.of(row, seeds, mark)
    population = population_at_half(ask.case, ask.seed)
    past = ask.record(population, "past")
    test = ask.record(population, "test")
    readers = {name: trained_reader(name, past, ask.seed, ask.epochs) for name in ask.heads}
    favourite = favourites(past)
    unmarked_policy = own_policy(population, test)
    unmarked = readings(population, test, readers)
    areas: dict[str, dict[str, Floats]] = {}
    for number, how in enumerate(MARKS):
        changes = [how.change(action) for action in favourite]
        seed = 100_000 + len(MARKS) * ask.seed + number
        record = play_marked(population, ask.case, changes, ask.test, seed)
        marked = readings(population, record, readers)
        best = [
            best_scores(policy, one, changes)
            for policy, one in ((own_policy(population, record), record), (unmarked_policy, test))
        ]
        areas.setdefault("likelihood ratio: the best there is", {})[how.name] = np.array(
            [area(*best)]
        )
        for name, doubt in marked.items():
            areas.setdefault(name, {})[how.name] = np.array([area(doubt, unmarked[name])])
    kind = {"likelihood ratio: the best there is": "exact", "exact limit's belief": "exact limit"}
    found: Measured = [
        (
            Entry(
                condition=name,
                agents=kind.get(name, "own policy" if "policy" in name else "learned head"),
            ),
            {ask.seed: one},
        )
        for name, one in areas.items()
    ]
    write(row, mark, folder, AREAS, found, **ask.case.options)
