"""Rows of `critical_weight.py` without learning: best joint policies, orbits of exact gradients.

What a row claims and how it is measured stands in that script.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.studies.one_step_games import (
    Floats,
    Game,
    Ints,
    deviation_switch,
    follow,
    have_parted,
    optimum_switch,
    read_game,
    starts,
    thresholds,
)
from mirrorenv.mirror.intervals import Estimate
from mirrorenv.results import median

IDENTITY = "mirrorenv/identity-v0"
CONFORMITY = "mirrorenv/conformity-v0"
Row = dict[str, Any]


class Plan:
    """What a run does: its seeds and budgets; a smoke run only shows that everything works."""

    def __init__(self, seeds: int, smoke: bool) -> None:
        self.smoke = smoke
        self.seeds: Ints = np.arange(4 if smoke else seeds, dtype=np.int64)
        self.orbit_steps, self.halvings = (300, 3) if smoke else (3000, 11)
        self.learner_steps, self.weights = (20, 3) if smoke else (2000, 13)
        # (N, K) of conformity-v0
        self.crowds = [(2, 2), (3, 5)] if smoke else [(2, 2), (3, 5), (4, 4), (6, 6)]


def row(
    part: str, what: str, formula: str, predicted: float, measured: Estimate, **more: Any
) -> Row:
    """One line of the table, ready for JSON."""
    return {
        "part": part,
        "what": what,
        "formula": formula,
        "predicted": predicted,
        **measured.to_dict(),
        "n": measured.n,
        "method": measured.method,
        **more,
    }


def exact(value: float) -> Estimate:
    """A number without chance in it."""
    return Estimate(value, value, value, 1, "exhaustive")


def optimum(plan: Plan) -> list[Row]:
    """Best joint policies and best deviations, by trying them all."""
    rows = identity_optimum()
    for agents, actions in plan.crowds:
        rows += conformity_optimum(agents, actions)
    return rows


def identity_optimum() -> list[Row]:
    """Two agents, two actions, one of which pays."""
    game = read_game(IDENTITY, 2, 2)
    critical = game.critical_weight
    return [
        row(
            "optimum",
            "identity N=2: best total payoff",
            "r/(2 log 2)",
            critical / 2,
            exact(optimum_switch(game)),
        ),
        row(
            "optimum",
            "identity N=2: leaving a crowd",
            "r/log 2",
            critical,
            exact(deviation_switch(game)),
        ),
    ]


def conformity_optimum(agents: int, actions: int) -> list[Row]:
    """A world that pays for being alike."""
    game = read_game(CONFORMITY, agents, actions)
    name = f"conformity N={agents} K={actions}"
    critical = game.critical_weight
    return [
        row(
            "optimum",
            f"{name}: best total payoff",
            "r/log N",
            critical,
            exact(optimum_switch(game)),
        ),
        row(
            "optimum",
            f"{name}: best potential",
            "r/(2 log N)",
            critical / 2,
            exact(optimum_switch(game, 0.5)),
        ),
        row(
            "optimum",
            f"{name}: leaving a crowd",
            "r/log N",
            critical,
            exact(deviation_switch(game)),
        ),
    ]


def orbit(plan: Plan) -> list[Row]:
    """Where the exact gradient's orbit turns from the crowd to parting."""
    rows = identity_orbit(plan)
    for agents, actions in plan.crowds:
        rows += conformity_orbit(plan, agents, actions)
    return rows


def identity_orbit(plan: Plan) -> list[Row]:
    """From nearly alike, and from a crowd."""
    game = read_game(IDENTITY, 2, 2)
    critical = game.critical_weight
    return [
        _orbit(plan, game, "identity N=2: uniform start 1e-2", "r/log 2", critical, scale=1e-2),
        _orbit(plan, game, "identity N=2: crowd", "r/log 2", critical, scale=1e-2, lead=4.0),
    ]


def conformity_orbit(plan: Plan, agents: int, actions: int) -> list[Row]:
    """From a crowd with natural and plain gradients, and from nearly uniform."""
    game = read_game(CONFORMITY, agents, actions)
    name = f"conformity N={agents} K={actions}"
    critical = game.critical_weight
    tie = agents / (actions * (agents - 1))
    return [
        _orbit(
            plan,
            game,
            f"{name}: crowd, natural",
            "r/log N",
            critical,
            scale=1e-2,
            lead=4.0,
            natural=True,
        ),
        _orbit(
            plan,
            game,
            f"{name}: crowd, plain",
            "max(r, r/log N)",
            max(1.0, critical),
            scale=1e-2,
            lead=4.0,
        ),
        _orbit(plan, game, f"{name}: uniform start 1e-2", "rN/(K(N-1))", tie, scale=1e-2),
        _orbit(plan, game, f"{name}: uniform start 1e-8", "rN/(K(N-1))", tie, scale=1e-8),
    ]


def _orbit(
    plan: Plan,
    game: Game,
    what: str,
    formula: str,
    predicted: float,
    *,
    scale: float,
    lead: float = 0.0,
    natural: bool = False,
) -> Row:
    begin = starts(plan.seeds, game.num_agents, game.num_actions, scale, lead)  # (S, N, K)

    def parts(weights: Floats) -> Any:
        return have_parted(follow(begin, game, weights, steps=plan.orbit_steps, natural=natural))

    found = bisect(plan, parts, predicted)
    shares = {
        str(factor): float(parts(np.full(len(begin), factor * predicted)).mean())
        for factor in (0.95, 1.05)
    }
    return row(
        "orbit",
        what,
        formula,
        predicted,
        median(found),
        seeds=found.round(5).tolist(),
        parted_at=shares,
    )


def bisect(plan: Plan, parts: Callable[[Floats], Any], predicted: float) -> Floats:
    low, high = (
        np.full(len(plan.seeds), predicted * factor) for factor in (0.4, 2.3)
    )  # 11 halvings: 0.04 % either way
    return thresholds(parts, low, high, plan.halvings)
