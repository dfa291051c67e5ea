"""Runners of the suite `generators`: is it any use to pay for being identified?
`benchmarks/suites/suite.py generators`.

A mixture of five modes with MAD-GAN's generators (`mad_gan.py`), and skills in four rooms with
DIAYN's reward (`four_rooms.py`) and in a square (`diayn_point.py`), each with its anchors: a
perfect generator and one without a mode, the exact discriminator, points that walk apart by script.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from benchmarks.studies.diayn_point import PAID, fan
from benchmarks.studies.diayn_point import learn as learn_point
from benchmarks.studies.four_rooms import Credit, Discriminator, learn, most_skills
from benchmarks.studies.mad_gan import Players, anchors, measure, train
from benchmarks.suites.suite_theory import Floats, Measured, write
from mirrorenv.results.board.suite import SuiteRow
from mirrorenv.results.folders.schema import Entry, Figure, Reference, SuiteMark

MIXTURE = (
    Figure(
        name="kl",
        title="KL (made, real)",
        about="nats, bins of 0.1 that hold real samples",
        better="low",
    ),
    Figure(
        name="chi2",
        title="Chi-square / 1e5",
        about="65,536 samples each, the same bins",
        better="low",
    ),
    Figure(
        name="modes",
        title="Modes of five",
        about="with at least a quarter of their due",
        better="high",
    ),
    Figure(
        name="astray",
        title="Astray",
        about="samples beyond 4 sd of every mode",
        share=True,
        better="low",
    ),
    Figure(
        name="effective",
        title="Effective generators",
        about="exp of the information of generator and sample",
    ),
)
SKILLS = (
    Figure(
        name="final",
        title="Effective skills, last state",
        about="exp of the mutual information",
        better="high",
    ),
    Figure(
        name="every",
        title="Effective skills, all states",
        about="exp of the mutual information",
        better="high",
    ),
)


def _one_draw(figures: Mapping[str, float]) -> Mapping[str, Floats]:
    """Figures as `write` takes them: one value each."""
    return {figure: np.array([value]) for figure, value in figures.items()}


def mixture(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """One seed of every way to play, beside perfect generators."""
    torch.set_num_threads(1)
    (seed,) = seeds
    a = row.arguments
    iterations = 20 if mark.smoke else a["iterations"]
    players = {
        "one generator": Players(1),
        f"{a['generators']} generators, not told apart": Players(a["generators"], False),
    }
    for weight in a["weights"]:
        paid = f"paid {weight:g} for it" if weight else "not paid for it (MAD-GAN)"
        players[f"{a['generators']} generators told apart, {paid}"] = Players(
            a["generators"], True, weight
        )
    made = {name: train(who, seed, iterations, a["step"]) for name, who in players.items()}
    figures = {name: measure(one, np.random.default_rng([seed, 3])) for name, one in made.items()}
    found: Measured = [
        (
            Entry(condition=name, agents=kind),
            {seed: _one_draw(one)},
        )
        for kind, rows in (("anchor", anchors(seed)), ("generators", figures))
        for name, one in rows.items()
    ]
    write(row, mark, folder, MIXTURE, found)


def skills(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """Exact and learned discriminator, paid for last states or for all."""
    torch.set_num_threads(1)
    a = row.arguments
    kept = seeds[:2] if mark.smoke else seeds
    iterations = 3 if mark.smoke else a["iterations"]
    most = {
        "final": Reference(
            value=most_skills(a["skills"]), source="as many as there are skills or cells"
        )
    }
    found: Measured = []
    for credit in get_args(Credit):
        for kind in get_args(Discriminator):
            by_seed = {seed: learn(a["skills"], credit, kind, seed, iterations) for seed in kept}
            columns: dict[int, Mapping[str, Floats]] = {
                seed: _one_draw(one) for seed, one in by_seed.items()
            }
            paid = "the last state" if credit == "final" else "all states (DIAYN)"
            name = f"{kind} discriminator, paid for {paid}"
            found.append(
                (Entry(condition=name, agents=f"{kind} discriminator", references=most), columns)
            )
    write(row, mark, folder, SKILLS, found, skills=a["skills"])


def point(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """One seed of everything that can be paid, beside the scripted team."""
    (seed,) = seeds
    many = row.arguments["skills"]
    runs = Path("runs") / "suite-runs" / mark.name / ("smoke" if mark.smoke else "") / row.row
    learned = {
        paid: learn_point(paid, many, seed, runs / f"{paid}-{seed}", mark.smoke) for paid in PAID
    }
    most = {"final": Reference(value=float(many), source="as many as there are skills")}
    found: Measured = [
        (
            Entry(condition=name, agents=kind, references=most),
            {seed: _one_draw(one)},
        )
        for kind, rows in (("scripted", {"fan": fan(many, seed)}), ("trained", learned))
        for name, one in rows.items()
    ]
    write(row, mark, folder, SKILLS, found, skills=many)


RUNNERS = {"mixture": mixture, "skills": skills, "point": point}
