"""Measure a saved population: returns, recognition, the exact limit and every baseline observer, on
fresh episodes.

    python training/evaluate_checkpoint.py runs/ants/checkpoints/000150528
    python training/evaluate_checkpoint.py runs/mirror_ppo

Takes any folder with a population in it: of `mirrorenv train`, of `rllib train` (its `population`
folder), or of training/mirror_ppo.py. Nothing in it is unpickled.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mirrorenv import make_batch
from mirrorenv.envs import spec
from mirrorenv.population import load_population
from mirrorenv.population.checkpoint import world_of
from mirrorenv.population.evaluate import evaluate
from mirrorenv.population.settings import MirrorSettings


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Print a table; returns the whole row of measurements."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--episodes", type=int, default=256)
    parser.add_argument(
        "--seed", type=int, default=1_000_000, help="held-out episodes follow from it"
    )
    parser.add_argument(
        "--world", help="its world, if that is package.module:Env: code is run only if named"
    )
    options = parser.parse_args(arguments)

    population, about = load_population(options.checkpoint)
    world, world_options = world_of(about, options.world)
    row = evaluate(
        population,
        make_batch(world, options.episodes, **world_options),
        world_spec=spec(world, **world_options),
        seed=options.seed,
        mirror=MirrorSettings(**about["mirror"]),
        baselines=True,
    )
    chance, ceiling = 1 / row["num_agents"], math.log(row["num_agents"])
    print(
        f"{about['world']}: {row['episodes']} episodes, chance {chance:.3f}, at most {ceiling:.3f} "
        "nats"
    )
    observers = {"learned": row["learned"], "exact limit": row["limit"], **row["baselines"]}
    for name, score in observers.items():
        numbers = [
            f"{(score.get(key) or {}).get('value', math.nan):>8.3f}"
            for key in ("top1", "information")
        ]
        print(f"{name:<24} top-1 {numbers[0]}  nats {numbers[1]}")
    print(f"return {row['return']['value']:.3f}, mirror return {row['mirror_return']['value']:.3f}")
    return row


if __name__ == "__main__":
    main()
