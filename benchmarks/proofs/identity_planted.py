"""Is `mirrorenv identity` right where the truth is known?

Four agents whose laws of action differ by a known number of nats a trajectory (none, .1, .3, 1),
or not at all, act in 200 simulations; their log is measured as anybody's would be. Printed: how
often the truth lies in the interval, and the mean difference. Run:

    python benchmarks/proofs/identity_planted.py [--simulations 200] [--episodes 200] [--json FILE]

The true nats of a trajectory of T independent actions are computed by Monte Carlo from the laws
themselves (40,000 trajectories: a standard error below .005).
"""

from __future__ import annotations

import _root  # noqa: F401
import numpy as np
from scipy.optimize import brentq

from benchmarks.shared.runner import Script, machine
from mirrorenv.instrument.record import Lineups, StepRecord
from mirrorenv.instrument.telling_apart import identity_of
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.mirror.belief import log_softmax

AGENTS = 4
ACTIONS = 5
STEPS = 20
_STRONGEST = 5.0
PLANTED = (0.0, 0.1, 0.3, 1.0)


def laws(strength: float, seed: int) -> Floats64:
    """(N, A) laws of action: softmax of normal numbers times a strength."""
    logits = strength * np.random.default_rng(seed).normal(size=(AGENTS, ACTIONS))
    return np.exp(log_softmax(logits))


def nats(law: Floats64, trajectories: int, seed: int) -> float:
    """Mutual information of author and trajectory, from the laws."""
    rng = np.random.default_rng(seed)
    author = rng.integers(AGENTS, size=trajectories)
    counts = rng.multinomial(STEPS, law[author])  # (M, A)
    belief = log_softmax(counts @ np.log(law).T)  # (M, N)
    return float(np.log(AGENTS) + belief[np.arange(trajectories), author].mean())


def planted(target: float, seed: int) -> tuple[Floats64, float]:
    """Laws with so many nats a trajectory, and how many they have exactly."""
    if target == 0.0:
        return np.full((AGENTS, ACTIONS), 1.0 / ACTIONS), 0.0
    while nats(laws(_STRONGEST, seed), 4000, 1) < target:  # two agents have the same favourite
        seed += 10_000
    strength = brentq(
        lambda one: nats(laws(one, seed), 4000, 1) - target, 1e-3, _STRONGEST, xtol=1e-3
    )
    law = laws(float(strength), seed)
    return law, nats(law, 40_000, 2)


def log_of(law: Floats64, episodes: int, seed: int) -> StepRecord:
    """What agents with these laws did, beside observations that say nothing of who acts."""
    rng = np.random.default_rng(seed)
    agent = np.tile(np.arange(AGENTS), episodes)
    episode = np.repeat(np.arange(episodes), AGENTS)
    cumulated = law.cumsum(1)[agent]  # (M, A)
    draws = rng.random((len(agent), STEPS, 1))
    actions = (draws > cumulated[:, None, :-1]).sum(-1).reshape(-1, 1)
    seen = rng.normal(size=(len(agent), STEPS, 4)).cumsum(1).reshape(-1, 4)
    names = tuple(f"agent {index}" for index in range(AGENTS))
    return StepRecord(
        Lineups(names, agent, episode),
        np.repeat(np.arange(len(agent)), STEPS),
        seen.astype(np.float32),
        ("x", "y", "z", "w"),
        actions.astype(np.float64),
        ("action",),
        (ACTIONS,),
    )


def row(target: float, simulations: int, episodes: int) -> dict[str, float]:
    """Coverage and bias of one planted difference."""
    errors = []
    inside = 0
    for seed in range(simulations):
        law, truth = planted(target, seed)
        found = identity_of(log_of(law, episodes, 1000 + seed), seed=seed).reading.identity
        errors.append(found.value - truth)
        inside += found.low <= truth <= found.high
    return {
        "planted": target,
        "episodes": episodes,
        "simulations": simulations,
        "inside": inside / simulations,
        "bias": float(np.mean(errors)),
        "bias_error": float(np.std(errors) / np.sqrt(simulations)),
    }


def main() -> None:
    """All planted differences."""
    script = Script(__doc__, json=True, smoke={"simulations": 2, "episodes": 20})
    script.add_argument("--simulations", type=int, default=200)
    script.add_argument("--episodes", type=int, default=200)
    options = script.parse()
    rows = []
    print("| planted nats | truth inside its interval | bias (standard error) |")
    print("|---:|---:|---:|")
    for target in PLANTED:
        found = row(target, options.simulations, options.episodes)
        rows.append(found)
        bias = f"{found['bias']:.4f} ({found['bias_error']:.4f})"
        print(f"| {target:g} | {found['inside']:.3f} | {bias} |", flush=True)
    script.save({"benchmark": "identity_planted", **machine(), "rows": rows})


if __name__ == "__main__":
    main()
