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
Parting is best above `r / (2 log 2)`. conformity-v0: groups of size g give each member r (g - 1)
/ (N - 1) + w log(N / g), convex in g, so g = N or g = 1 is best, with the switch at `r / log N`.
(Its potential, which selfish agents climb, switches at half of that.)

**Leaving a crowd.** Alone on a new action an agent is recognised with certainty: it gains w log N
and loses r. So a crowd on action 0 is an equilibrium, and a local optimum, up to `r / log N` (`r
/ log 2` for two) in both worlds.

**Where gradients leave a crowd.** Near it let agent i play action a with a small probability e_i
and let x_i be its share of all who do. To first order its logit moves at e_i (w log(N x_i) - r) in
plain softmax gradients, and at w log(N x_i) - r in natural ones. Leaving needs one share near 1 and
w log N > r. Do shares spread while all e_i shrink? From nearly equal ones the differences of log e
grow at w in natural gradients and always get there, so these leave at `r / log N`. In plain
gradients the larger e_i also shrink faster, by r, and differences grow at w - r only: these leave
at `max(r, r / log N)`. For two agents this is r / log 2; from N = 3 on it is r, above the
equilibrium's r / log N. (If the start already has one dominant deviant, r / log N holds for plain
gradients too.)

**Where gradients from a uniform start go.** identity-v0 pays for action 0, so all drift into the
crowd while their differences grow: `r / log 2`, if the start's differences are small. (Parted
policies are locally stable at every weight above 0, as the first share of imitation is punished
without bound, or above r / 9.2 with beliefs floored at 1e-4. So large initial differences part
earlier.) conformity-v0 does not say which action to agree on. The uniform policy is a saddle and
two motions compete: all alike (the same difference between actions for all) grows at r / K, all
different at w - r / (K (N - 1)), both over K. They tie at `r N / (K (N - 1))`. The faster one
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
reward) until parted, more for each tenfold smaller start: `log 10 / log(1 + rate / K)`.
"""

from __future__ import annotations

from collections.abc import Callable

import _root  # noqa: F401

import mirrorenv
from benchmarks.shared.runner import Script
from benchmarks.studies.critical_exact import Plan, Row, optimum, orbit
from benchmarks.studies.critical_learned import escape, learned, reach

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
        value = "none"
        ratio = ""
        if line["value"] is not None:
            value = f"{line['value']:.4f}"
            ratio = f"{line['value'] / line['predicted']:.3f}"
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
