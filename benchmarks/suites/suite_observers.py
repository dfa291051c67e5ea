"""Runners of the suite `observers`: everybody reads the same recorded populations.
`benchmarks/suites/suite.py observers`.

The populations are those of `populations.py`: untrained actors whose exact limit is half of log N.
Each row of the suite is a case, each of its folders one draw of agents with everybody who reads
them, beside the exact limit.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from benchmarks.shared.populations import (
    limit_of,
    population_at_half,
)
from benchmarks.shared.readers import (
    DIRICHLET_ALPHA,
    Floats,
    Recording,
    dirichlet_case,
    reader_evidence,
    trained_reader,
)
from benchmarks.suites.changed_agents import mark_test, self_knowledge, strangers
from benchmarks.suites.reading_rows import (
    DIRICHLET,
    READING,
    Setting,
    fitted,
    lines,
    together,
)
from benchmarks.suites.suite_theory import Measured, write
from mirrorenv.mirror import count_actions, few_shot_limit
from mirrorenv.population.observers.baselines import BASELINES
from mirrorenv.results.board.suite import SuiteRow
from mirrorenv.results.folders.schema import SuiteMark


def reading(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """Every head and baseline on one draw of agents."""
    ask = Setting.of(row, seeds, mark)
    population = population_at_half(ask.case, ask.seed)
    past = ask.record(population, "past")
    test = ask.record(population, "test")
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
        past = whole.part(slice(0, ask.past))
        test = whole.part(slice(ask.past, None))
    else:
        population = population_at_half(ask.case, ask.seed)
        past = ask.record(population, "past")
        test = ask.record(population, "test")
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


def counted(record: Recording) -> Floats:
    """(B, K, S, A): how often each action was taken in each state, of tabular agents."""
    states = record.episodes.observations.argmax(-1).swapaxes(1, 2)  # (B, K, T)
    return count_actions(
        states,
        record.episodes.actions.swapaxes(1, 2),
        states_of(record),
        record.shape.action_features,
    )


def states_of(record: Recording) -> int:
    """S, of tabular agents whose states are shown one-hot."""
    return record.shape.observation_size


RUNNERS = {
    "reading": reading,
    "few_shot": few_shot,
    "strangers": strangers,
    "self_knowledge": self_knowledge,
    "mark": mark_test,
}
