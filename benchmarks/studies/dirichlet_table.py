"""How well can tabular random agents be told apart at best? The known-policy limit, joint against
independent.

N agents act in S = 9 states with A = 5 actions; every agent's action distribution in every state is
drawn from Dirichlet(alpha), states are uniform and independent, and an observer who knows all
policies is shown one trajectory of T steps from each agent, shuffled. Each row stands beside a
recorded reference of 300 matches (100 for N = 8): "inside" means that the reference lies within the
95 % prediction interval for a sample of its size. The second table is the other limit: an observer
who does not know the policies and has seen a number of labelled past episodes (after ToMnet).

Run: python benchmarks/studies/dirichlet_table.py [--matches 10000] [--seed 0] [--smoke] [--json]
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import _root  # noqa: F401
import numpy as np
import numpy.typing as npt

from benchmarks.shared.runner import Script
from mirrorenv.mirror import (
    Belief,
    Estimate,
    count_actions,
    few_shot_limit,
    log_permutation_marginals,
    most_probable_permutation,
    rate_interval,
    t_interval,
)

FloatArray = npt.NDArray[np.float64]

STATES = 9
ACTIONS = 5
COLUMNS = ("independent top-1", "joint top-1", "exact independent", "exact joint", "nats")
# (N, alpha): {T: the five columns}. "joint" is the most probable permutation, "nats" the
# independent belief's.
REFERENCE: dict[tuple[int, int], dict[int, tuple[float, ...]]] = {
    (2, 1): {
        5: (0.910, 0.970, 0.827, 0.970, 0.461),
        20: (0.993, 1, 0.987, 1, 0.668),
        50: (1, 1, 1, 1, 0.693),
    },
    (2, 10): {
        5: (0.648, 0.700, 0.417, 0.700, 0.077),
        20: (0.803, 0.873, 0.653, 0.873, 0.283),
        50: (0.913, 0.963, 0.837, 0.963, 0.484),
    },
    (4, 1): {
        5: (0.807, 0.902, 0.440, 0.823, 0.889),
        20: (0.992, 1, 0.967, 1, 1.365),
        50: (1, 1, 1, 1, 1.386),
    },
    (4, 10): {
        5: (0.440, 0.455, 0.027, 0.213, 0.134),
        20: (0.655, 0.721, 0.190, 0.550, 0.512),
        50: (0.822, 0.927, 0.473, 0.867, 0.917),
    },
    (8, 1): {
        5: (0.672, 0.795, 0.040, 0.490, 1.176),
        20: (0.979, 0.995, 0.840, 0.980, 2.011),
        50: (1, 1, 1, 1, 2.079),
    },
    (8, 10): {
        5: (0.282, 0.269, 0.000, 0.000, 0.166),
        20: (0.417, 0.477, 0.000, 0.060, 0.589),
        50: (0.710, 0.835, 0.060, 0.560, 1.255),
    },
}
PAST_EPISODES = (0, 1, 2, 5, 10, 20, 50, 100)


def reference_matches(agents: int) -> int:
    return 100 if agents == 8 else 300


def draw_counts(rng: np.random.Generator, policies: FloatArray, steps: int) -> FloatArray:
    """(M, N, S, A) action counts of one trajectory of uniform independent states per agent of
    policies (M, N, S, A)."""
    matches, agents = policies.shape[:2]
    states = rng.integers(STATES, size=(matches, agents, steps))  # (M, N, T)
    ladder = policies.cumsum(axis=-1)  # (M, N, S, A)
    here = np.take_along_axis(ladder, states[..., None], axis=2)  # (M, N, T, A)
    actions = (here < rng.random((*states.shape, 1))).sum(axis=-1).clip(max=ACTIONS - 1)
    return count_actions(states, actions, STATES, ACTIONS)


def known_evidence(counts: FloatArray, policies: FloatArray) -> FloatArray:
    """(M, K, N) log-likelihood of each slot's counts under each policy."""
    evidence: FloatArray = np.einsum("mksa,mnsa->mkn", counts, np.log(policies), optimize=True)
    return evidence


def batches(matches: int, size: int = 2000) -> Iterator[int]:
    for start in range(0, matches, size):
        yield min(size, matches - start)


def known_columns(evidence: FloatArray) -> dict[str, FloatArray]:
    """The five columns and the joint nats, one value per match; slots stand in author order."""
    agents = evidence.shape[-1]
    truth = np.arange(agents)
    alone = evidence.argmax(axis=-1) == truth  # (M, K); ties have probability zero here
    joint = most_probable_permutation(evidence) == truth
    log_alone = np.diagonal(Belief(evidence).log_belief(), axis1=1, axis2=2)
    log_joint = np.diagonal(log_permutation_marginals(evidence), axis1=1, axis2=2)
    return {
        "independent top-1": alone.mean(axis=1),
        "joint top-1": joint.mean(axis=1),
        "exact independent": alone.all(axis=1).astype(float),
        "exact joint": joint.all(axis=1).astype(float),
        "nats": log_alone.mean(axis=1) + math.log(agents),
        "joint nats": log_joint.mean(axis=1) + math.log(agents),
    }


def interval(name: str, values: FloatArray) -> Estimate:
    return t_interval(values) if "nats" in name else rate_interval(values)


def reference_inside(reference: float, values: FloatArray, sample: int) -> bool:
    """Does a mean of `sample` matches, rounded to three decimals, plausibly come out at the
    reference?"""
    spread = float(values.std(ddof=1)) * math.sqrt(1 / sample + 1 / len(values))
    # A sample of n that shows nothing but hits is plausible down to 1 - 3.7/n (Clopper-Pearson),
    # whatever its spread.
    slack = 3.7 / sample if reference in (0.0, 1.0) else 0.0005
    return abs(float(values.mean()) - reference) <= max(1.96 * spread + 0.0005, slack)


def known_matches(
    agents: int, alpha: int, steps: int, matches: int, seed: int
) -> dict[str, FloatArray]:
    """The five columns and the joint nats, one value per match."""
    rng = np.random.default_rng([seed, agents, alpha, steps])
    parts = []
    for size in batches(matches):
        policies = rng.dirichlet(np.full(ACTIONS, float(alpha)), size=(size, agents, STATES))
        parts.append(known_columns(known_evidence(draw_counts(rng, policies, steps), policies)))
    columns = {}
    for name in parts[0]:
        values = [part[name] for part in parts]
        columns[name] = np.concatenate(values)
    return columns


def known_row(agents: int, alpha: int, steps: int, matches: int, seed: int) -> dict[str, Any]:
    columns = known_matches(agents, alpha, steps, matches, seed)
    row: dict[str, Any] = {"agents": agents, "alpha": alpha, "steps": steps, "matches": matches}
    row["measured"] = {name: interval(name, values).to_dict() for name, values in columns.items()}
    recorded = dict(zip(COLUMNS, REFERENCE[agents, alpha][steps], strict=True))
    row["reference"] = recorded
    sample = reference_matches(agents)
    row["inside"] = {
        name: reference_inside(recorded[name], columns[name], sample) for name in COLUMNS
    }
    return row


def few_shot_matches(
    agents: int, alpha: float, steps: int, matches: int, seed: int
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Nats of the few-shot limit, row by row and jointly, one value per match; by labelled past
    episodes."""
    rng = np.random.default_rng([seed, agents, int(alpha), steps, 1])
    found: dict[str, list[tuple[FloatArray, FloatArray]]] = {}
    for size in batches(matches, 500):
        policies = rng.dirichlet(np.full(ACTIONS, alpha), size=(size, agents, STATES))
        counts = draw_counts(rng, policies, steps)
        past = np.zeros_like(counts)
        seen = 0
        for episodes in PAST_EPISODES:
            for _ in range(episodes - seen):
                past += draw_counts(rng, policies, steps)
            seen = episodes
            found.setdefault(str(episodes), []).append(nats(few_shot_limit(counts, past, alpha)))
        found.setdefault("known policies", []).append(
            nats(Belief(known_evidence(counts, policies)))
        )
    columns = {}
    for name, parts in found.items():
        alone, joint = zip(*parts, strict=True)
        columns[name] = (np.concatenate(alone), np.concatenate(joint))
    return columns


def few_shot_rows(
    agents: int, alpha: float, steps: int, matches: int, seed: int
) -> list[dict[str, Any]]:
    """Information of the few-shot limit against the number of labelled past episodes, known
    policies last."""
    return [
        {
            "past": name,
            "independent": t_interval(alone).to_dict(),
            "joint": t_interval(joint).to_dict(),
        }
        for name, (alone, joint) in few_shot_matches(agents, alpha, steps, matches, seed).items()
    ]


def nats(belief: Belief) -> tuple[FloatArray, FloatArray]:
    """(M,) information per trajectory in each match: read row by row, and jointly."""
    alone, joint = (
        np.diagonal(belief.log_belief(decode), axis1=1, axis2=2).mean(axis=1)
        + math.log(belief.num_agents)
        for decode in ("independent", "marginals")
    )
    return alone, joint


def cell(figure: dict[str, float]) -> str:
    return str(Estimate.from_dict(figure))


def print_known(rows: list[dict[str, Any]], matches: int) -> None:
    print(
        f"Known policies, {matches} matches a row, 95 % intervals by match; reference in brackets, "
        "! = outside"
    )
    print(
        f"{'N':>2} {'alpha':>5} {'T':>3}  "
        + "  ".join(f"{name:<31}" for name in COLUMNS)
        + "  joint nats"
    )
    for row in rows:
        cells = []
        for name in COLUMNS:
            flag = " " if row["inside"][name] else "!"
            cells.append(f"{cell(row['measured'][name])} ({row['reference'][name]:.3f}){flag:<2}")
        head = f"{row['agents']:>2} {row['alpha']:>5} {row['steps']:>3}  "
        print(
            head
            + "  ".join(f"{text:<31}" for text in cells)
            + "  "
            + cell(row["measured"]["joint nats"])
        )
    outcomes = [inside for row in rows for inside in row["inside"].values()]
    print(
        f"{sum(outcomes)} of {len(outcomes)} reference values inside; 95 % would be "
        f"{0.95 * len(outcomes):.0f}"
    )


def print_few_shot(rows: list[dict[str, Any]], matches: int) -> None:
    print(
        "\nUnknown policies: nats per trajectory after labelled past episodes (N 4, alpha 1, T "
        f"20), {matches} matches"
    )
    print(f"{'past episodes':>15}  {'independent':<23}  joint")
    for row in rows:
        print(f"{row['past']:>15}  {cell(row['independent']):<23}  {cell(row['joint'])}")


def main() -> None:
    script = Script(__doc__, json=True, seed=0, smoke={"matches": 40})
    script.add_argument(
        "--matches", type=int, default=10_000, help="matches per row (a fifth of it for few-shot)"
    )
    options = script.parse()
    matches = options.matches
    few = max(20, matches // 5)
    cells = [
        (agents, alpha, steps) for (agents, alpha), rows in REFERENCE.items() for steps in rows
    ]
    known = [
        known_row(agents, alpha, steps, matches, options.seed) for agents, alpha, steps in cells
    ]
    few_shot = few_shot_rows(4, 1.0, 20, few, options.seed)
    script.save({"seed": options.seed, "matches": matches, "known": known, "few_shot": few_shot})
    print_known(known, matches)
    print_few_shot(few_shot, few)


if __name__ == "__main__":
    main()
