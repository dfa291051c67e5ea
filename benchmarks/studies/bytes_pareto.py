"""What does it cost in entropy to be known by one's bytes?

    python benchmarks/studies/bytes_pareto.py [--seeds 5] [--only entropy] [--table] [--smoke]

Agents of `bytes-v0` utter 16 bytes in each of 4 steps; nothing is executed. The world pays the
entropy of the bytes with a weight, the mirror pays for being recognised with weight 1, and the
policy gradient has no entropy bonus of its own. Uniform bytes are anonymous.

The closed form is that of bytes that are independent and whose mixture over agents is uniform: a
byte then tells log 256 - H nats about its speaker, H its entropy, so that M bytes can tell at most
min(log N, M (log 256 - H)). To be known fully takes at least log N / M nats of every byte.

Printed for each condition: entropy of a byte in nats, top-1 of the observers and of the exact
limit, the limit's information, with 95 % intervals over seeds.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np
import torch

from benchmarks.shared.bare_grid import run_bare, trained
from benchmarks.shared.grid import GridScript
from benchmarks.shared.runner import machine
from mirrorenv.envs import make_batch, spec
from mirrorenv.mirror.intervals import t_interval
from mirrorenv.population.evaluate import evaluate
from mirrorenv.population.reading import play_held_out

WORLD = "mirrorenv/bytes-v0"
AGENTS, LENGTH, STEPS = 3, 16, 4
WEIGHTS = (0.0, 0.3, 1.0, 3.0, 10.0, 30.0)
COMMON = (
    f"world={WORLD}",
    f"world_options.num_agents={AGENTS}",
    f"world_options.length={LENGTH}",
    f"world_options.horizon={STEPS}",
    "world_options.execute=false",
    "world_options.memories=0",
    "world_options.see_peers=false",
    "learning.entropy=0.0",
    "learning.learning_rate=0.003",
    "learning.episodes_per_iteration=64",
    "learning.minibatch_episodes=32",
    "total_steps=25600",
)
SMOKE = ("total_steps=64", "learning.episodes_per_iteration=8", "learning.minibatch_episodes=8")


def conditions() -> dict[str, list[str]]:
    """Weights of entropy with the mirror paid, and the control in which it is not."""
    made = {}
    for weight in WEIGHTS:
        paid = f"world_options.rewards={{byte_entropy: {weight}}}"
        made[f"entropy {weight:g}"] = [*COMMON, paid]
    made["no mirror, entropy 1"] = [
        *COMMON,
        "world_options.rewards={byte_entropy: 1.0}",
        "mirror.weight=0.0",
    ]
    return made


def closed_form(entropy: float) -> float:
    """The most that an episode of independent bytes of this entropy tells, in nats."""
    return min(math.log(AGENTS), LENGTH * STEPS * max(0.0, math.log(256) - entropy))


@torch.no_grad()
def measured(folder: Path, episodes: int) -> dict[str, float]:
    """Entropy and recognition of one finished run."""
    population, settings = trained(folder)
    world = make_batch(settings.world, episodes, **settings.world_options)
    found = evaluate(
        population,
        world,
        world_spec=spec(settings.world, **settings.world_options),
        seed=settings.seed,
        mirror=settings.mirror,
    )
    record = play_held_out(population, world, seed=settings.seed, part=1)
    spoken = population.actor.sequence(torch.from_numpy(record.observations)).distribution
    spoken.log_probability(torch.from_numpy(record.actions))
    entropy = float(spoken.entropy().mean()) / LENGTH
    figures = {
        "entropy": entropy,
        "top1": found.learned.top1,
        "limit_top1": found.limit.top1,
        "limit_information": found.limit.information,
    }
    return {
        name: float(getattr(value, "value", value) or 0.0) for name, value in figures.items()
    } | {"closed_form": closed_form(entropy)}


def row_of(found: list[dict[str, float]]) -> dict[str, Any]:
    """Means and intervals over seeds."""
    row: dict[str, Any] = {"seeds": len(found)}
    for name in found[0]:
        values = np.array([one[name] for one in found])
        row[name] = t_interval(values) if len(values) > 1 else float(values[0])
    return row


def main() -> None:
    """Train, measure, print the curve."""
    options = (script := GridScript(__doc__, seeds=5, out="bytes-pareto")).parse()
    folders = run_bare(conditions(), options, SMOKE)
    rows = {}
    for name, paths in folders.items():
        found = [measured(path, 16 if options.smoke else 256) for path in paths]
        if found:
            rows[name] = row_of(found)
            shown = "  ".join(f"{key} {value}" for key, value in rows[name].items())
            print(f"{name:22s} {shown}")
    plain = {
        name: {key: getattr(value, "value", value) for key, value in row.items()}
        for name, row in rows.items()
    }
    script.save({"benchmark": "bytes_pareto", **machine(), "rows": plain})


if __name__ == "__main__":
    main()
