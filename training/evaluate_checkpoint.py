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

from mirrorenv import make_batch
from mirrorenv.envs import spec
from mirrorenv.mirror import Estimate
from mirrorenv.population import load_population
from mirrorenv.population.checkpoint import world_of
from mirrorenv.population.evaluate import evaluate
from mirrorenv.population.settings import MirrorSettings
from mirrorenv.results.runs.evaluation import Evaluation


def main(arguments: Sequence[str] | None = None) -> Evaluation:
    """Print a table; returns everything that was measured."""
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
    found = evaluate(
        population,
        make_batch(world, options.episodes, **world_options),
        world_spec=spec(world, **world_options),
        seed=options.seed,
        mirror=MirrorSettings(**about["mirror"]),
        baselines=True,
    )
    agents = population.shape.num_agents
    print(
        f"{about['world']}: {found.episodes} episodes, chance {1 / agents:.3f}, at most "
        f"{math.log(agents):.3f} nats"
    )
    observers = {"learned": found.learned, "exact limit": found.limit, **found.baselines}
    for name, score in observers.items():
        print(f"{name:<24} top-1 {text(score.top1):>8}  nats {text(score.information):>8}")
    print(f"return {text(found.environment_return)}, mirror return {text(found.mirror_return)}")
    return found


def text(estimate: Estimate | None) -> str:
    """A value, or nan where it is undefined."""
    return "nan" if estimate is None else f"{estimate.value:.3f}"


if __name__ == "__main__":
    main()
