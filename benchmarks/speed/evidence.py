"""What an evaluation's evidence and a training's pay cost, beside how they were computed before.

    python benchmarks/speed/evidence.py [--agents 4 8 16] [--heads additive gru likelihood]
    [--episodes 64] [--steps 32] [--repeats 5] [--json] [--smoke]

Evidence: every observer is shown its own shuffle of every lineup. Before, all N observers read
each of the N shuffles and one was kept; now that one reads alone. Pay: one shuffle serves all
observers. Before, episodes were read in chunks of 16 million numbers, now in chunks that fit the
caches; and with `observers_per_author`, those that are not asked do not read. Both ways take turns;
each pair gives one ratio, and the median is printed with the smallest and the largest, and whether
all bits are equal. CPU time; start it with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import _root  # noqa: F401
import numpy as np
import torch

from benchmarks.shared.runner import Script
from mirrorenv.mirror import EpisodeBatch
from mirrorenv.mirror.arrays import AnyArray
from mirrorenv.mirror.neighbourhood import Neighbourhood
from mirrorenv.population import reading
from mirrorenv.population.actions import Choice
from mirrorenv.population.neighbourhood import neighbourhoods_of
from mirrorenv.population.population import Population, lineup_tensors
from mirrorenv.population.settings import ObserverSettings, PopulationSettings, PopulationShape

SEEN = 8
CHOICES = 5
CHUNK_BEFORE = 1 << 24


def episodes_of(agents: int, episodes: int, steps: int) -> EpisodeBatch:
    """Random episodes."""
    rng = np.random.default_rng(0)
    lead = (episodes, steps, agents)
    return EpisodeBatch(
        observations=rng.normal(size=(*lead, SEEN)).astype(np.float32),
        actions=rng.integers(CHOICES, size=lead),
        rewards=np.zeros(lead, np.float32),
        mask=np.ones(lead, bool),
    )


@torch.no_grad()
def evidence_before(
    population: Population, record: EpisodeBatch, lineups: Neighbourhood
) -> AnyArray:
    """All observers on every observer's shuffle, all but one thrown away: (B, T, J, N, N)."""
    batch, time_, agents = record.mask.shape
    read = np.empty((batch, time_, agents, agents, agents), np.float32)
    width = max(agents, population.settings.hidden)
    size = max(1, CHUNK_BEFORE // (time_ * agents**2 * width))
    data = (record.observations, record.actions, record.mask)
    for observer in range(agents):
        order = lineups.permutation[:, observer]  # (B, K)
        slot_of = np.argsort(order, axis=1)[:, None, :, None]
        for start in range(0, batch, size):
            rows = slice(start, start + size)
            part = (torch.from_numpy(one[rows]) for one in data)
            authors = torch.from_numpy(order[rows, None])
            evidence = population.evidence(lineup_tensors(population, *part, authors))
            kept = evidence[:, :, observer].numpy()  # (b, T, K, N)
            read[rows, :, observer] = np.take_along_axis(kept, slot_of[rows], axis=2)
    return read


def pay_before(
    population: Population, record: EpisodeBatch, lineups: Neighbourhood, chosen: AnyArray
) -> AnyArray:
    """All observers read, in large chunks; then some are chosen: (B, T, J', N)."""
    now = reading.CHUNK
    reading.CHUNK = CHUNK_BEFORE
    try:
        return reading.author_log_belief(population, record, lineups)[:, :, chosen]
    finally:
        reading.CHUNK = now


def measure(
    head: str, agents: int, episodes: int, steps: int, repeats: int
) -> list[dict[str, Any]]:
    """Rows of evidence, of pay by all observers, and of pay by two."""
    shape = PopulationShape(
        num_agents=agents, observation_size=SEEN, actions=Choice(choices=CHOICES)
    )
    population = Population(shape, PopulationSettings(observer=ObserverSettings(head=head)))
    record = episodes_of(agents, episodes, steps)
    ids = np.arange(episodes)
    own = neighbourhoods_of(population, record, run=0, episodes=ids)
    one = neighbourhoods_of(population, record, run=0, episodes=ids, one_order=True)
    everybody = np.arange(agents)
    two = everybody[:2]

    def pay(observers: AnyArray | None) -> AnyArray:
        return reading.author_log_belief(population, record, one, observers)

    ways: dict[str, tuple[Callable[[], AnyArray], Callable[[], AnyArray]]] = {
        "evidence": (
            lambda: evidence_before(population, record, own),
            lambda: reading.observer_evidence(population, record, own),
        ),
        "pay": (
            lambda: pay_before(population, record, one, everybody),
            lambda: pay(None),
        ),
        "pay by two": (
            lambda: pay_before(population, record, one, two),
            lambda: pay(two),
        ),
    }
    return [
        {"what": what, "head": head, "agents": agents, **_compared(before, now, repeats)}
        for what, (before, now) in ways.items()
    ]


def _compared(
    before: Callable[[], AnyArray], now: Callable[[], AnyArray], repeats: int
) -> dict[str, Any]:
    equal = np.array_equal(before(), now())  # the first of each also pays for memory

    def seconds(work: Callable[[], AnyArray]) -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    pairs = [(seconds(before), seconds(now)) for _ in range(repeats)]
    ratios = sorted(earlier / later for earlier, later in pairs)
    return {
        "before": statistics.median(earlier for earlier, _ in pairs),
        "now": statistics.median(later for _, later in pairs),
        "ratio": statistics.median(ratios),
        "low": ratios[0],
        "high": ratios[-1],
        "equal_bits": bool(equal),
    }


def main() -> None:
    """Measure and print."""
    smoke = {"agents": [3], "heads": ["additive"], "episodes": 8, "steps": 4, "repeats": 1}
    script = Script(__doc__, json=True, smoke=smoke)
    script.add_argument("--agents", type=int, nargs="+", default=[4, 8, 16])
    script.add_argument("--heads", nargs="+", default=["additive", "gru", "likelihood"])
    script.add_argument("--episodes", type=int, default=64)
    script.add_argument("--steps", type=int, default=32)
    script.add_argument("--repeats", type=int, default=5)
    options = script.parse()
    torch.set_num_threads(1)
    print(f"{options.episodes} episodes of {options.steps} steps; {platform.machine()}")
    rows = []
    for head in options.heads:
        for agents in options.agents:
            found = measure(head, agents, options.episodes, options.steps, options.repeats)
            rows += found
            for row in found:
                print(
                    f"{row['what']:10}  {head:10}  N = {agents:2}: before {row['before']:.3f} s, "
                    f"now {row['now']:.3f} s, {row['ratio']:.1f} times as fast "
                    f"({row['low']:.1f} to {row['high']:.1f}), "
                    f"bits {'equal' if row['equal_bits'] else 'differ'}",
                    flush=True,
                )
    script.save({"rows": rows})


if __name__ == "__main__":
    main()
