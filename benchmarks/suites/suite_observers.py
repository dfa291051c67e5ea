"""Runners of the suite ``observers``: everybody reads the same recorded populations.
`benchmarks/suites/suite.py observers`.

The populations are those of `populations.py`: untrained actors whose exact limit is half of log N.
Each row of the suite is a case, each of its folders one draw of agents with everybody who reads
them, beside the exact limit.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.shared.populations import (
    CASES,
    Case,
    limit_of,
    population_at_half,
    record_episodes,
    replayed,
)
from benchmarks.shared.readers import (
    DIRICHLET_ALPHA,
    Floats,
    Reader,
    Recording,
    Trunk,
    dirichlet_case,
    reader_evidence,
    score,
    trained_reader,
)
from benchmarks.studies.mark_test import (
    MARKS,
    area,
    best_scores,
    favourites,
    own_law,
    play_marked,
    readings,
)
from benchmarks.suites.suite_theory import RECOGNISED, SHARE, Measured, write
from mirrorenv.mirror import Belief, Score, count_actions, few_shot_limit, likelihood_ratio_e_value
from mirrorenv.population.observers import HEADS
from mirrorenv.population.observers.baselines import BASELINES, Baseline
from mirrorenv.population.population import Population
from mirrorenv.results.board.suite import SuiteRow
from mirrorenv.results.folders.schema import Entry, Figure, SuiteMark

DIRICHLET = Case("dirichlet agents", {"N": 4, "T": 20, "alpha": DIRICHLET_ALPHA}, "mlp")
"""Tabular agents: no world is made and no network acts."""
DECODED = {"alone": "each alone", "lineup": "together"}
READING = (
    SHARE,
    *RECOGNISED,
    Figure(
        name="ece",
        title="Calibration error",
        about="15 bins of equal mass; 0 at best",
        share=True,
        better="low",
    ),
    Figure(
        name="log_e",
        title="Log e-value",
        about="against 'the limit is the truth', over a seed's test episodes; one test at 5 % "
        "rejects above 3.0",
    ),
)


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


class Setting(NamedTuple):
    """What a row asks for, or in a smoke run next to nothing."""

    case: Case
    seed: int
    past: int
    test: int
    epochs: int
    shots: tuple[int, ...]
    heads: tuple[str, ...]

    @classmethod
    def of(cls, row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark) -> Setting:
        """The row's arguments and its one seed."""
        torch.set_num_threads(1)
        (seed,) = seeds
        a = row.arguments
        case, heads, shots = (
            CASES.get(a["case"], DIRICHLET),
            tuple(a.get("heads", HEADS)),
            tuple(a.get("shots", ())),
        )
        past = a.get("past", max(shots, default=0))
        if mark.smoke:
            return cls(case, seed, 40, 40, 1, shots[:2], heads[:2])
        return cls(case, seed, past, a["test"], a.get("epochs", 30), shots, heads)

    def record(self, population: Population, part: str, seed: int | None = None) -> Recording:
        """Past or test episodes of a population."""
        episodes = self.past if part == "past" else self.test
        return record_episodes(
            population, self.case, self.seed if seed is None else seed, part, episodes
        )

    def few(
        self,
        name: str,
        past: Recording,
        shots: int,
        trunk: Trunk = "separate",
        start: Reader | None = None,
    ) -> Reader:
        """A head that has seen the first `shots` labelled episodes; after none it is as it was
        made.

        Passes are short where there are few episodes, so there are more of them: up to 300 updates,
        and it stops after 40 without improvement (never before 4 passes).
        """
        if not shots:
            return Reader(name, past, torch.Generator().manual_seed(self.seed), trunk)
        seen = past.part(slice(0, shots))
        updates = math.ceil((shots - max(1, shots // 10)) / 64)  # in a pass
        epochs = 1 if self.epochs == 1 else max(self.epochs, math.ceil(300 / updates))
        patience = max(4, math.ceil(40 / updates))
        return trained_reader(
            name, seen, self.seed, epochs, trunk=trunk, patience=patience, start=start
        )


def _figures(found: Score, log_e: float) -> dict[str, Floats]:
    named = {
        "share": found.efficiency,
        "top1": found.top1,
        "exact": found.exact,
        "nats": found.information,
    }
    values = {name: math.nan if one is None else one.value for name, one in named.items()}
    values |= {"ece": found.calibration_error.value, "log_e": log_e}
    return {name: np.array([value]) for name, value in values.items()}


def lines(name: str, kind: str, evidence: Floats, limit: Belief, seed: int) -> Iterator[Any]:
    """An observer's lines, read each alone and together, from evidence (B, J, K, N) in author
    order."""
    for decoding, found in score(evidence, limit).items():
        log_e = 0.0
        if decoding == "lineup":
            mine, best = (Belief(one).log_belief("marginals") for one in (evidence, limit.evidence))
            log_e = likelihood_ratio_e_value(
                *(np.diagonal(one, axis1=2, axis2=3) for one in (mine, best))
            )
        figures = _figures(found, log_e if decoding == "lineup" else math.nan)
        yield Entry(condition=f"{name}, {DECODED[decoding]}", agents=kind), {seed: figures}


def fitted(make: Callable[[], Baseline], past: Recording, test: Recording) -> Floats:
    """(B, 1, K, N): what a baseline makes of the test after the past."""
    observer = make()
    observer.fit(past.episodes, past.shape.num_actions)
    return observer.evidence(test.episodes)[:, None]


def reading(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """Every head and baseline on one draw of agents."""
    ask = Setting.of(row, seeds, mark)
    population = population_at_half(ask.case, ask.seed)
    past, test = ask.record(population, "past"), ask.record(population, "test")
    limit = limit_of(test)
    found: Measured = list(lines("exact limit", "exact limit", limit.evidence, limit, ask.seed))
    for name, make in BASELINES.items():
        found += lines(name, "baseline", fitted(make, past, test), limit, ask.seed)
    for name in ask.heads:
        begun = time.perf_counter()
        evidence = reader_evidence(trained_reader(name, past, ask.seed, ask.epochs), test)
        found += lines(name, "learned head", evidence, limit, ask.seed)
        print(
            f"  {row.row} seed {ask.seed}: {name} {time.perf_counter() - begun:.0f} s", flush=True
        )
    write(row, mark, folder, READING, found, **ask.case.options)


def few_shot(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """Heads and counting after few labelled episodes; for tabular agents beside the best possible
    observer."""
    ask = Setting.of(row, seeds, mark)
    if ask.case is DIRICHLET:
        whole = dirichlet_case(ask.seed, ask.past + ask.test)
        past, test = whole.part(slice(0, ask.past)), whole.part(slice(ask.past, None))
    else:
        population = population_at_half(ask.case, ask.seed)
        past, test = ask.record(population, "past"), ask.record(population, "test")
    limit = limit_of(test)
    found: Measured = list(
        together("policies known: exact limit", "exact limit", limit.evidence, limit, ask.seed)
    )
    for shots in ask.shots:
        after = f"after {shots} episodes"
        if ask.case is DIRICHLET:
            best = few_shot_limit(
                counted(test), counted(past)[:shots].sum(0), alpha=DIRICHLET_ALPHA
            )
            found += together(
                f"{after}: best possible", "exact limit", best.evidence[:, None], limit, ask.seed
            )
            own = own_policy_known(best.evidence, limit.evidence)
            found += together(
                f"{after}: best possible, own policy known", "exact limit", own, limit, ask.seed
            )
        if shots:
            counting = fitted(BASELINES["action_histogram"], past.part(slice(0, shots)), test)
            found += together(f"{after}: action_histogram", "baseline", counting, limit, ask.seed)
        for name in ask.heads:
            evidence = reader_evidence(ask.few(name, past, shots), test)
            found += together(f"{after}: {name}", "learned head", evidence, limit, ask.seed)
    write(row, mark, folder, READING[:4], found, **ask.case.options)


def own_policy_known(few: Floats, known: Floats) -> Floats:
    """Observer j knows its own policy, and of the others few episodes: (B, J, K, N) from (B, K, N)
    and (B, 1, K, N).

    Both are log probabilities of the same actions after the same states, so they stand in one
    lineup.
    """
    own = np.eye(few.shape[-1], dtype=np.bool_)[:, None]  # (J, 1, N)
    return np.where(own, known, few[:, None])


def together(name: str, kind: str, evidence: Floats, limit: Belief, seed: int) -> Iterator[Any]:
    """The line of an observer that decodes over the lineup."""
    for entry, figures in lines(name, kind, evidence, limit, seed):
        if entry.condition.endswith(DECODED["lineup"]):
            yield entry.model_copy(update={"condition": name}), figures


def counted(record: Recording) -> Floats:
    """(B, K, S, A): how often each action was taken in each state, of tabular agents."""
    states = record.episodes.observations.argmax(-1).swapaxes(1, 2)  # (B, K, T)
    return count_actions(
        states, record.episodes.actions.swapaxes(1, 2), states_of(record), record.shape.num_actions
    )


def states_of(record: Recording) -> int:
    """S, of tabular agents whose states are shown one-hot."""
    return record.shape.observation_size


def strangers(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """Observers that learned one population are shown another: as they are, after enrolment, and
    trained on.

    The names mean nothing to the second population, so as they are, observers can only guess.
    """
    ask = Setting.of(row, seeds, mark)
    population, other = (population_at_half(ask.case, seed) for seed in (ask.seed, ask.seed + 1000))
    past, test = ask.record(population, "past"), ask.record(population, "test")
    new_past, new_test = (ask.record(other, part, ask.seed + 1000) for part in ("past", "test"))
    known, limit = limit_of(test), limit_of(new_test)
    found: Measured = list(
        together("strangers: exact limit", "exact limit", limit.evidence, limit, ask.seed)
    )

    def add(words: str, evidence: Floats, against: Belief = limit) -> None:
        found.extend(together(words, "learned head", evidence, against, ask.seed))

    for name in ask.heads:
        reader = trained_reader(name, past, ask.seed, ask.epochs)
        shown_past, shown_test = (seen_by(population, one) for one in (new_past, new_test))
        add(f"own population: {name}", reader_evidence(reader, test), known)
        before, now = reader_evidence(reader, shown_past), reader_evidence(reader, shown_test)
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
    past, test = ask.record(population, "past"), ask.record(population, "test")
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
    past, test = ask.record(population, "past"), ask.record(population, "test")
    readers = {name: trained_reader(name, past, ask.seed, ask.epochs) for name in ask.heads}
    favourite = favourites(past)
    unmarked_law, unmarked = own_law(population, test), readings(population, test, readers)
    areas: dict[str, dict[str, Floats]] = {}
    for number, how in enumerate(MARKS):
        changes = [how.change(action) for action in favourite]
        seed = 100_000 + len(MARKS) * ask.seed + number
        record = play_marked(population, ask.case, changes, ask.test, seed)
        marked = readings(population, record, readers)
        best = [
            best_scores(law, one, changes)
            for law, one in ((own_law(population, record), record), (unmarked_law, test))
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


RUNNERS = {
    "reading": reading,
    "few_shot": few_shot,
    "strangers": strangers,
    "self_knowledge": self_knowledge,
    "mark": mark_test,
}
