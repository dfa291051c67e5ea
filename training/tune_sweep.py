"""A Ray Tune sweep over the mirror weight: from which weight on do the agents become recognisable?

python training/tune_sweep.py --weights 0 0.1 0.3 1 --seeds 2
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import ray
from ray import tune

from mirrorenv.rllib import MirrorPPO, MirrorPPOConfig


def main(arguments: Sequence[str] | None = None) -> list[dict[str, float]]:
    """Train one population for each weight and seed; prints and returns their last mirror
    returns."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--world", default="mirrorenv/ants-v0")
    parser.add_argument("--weights", type=float, nargs="+", default=[0.0, 0.1, 0.3, 1.0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=15)
    parser.add_argument("--episodes", type=int, default=256, help="episodes in an iteration")
    parser.add_argument("--out", type=Path, default=Path("runs/tune_sweep"))
    options = parser.parse_args(arguments)

    ray.init(
        address="local", ignore_reinit_error=True, include_dashboard=False, logging_level="ERROR"
    )
    config = MirrorPPOConfig().environment(options.world)
    config.learning(
        episodes_per_iteration=options.episodes, minibatch_episodes=min(64, options.episodes)
    )
    space = {
        **config.to_dict(),
        # what is merged into the settings of this name
        "mirror": {"weight": tune.grid_search(options.weights)},
        "seed": tune.grid_search(list(range(options.seeds))),
    }
    tuner = tune.Tuner(
        MirrorPPO,
        param_space=space,
        run_config=tune.RunConfig(
            name="sweep",
            storage_path=str(options.out.resolve()),
            stop={"training_iteration": options.iterations},
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=True),
            verbose=0,
        ),
    )
    results = tuner.fit()
    if results.num_errors:
        raise SystemExit(f"{results.num_errors} trials failed: {results.errors[0]}")
    rows = [
        {
            "weight": result.config["mirror"]["weight"],
            "seed": result.config["seed"],
            "mirror_return": result.metrics["env_runners"]["mirror_return_mean"],
            "env_steps": result.metrics["env_runners"]["num_env_steps_sampled_lifetime"],
        }
        for result in results
    ]
    rows.sort(key=lambda row: (row["weight"], row["seed"]))
    for row in rows:
        print(
            f"weight {row['weight']:<5}  seed {row['seed']}  mirror return "
            f"{row['mirror_return']:.3f} nats"
        )
    print(f"next: rllib evaluate {options.out / 'sweep'}")
    return rows


if __name__ == "__main__":
    main()
