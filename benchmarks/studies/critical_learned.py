"""Rows of `critical_weight.py` with learning in them: sampled gradients, learned observers, escape.

Also how much information the actions have room for. What a row claims and how it is measured stands
in that script.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from benchmarks.studies.critical_exact import CONFORMITY, IDENTITY, Plan, Row, bisect, row
from benchmarks.studies.one_step_games import (
    Floats,
    Game,
    capacity,
    climb,
    follow,
    have_parted,
    information,
    read_game,
    starts,
)
from benchmarks.studies.one_step_learning import Learner, cross, crossing, learn
from mirrorenv.mirror.intervals import rate_interval, t_interval
from mirrorenv.results import median


class Case(NamedTuple):
    """One start of the learned rows: world, its size, lead of action 0, prediction, lowest and
    highest weight."""

    world: str
    size: tuple[int, int]
    lead: float
    formula: str
    predicted: float
    ends: tuple[float, float]


CASES = {
    "identity N=2, uniform": Case(IDENTITY, (2, 2), 0.0, "r/log 2", 1 / math.log(2), (0.8, 6.0)),
    "conformity N=4 K=4, uniform": Case(
        CONFORMITY, (4, 4), 0.0, "rN/(K(N-1))", 4 / (4 * 3), (0.15, 2.0)
    ),
    "conformity N=4 K=4, crowd": Case(CONFORMITY, (4, 4), 3.0, "max(r, r/log N)", 1.0, (0.5, 8.0)),
}


def learned(plan: Plan) -> list[Row]:
    """Where sampled gradients part, with the exact observer and with one that learns beside
    them."""
    return [line for name in CASES for line in learned_case(plan, name)]


def learned_case(plan: Plan, name: str) -> list[Row]:
    """One start with every observer. `seeds` of a row are the crossings of single seeds, kept
    within the weights."""
    world, size, lead, formula, predicted, ends = CASES[name]
    game = read_game(world, *size)
    rows = [_fixed_steps(plan, name, game, lead, formula, predicted)]
    weights = np.geomspace(*ends, plan.weights)
    for label, (steps, rate) in OBSERVERS.items():
        learner = Learner(steps, observer_rate=rate, steps=plan.learner_steps, lead=lead)
        parted = have_parted(learn(game, plan.seeds, weights, learner))  # (S, W)
        measured = crossing(parted, weights, np.random.default_rng(0))
        shares = {
            f"{weight:.4g}": float(share)
            for weight, share in zip(weights, parted.mean(axis=0), strict=True)
        }
        by_seed = [min(max(cross(one.astype(float), weights), ends[0]), ends[1]) for one in parted]
        more = {"parted_at": shares, "learner": vars(learner), "seeds": by_seed}
        rows.append(row("learned", f"{name}: {label}", formula, predicted, measured, **more))
    return rows


OBSERVERS: dict[str, tuple[int | None, float]] = {  # steps for each policy step, rate
    "exact observer": (None, 0.0),
    "observer 1 step": (1, 0.5),
    "observer 10 steps": (10, 0.5),
    "observer 1 step, rate 5": (1, 5.0),
}


def _fixed_steps(
    plan: Plan, name: str, game: Game, lead: float, formula: str, predicted: float
) -> Row:
    settings = Learner(None, steps=plan.learner_steps, lead=lead)
    begin = starts(plan.seeds, game.num_agents, game.num_actions, settings.scale, lead)

    def parts(weights: Floats) -> Any:
        return have_parted(
            climb(begin, game, weights, steps=settings.steps, rate=settings.policy_rate)
        )

    found = bisect(plan, parts, predicted)
    more = {"steps": settings.steps, "seeds": found.round(5).tolist()}
    return row("learned", f"{name}: exact gradient", formula, predicted, median(found), **more)


def reach(plan: Plan) -> list[Row]:
    """How much information the exact gradient finds, beside the most that is possible."""
    return [line for size in SIZES for line in reach_case(plan, *size)]


SIZES = [(4, 5), (5, 5), (8, 5), (8, 2), (8, 16)]


def reach_case(plan: Plan, agents: int, actions: int) -> list[Row]:
    """One size, along the orbit and with a fixed number of steps."""
    game = Game("none", agents, actions, np.zeros((actions, actions)), 0.0)
    most = capacity(agents, actions)
    begin = starts(plan.seeds, agents, actions, 1e-2)
    formula = "log N" if agents <= actions else "balanced"
    rows = []
    paths = {
        "orbit": follow(begin, game, 1.0, steps=plan.orbit_steps),
        f"{plan.orbit_steps} steps": climb(begin, game, 1.0, steps=plan.orbit_steps, rate=0.5),
    }
    for path, policies in paths.items():
        found = information(policies)  # (S,)
        full = rate_interval(found > 0.99 * most)
        more = {"best": float(found.max()), "full": full.to_dict(), "seeds": found.tolist()}
        rows.append(
            row(
                "capacity",
                f"N={agents} K={actions}: {path}",
                formula,
                most,
                t_interval(found),
                **more,
            )
        )
    return rows


def escape(plan: Plan) -> list[Row]:
    """Steps to part for each tenfold smaller start, and from no difference at all."""
    agents = 4
    actions = 5
    rate = 0.5
    game = Game("none", agents, actions, np.zeros((actions, actions)), 0.0)
    exponents = np.arange(1, 4 if plan.smoke else 8)
    scales = 10.0 ** -exponents[:, None, None, None]  # (E, 1, 1, 1)
    logits = scales * starts(plan.seeds, agents, actions, 1.0)  # (E, S, N, K)
    needed = np.full(logits.shape[:2], np.nan)  # (E, S)
    for step in range(1, 1001):
        logits = climb_once(logits, game, rate)
        needed = np.where(np.isnan(needed) & have_parted(logits), step, needed)
        if not np.isnan(needed).any():
            break
    slopes = np.polyfit(exponents, needed, 1)[0]  # (S,) steps per decade
    predicted = math.log(10.0) / math.log1p(rate / actions)
    medians = dict(
        zip((10.0**-exponents).tolist(), np.median(needed, axis=1).tolist(), strict=True)
    )
    same = np.repeat(starts(plan.seeds, 1, actions, 1.0), agents, axis=1)  # all agents alike
    never = float(information(climb(same, game, 1.0, steps=plan.orbit_steps, rate=rate)).max())
    more = {
        "median_steps": medians,
        "information_from_no_difference": never,
        "seeds": slopes.tolist(),
    }
    return [
        row(
            "escape",
            "steps for a tenfold smaller start",
            "log 10/log(1+rate/K)",
            predicted,
            t_interval(slopes),
            **more,
        )
    ]


def climb_once(logits: Floats, game: Game, rate: float) -> Floats:
    """One plain step at weight 1: log policies, which are logits too."""
    return climb(logits, game, 1.0, steps=1, rate=rate)
