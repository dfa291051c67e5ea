"""From which mirror weight do agents part? Theory against measurement in the one-step worlds.

    python benchmarks/studies/critical_weight.py [--seeds 24] [--json] [--smoke] [--only
    optimum,orbit,learned,capacity,escape]

Notation: N agents, K actions, reward r = 1, weight w. Agent i is paid R_i + w M_i, M_i = log N +
log q(i | a_i). "Parted" means no longer all alike: an action holds more than half of the
information that one deviant among N would give. With the exact observer sum_i M_i = N I, and an
agent's gradient on its own mirror reward is N dI. So in both worlds all agents ascend one
potential: sum R + w N I in identity-v0, where nobody's reward depends on the others, and (1/2) sum
R + w N I in conformity-v0, where the reward of each pair is shared by two. "From which weight" has
four answers, and they differ.

**Optimum.** Rewards are linear in each agent's policy and I is convex in it: some deterministic
joint policy is best. identity-v0, N = 2: alike on action 0 is worth 2r, parted r + 2 w log 2.
Parting is best above ``r / (2 log 2)``. conformity-v0: groups of size g give each member r (g - 1)
/ (N - 1) + w log(N / g), convex in g, so g = N or g = 1 is best, with the switch at ``r / log N``.
(Its potential, which selfish agents climb, switches at half of that.)

**Leaving a crowd.** Alone on a new action an agent is recognised with certainty: it gains w log N
and loses r. So a crowd on action 0 is an equilibrium, and a local optimum, up to ``r / log N`` (``r
/ log 2`` for two) in both worlds.

**Where gradients leave a crowd.** Near it let agent i play action a with a small probability e_i
and let x_i be its share of all who do. To first order its logit moves at e_i (w log(N x_i) - r) in
plain softmax gradients, and at w log(N x_i) - r in natural ones. Leaving needs one share near 1 and
w log N > r. Do shares spread while all e_i shrink? From nearly equal ones the differences of log e
grow at w in natural gradients and always get there, so these leave at ``r / log N``. In plain
gradients the larger e_i also shrink faster, by r, and differences grow at w - r only: these leave
at ``max(r, r / log N)``. For two agents this is r / log 2; from N = 3 on it is r, above the
equilibrium's r / log N. (If the start already has one dominant deviant, r / log N holds for plain
gradients too.)

**Where gradients from a uniform start go.** identity-v0 pays for action 0, so all drift into the
crowd while their differences grow: ``r / log 2``, if the start's differences are small. (Parted
policies are locally stable at every weight above 0, as the first share of imitation is punished
without bound, or above r / 9.2 with beliefs floored at 1e-4. So large initial differences part
earlier.) conformity-v0 does not say which action to agree on. The uniform policy is a saddle and
two motions compete: all alike (the same difference between actions for all) grows at r / K, all
different at w - r / (K (N - 1)), both over K. They tie at ``r N / (K (N - 1))``. The faster one
wins, the more surely the smaller the start: the error falls as 1 / log(1 / scale). The tie is below
r / log N: a crowd that has formed is stable up to there, but none forms.

Measured: optima by trying every joint action in the world itself; leaving by a grid of mixed
deviations; orbits by bisection of each seed's weight (median of seeds, interval by order
statistics), in rescaled time, so that no budget of steps decides; it resolves 0.1 % of the weight,
and an interval without width says that the seeds agree to that. "Learned" puts in sampled gradients
(rate 0.5, 2000 steps of 32 episodes) and a learned observer (rate 0.5): the weight at which half of
the seeds part in that time, isotonic in the weight, with a bootstrap interval over seeds. Its
column "predicted" is the exact observer's theory for the same start, and the first two rows of each
start separate what finite steps and samples cost from what the observer costs. Starts are uniform
(scale 1e-2), or a crowd in which action 0 leads by 3 nats (4 for the orbits). Capacity: the most
information that K actions allow. Escape: steps of plain gradient (rate 0.5, N = 4, K = 5, no
reward) until parted, more for each tenfold smaller start: ``log 10 / log(1 + rate / K)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import _root  # noqa: F401
import numpy as np

import mirrorenv
from benchmarks.shared.runner import Script
from benchmarks.studies.one_step_games import (
    Floats,
    Game,
    Ints,
    capacity,
    climb,
    deviation_switch,
    follow,
    have_parted,
    information,
    optimum_switch,
    read_game,
    starts,
    thresholds,
)
from benchmarks.studies.one_step_learning import Learner, cross, crossing, learn
from mirrorenv.mirror.intervals import Estimate, rate_interval, t_interval
from mirrorenv.results import median

IDENTITY, CONFORMITY = "mirrorenv/identity-v0", "mirrorenv/conformity-v0"
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
    name, critical = f"conformity N={agents} K={actions}", game.critical_weight
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
    name, critical = f"conformity N={agents} K={actions}", game.critical_weight
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

    found = _bisect(plan, parts, predicted)
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


def _bisect(plan: Plan, parts: Callable[[Floats], Any], predicted: float) -> Floats:
    low, high = (
        np.full(len(plan.seeds), predicted * factor) for factor in (0.4, 2.3)
    )  # 11 halvings: 0.04 % either way
    return thresholds(parts, low, high, plan.halvings)


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
    """One start with every observer. ``seeds`` of a row are the crossings of single seeds, kept
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

    found = _bisect(plan, parts, predicted)
    more = {"steps": settings.steps, "seeds": found.round(5).tolist()}
    return row("learned", f"{name}: exact gradient", formula, predicted, median(found), **more)


def reach(plan: Plan) -> list[Row]:
    """How much information the exact gradient finds, beside the most that is possible."""
    return [line for size in SIZES for line in reach_case(plan, *size)]


SIZES = [(4, 5), (5, 5), (8, 5), (8, 2), (8, 16)]


def reach_case(plan: Plan, agents: int, actions: int) -> list[Row]:
    """One size, along the orbit and with a fixed number of steps."""
    game = Game("none", agents, actions, np.zeros((actions, actions)), 0.0)
    most, begin = capacity(agents, actions), starts(plan.seeds, agents, actions, 1e-2)
    formula, rows = "log N" if agents <= actions else "balanced", []
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
    agents, actions, rate = 4, 5, 0.5
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
    law = math.log(10.0) / math.log1p(rate / actions)
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
            law,
            t_interval(slopes),
            **more,
        )
    ]


def climb_once(logits: Floats, game: Game, rate: float) -> Floats:
    """One plain step at weight 1: log policies, which are logits too."""
    return climb(logits, game, 1.0, steps=1, rate=rate)


PARTS: dict[str, Callable[[Plan], list[Row]]] = {
    "optimum": optimum,
    "orbit": orbit,
    "learned": learned,
    "capacity": reach,
    "escape": escape,
}


def show(rows: list[Row]) -> None:
    """Print the table."""
    heads = f"{'part':9} {'what':56} {'formula':21} {'predicted':>9} {'measured':>9}"
    print(f"{heads} {'interval':>18} {'ratio':>6}  notes")
    for line in rows:
        low, high = ("none" if line[end] is None else f"{line[end]:.4f}" for end in ("low", "high"))
        value, ratio = "none", ""
        if line["value"] is not None:
            value, ratio = f"{line['value']:.4f}", f"{line['value'] / line['predicted']:.3f}"
        interval = "" if line["method"] == "exhaustive" else f"{low} to {high}"
        print(
            f"{line['part']:9} {line['what']:56} {line['formula']:21} {line['predicted']:9.4f} "
            f"{value:>9} "
            f"{interval:>18} {ratio:>6}  {_notes(line)}".rstrip()
        )


def _notes(line: Row) -> str:
    if line["part"] == "orbit":
        shares = line["parted_at"]
        return f"parted {shares['0.95']:.0%} at 0.95, {shares['1.05']:.0%} at 1.05 of predicted"
    if line["part"] == "learned" and "parted_at" in line:
        tried = list(line["parted_at"])
        return f"weights {tried[0]} to {tried[-1]}"
    if line["part"] == "capacity":
        return f"full in {line['full']['value']:.0%} of seeds, best {line['best']:.4f}"
    if line["part"] == "escape":
        return f"from no difference: {line['information_from_no_difference']:.1e} nats"
    return ""


def main() -> None:
    """Print the table, or JSON."""
    script = Script(__doc__, json=True, seeds=24, smoke={"seeds": 4})
    script.add_argument("--only", default=",".join(PARTS), help="parts to run, separated by commas")
    options = script.parse()
    wanted = options.only.split(",")
    if options.seeds < 2 or not set(wanted) <= set(PARTS):
        script.error(f"--seeds must be at least 2 and --only name some of {', '.join(PARTS)}")
    plan = Plan(options.seeds, options.smoke)
    rows = [line for part in wanted for line in PARTS[part](plan)]
    head = {
        "benchmark": "critical_weight",
        "version": mirrorenv.__version__,
        "seeds": plan.seeds.tolist(),
        "smoke": plan.smoke,
    }
    script.save({**head, "rows": rows})
    show(rows)


if __name__ == "__main__":
    main()
