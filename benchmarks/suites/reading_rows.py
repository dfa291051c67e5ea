"""What the rows of the suite `observers` share: what they ask for, and an observer's lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.shared.populations import (
    CASES,
    Case,
    record_episodes,
)
from benchmarks.shared.readers import (
    DIRICHLET_ALPHA,
    Floats,
    Reader,
    Recording,
    Trunk,
    score,
    trained_reader,
)
from benchmarks.suites.suite_theory import RECOGNISED, SHARE
from mirrorenv.mirror import Belief, Score, likelihood_ratio_e_value
from mirrorenv.population.observers import HEADS
from mirrorenv.population.observers.baselines import Baseline
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
        case = CASES.get(a["case"], DIRICHLET)
        heads = tuple(a.get("heads", HEADS))
        shots = tuple(a.get("shots", ()))
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
    observer.fit(past.episodes, past.shape.actions)
    return observer.evidence(test.episodes)[:, None]


def together(name: str, kind: str, evidence: Floats, limit: Belief, seed: int) -> Iterator[Any]:
    """The line of an observer that decodes over the lineup."""
    for entry, figures in lines(name, kind, evidence, limit, seed):
        if entry.condition.endswith(DECODED["lineup"]):
            yield entry.model_copy(update={"condition": name}), figures
