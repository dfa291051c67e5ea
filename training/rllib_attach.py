"""RLlib's own algorithms with a mirror attached: stock PPO, APPO or IMPALA, modules of your own.

python training/rllib_attach.py --algorithm ppo
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import ray
from ray.rllib.algorithms.appo import APPOConfig
from ray.rllib.algorithms.impala import IMPALAConfig
from ray.rllib.algorithms.ppo import PPOConfig

from mirrorenv.rllib import attach

CONFIGS = {"ppo": PPOConfig, "appo": APPOConfig, "impala": IMPALAConfig}
# what is RLlib's own; nothing of it has to be said for the mirror's sake
BATCHES = {
    "ppo": {"train_batch_size_per_learner": 4096, "minibatch_size": 1024, "num_epochs": 4},
    "appo": {"train_batch_size_per_learner": 1024},
    "impala": {"train_batch_size_per_learner": 1024},
}


def main(arguments: Sequence[str] | None = None) -> list[tuple[int, float]]:
    """Train until `--until` is recognised, and print a line for each iteration.

    Returns:
        environment steps sampled and the share recognised of episodes that no head had learned
        from, by iteration.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--algorithm", choices=CONFIGS, default="ppo")
    parser.add_argument("--world", default="mirrorenv/ants-v0")
    parser.add_argument("--weight", type=float, default=1.0, help="of the mirror reward")
    parser.add_argument("--iterations", type=int, default=12)
    parser.add_argument("--until", type=float, default=1.0, help="stop above this share")
    parser.add_argument("--batch", type=int, help="environment steps in a batch of the learner")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)

    ray.init(
        address="local", ignore_reinit_error=True, include_dashboard=False, logging_level="ERROR"
    )
    config = (
        CONFIGS[options.algorithm]()
        .environment(options.world)
        .env_runners(num_env_runners=0, num_envs_per_env_runner=16)
        .training(lr=1e-3, gamma=1.0, entropy_coeff=0.01, **BATCHES[options.algorithm])
        .debugging(seed=options.seed, log_level="ERROR")
        .reporting(min_time_s_per_iteration=0)
    )
    if options.batch:
        config.training(train_batch_size_per_learner=options.batch)
    if options.algorithm == "ppo":
        config.training(
            vf_loss_coeff=0.5,
            minibatch_size=min(config.minibatch_size, config.train_batch_size_per_learner),
        )
    # the one line: a module for each agent, heads, reward and figures
    algorithm = attach(config, weight=options.weight, seed=options.seed).build_algo()
    rows: list[tuple[int, float]] = []
    try:
        while len(rows) < options.iterations and (not rows or rows[-1][1] <= options.until):
            result = algorithm.train()
            figures = result.get("learners", {}).get("mirror", {})
            if "top1" not in figures:  # an asynchronous learner has not reported yet
                continue
            steps = int(result["num_env_steps_sampled_lifetime"])
            rows.append((steps, float(figures["top1"])))
            print(
                f"{steps:>9,} steps  named right {figures['top1']:.2f}  information "
                f"{figures['information']:.2f} nats"
            )
    finally:
        algorithm.stop()
    return rows


if __name__ == "__main__":
    main()
