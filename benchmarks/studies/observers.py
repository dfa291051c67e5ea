"""Every observer head and baseline on the same agents, beside the exact limit.

    python benchmarks/studies/observers.py [--seeds 1] [--cases dirichlet pacmen] [--json] [--smoke]

Agents are fixed and hard to tell apart (the limit is about half of log N); each observer learns
from 1,000 labelled episodes, is stopped by 100 of them that are held back, and is scored on 1,000
others. Two cases:

dirichlet   tabular random agents, Dirichlet(8), 9 states, 5 actions, 20 steps: no memory, nothing
            seen of the others
pacmen      untrained GRU actors (last-layer gain 1.3) in Pac-Men, 25 steps: they remember,
            and see one another

"alone" reads each row of the evidence by itself, "lineup" decodes permutation marginals; a share is
information over that of the exact limit decoded alike. The joint head has seen the other slots
before its rows are read "alone", so there it may pass the limit of an observer that has not.
Intervals are 95 %: over episodes with one seed, Student's t over seeds with several.
"""

from __future__ import annotations

import time
from typing import Any

import _root  # noqa: F401
import numpy as np
import torch

from benchmarks.shared.readers import (
    DECODINGS,
    Recording,
    dirichlet_case,
    reader_evidence,
    score,
    trained_reader,
)
from benchmarks.shared.runner import Script
from mirrorenv.envs import make_batch
from mirrorenv.mirror import (
    Belief,
    EpisodeBatch,
    Score,
    t_interval,
)
from mirrorenv.mirror.intervals import Estimate, TextStyle
from mirrorenv.population.experience import play, population_shape
from mirrorenv.population.observers import HEADS
from mirrorenv.population.observers.baselines import BASELINES
from mirrorenv.population.population import Population
from mirrorenv.population.settings import PopulationSettings

FIGURES = ("information", "efficiency", "top1")


def pacmen_case(seed: int, episodes: int) -> Recording:
    """Untrained recurrent actors with a policy layer large enough to tell them apart at times."""
    world = make_batch("mirrorenv/pacmen-v0", num_envs=episodes, horizon=25)
    shape = population_shape(world)
    population = Population(
        shape, PopulationSettings(actor="gru", hidden=32, initial_gain=1.3), seed=seed
    )
    seeds = np.arange(episodes) + 1_000_000 * (seed + 1)
    record = play(world, population, seeds, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        log_p = population.actor.replay_log_probability(
            torch.from_numpy(record.observations), torch.from_numpy(record.actions)
        )
    batch = EpisodeBatch(
        observations=record.observations,
        actions=record.actions,
        rewards=record.rewards,
        mask=record.mask,
    )
    return Recording(shape, batch, log_p.numpy())


CASES = {"dirichlet": dirichlet_case, "pacmen": pacmen_case}


def measure(case: str, seed: int, episodes: int, epochs: int) -> list[dict[str, Any]]:
    """All observers on one draw of agents: a row for each."""
    record = CASES[case](seed, 2 * episodes)
    past = record.part(slice(0, episodes))
    test = record.part(slice(episodes, None))
    # (B, 1, K, N); every step happened
    limit = Belief(test.log_p.astype(np.float64).sum(1)[:, None])
    rows = [_row(case, seed, "exact limit", score(limit.evidence, limit), 0.0)]
    for name, make in BASELINES.items():
        start = time.process_time()
        observer = make()
        observer.fit(past.episodes, record.shape.actions)
        found = score(observer.evidence(test.episodes)[:, None], limit)
        rows.append(_row(case, seed, name, found, time.process_time() - start))
    for name in HEADS:
        start = time.process_time()
        found = score(reader_evidence(trained_reader(name, past, seed, epochs), test), limit)
        rows.append(_row(case, seed, name, found, time.process_time() - start))
    return rows


def _row(
    case: str, seed: int, observer: str, scores: dict[str, Score], seconds: float
) -> dict[str, Any]:
    figures = {
        f"{name} {figure}": getattr(scores[name], figure) for name in scores for figure in FIGURES
    }
    return {"case": case, "seed": seed, "observer": observer, "seconds": seconds, **figures}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One observer over its seeds: each figure as value, low, high."""
    result: dict[str, Any] = {key: rows[0][key] for key in ("case", "observer")}
    result["seeds"] = len(rows)
    result["seconds"] = float(np.mean([row["seconds"] for row in rows]))
    for key in (f"{name} {figure}" for name in DECODINGS for figure in FIGURES):
        known = [row[key] for row in rows if row[key] is not None]
        if known:
            estimate = known[0] if len(known) == 1 else t_interval([each.value for each in known])
            result[key] = estimate.to_dict()
    return result


def _print(found: dict[str, Any]) -> None:
    cells = [f"{found['case']:9} {found['observer']:17} {found['seconds']:6.1f}"]
    for name in DECODINGS:
        nats = found[f"{name} information"]
        share = found.get(f"{name} efficiency")
        cells.append(
            f"{_with_interval(nats)}  {_with_interval(share)}  "
            f"{found[f'{name} top1']['value']:5.3f}"
        )
    print("   ".join(cells), flush=True)


def _with_interval(number: dict[str, float] | None) -> str:
    known = Estimate.from_dict(number)
    return known.text(TextStyle("{:6.3f}".format)) if known else " " * 23


def main() -> None:
    """Print the table, or JSON."""
    script = Script(__doc__, json=True, seeds=1, smoke={"seeds": 1, "episodes": 40, "epochs": 1})
    script.add_argument("--cases", nargs="+", choices=sorted(CASES), default=sorted(CASES))
    script.add_argument(
        "--episodes", type=int, default=1000, help="to learn from, and as many to be scored on"
    )
    script.add_argument(
        "--epochs",
        type=int,
        default=30,
        help="passes at most; training stops by held-back episodes",
    )
    options = script.parse()
    heading = "   ".join(
        f"{name + ': nats':23}  {'share of the limit':23}  top-1" for name in DECODINGS
    )
    print(f"{'case':9} {'observer':17} {'CPU s':>6}   {heading}")
    size = {"episodes": options.episodes, "seeds": options.seeds}
    results = []
    for case in options.cases:
        runs = [
            measure(case, seed, options.episodes, options.epochs) for seed in range(options.seeds)
        ]
        for rows in zip(*runs, strict=True):
            results.append(summary(list(rows)))
            _print(results[-1])
    script.save({"benchmark": "observers", **size, "rows": results})


if __name__ == "__main__":
    main()
