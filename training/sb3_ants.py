"""Ants on a line that earn nothing but recognition, with PPO from Stable-Baselines3: one policy for
all agents.

    pip install '.[sb3]'
    python training/sb3_ants.py --steps 40000 --seed 0
    python training/sb3_ants.py --steps 40000 --seed 0 --weight 0

The policy is told who is acting, the observers are not. Weight 0 trains observers that nobody is
paid by.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import NamedTuple

import torch
from stable_baselines3 import PPO

from mirrorenv.mirror import Score
from mirrorenv.sb3 import MirrorCallback, vec_env


class Row(NamedTuple):
    """What was measured on 256 episodes that nobody was trained on."""

    env_steps: int
    score: Score


def train(
    world: str, *, seed: int, steps: int, weight: float, measurements: int = 4
) -> Iterator[Row]:
    """Train and measure in turns; joint steps are counted, not steps of single agents."""
    env = vec_env(world, 64, mirror={"weight": weight}, seed=seed)
    model = PPO(
        "MlpPolicy",
        env,
        n_steps=32,
        batch_size=2048,
        n_epochs=4,
        learning_rate=1e-3,
        gamma=1.0,  # a discount would make early evidence worth more than late
        ent_coef=0.01,
        seed=seed,
    )
    callback = MirrorCallback(seed=seed)
    for _ in range(measurements):
        model.learn(
            steps * env.num_agents // measurements, callback=callback, reset_num_timesteps=False
        )
        yield Row(model.num_timesteps // env.num_agents, callback.score(256))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("world", nargs="?", default="mirrorenv/ants-v0")
    parser.add_argument("--steps", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weight", type=float, default=1.0, help="mirror weight")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for row in train(options.world, seed=options.seed, steps=options.steps, weight=options.weight):
        print(
            f"{row.env_steps:>7,} steps  recognised {row.score.top1}  information "
            f"{row.score.information}",
            flush=True,
        )
