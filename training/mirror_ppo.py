"""MirrorPPO from Python: an RLlib algorithm like any other, with the mirror reward beside the
environment's.

python training/mirror_ppo.py --iterations 10
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import ray

from mirrorenv.population import save_population
from mirrorenv.rllib import MirrorPPOConfig


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train, print a line for each iteration, save the population; returns the last iteration's
    numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--world", default="mirrorenv/ants-v0")
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--episodes", type=int, default=256, help="episodes in an iteration")
    parser.add_argument("--out", type=Path, default=Path("runs/mirror_ppo"))
    options = parser.parse_args(arguments)

    ray.init(
        address="local", ignore_reinit_error=True, include_dashboard=False, logging_level="ERROR"
    )
    config = (
        MirrorPPOConfig()
        .environment(options.world)
        .mirror(weight=1.0, credit="author")  # what recognition is worth, and who is paid for it
        .population(weights="separate", actor="mlp")  # N networks, stacked in one module
        .learning(
            episodes_per_iteration=options.episodes, minibatch_episodes=min(64, options.episodes)
        )
        .env_runners(num_env_runners=0)  # Ray actors that sample; 0: this process does
        .learners(num_learners=0)
        .debugging(seed=0)
    )
    algorithm = config.build_algo()
    row: dict[str, float] = {}
    try:
        ceiling = math.log(algorithm.population.shape.num_agents)
        for iteration in range(1, options.iterations + 1):
            result = algorithm.train()
            row = {
                name: result["env_runners"][name]
                for name in ("episode_return_mean", "mirror_return_mean")
            }
            row["named_right"] = float(result["learners"]["default_policy"]["observer_accuracy"])
            print(
                f"{iteration:>4}  {algorithm.steps_done:>9,} steps  return "
                f"{row['episode_return_mean']:.2f}  mirror "
                f"return {row['mirror_return_mean']:.2f} of {ceiling:.2f} nats  named right "
                f"{row['named_right']:.2f}"
            )
        about = {
            "world": options.world,
            "world_options": {},
            "mirror": config.mirror_settings.model_dump(mode="json"),
        }
        save_population(options.out, algorithm.population, about)
    finally:
        algorithm.stop()
    print(f"next: python training/evaluate_checkpoint.py {options.out}")
    return row


if __name__ == "__main__":
    main()
