"""Cart pole at equal steps: goal agents whose goal is a value, with and without a curriculum.

Each learns from `--steps` steps of single poles and is then tried in 100 episodes without
wandering or sampling; last policy, no best-of. Beside them Stable-Baselines3's PPO with the
settings of rl-zoo (8 copies, 32 steps, 20 epochs, linear step size and clipping), a random policy,
and the optimum, 500 steps.

    python benchmarks/studies/goal_poles.py [--seeds 10] [--only ppo] [--json FILE]
"""

from __future__ import annotations

from typing import Any

import _root  # noqa: F401
import numpy as np

from benchmarks.shared import grid
from benchmarks.shared.runner import Script, machine, say
from mirrorenv.goals.poles import Balancer, PoleSettings, train_poles

ROWS: dict[str, dict[str, Any] | None] = {
    "goals: value": {},
    "goals: value, curriculum of the best half": {"share": 0.5},
    "goals: two levels": {"levels": 2},
    "random": None,
}
PPO = "Stable-Baselines3 PPO, rl-zoo's settings"
EPISODES = 100


def goals(settings: dict[str, Any], steps: int, seed: int) -> float:
    """Mean steps upright of a goal agent."""
    agent = train_poles(PoleSettings(steps=steps, seed=seed, **settings), say=lambda line: None)
    return float(agent.lasts(EPISODES, seed).mean())


def random(seed: int) -> float:
    """Mean steps upright of pushes at random."""
    agent = Balancer(PoleSettings(seed=seed))  # nothing learned: all actions are worth the same
    return float(agent.lasts(EPISODES, seed).mean())


def ppo(steps: int, seed: int) -> float:
    """Mean steps upright of Stable-Baselines3's PPO, acting without sampling."""
    import gymnasium
    from stable_baselines3 import PPO as Learner
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.evaluation import evaluate_policy

    model = Learner(
        "MlpPolicy",
        make_vec_env("CartPole-v1", 8, seed=seed),
        n_steps=32,
        batch_size=256,
        gae_lambda=0.8,
        gamma=0.98,
        n_epochs=20,
        learning_rate=lambda left: 1e-3 * left,
        clip_range=lambda left: 0.2 * left,
        seed=seed,
        device="cpu",
    )
    model.learn(steps)
    world = gymnasium.make("CartPole-v1")
    world.reset(seed=1_000_003 + seed)
    found, _ = evaluate_policy(model, world, EPISODES, deterministic=True, warn=False)
    return float(np.mean(found))


def main() -> None:
    """Measure the rows and print the table."""
    script = Script(__doc__, json=True, seeds=10, smoke={"seeds": 1, "steps": 2000})
    script.add_argument("--first-seed", type=int, default=0)
    script.add_argument("--steps", type=int, default=100_000, help="steps of single poles")
    script.add_argument("--only", default="", help="only rows whose name contains this")
    options = script.parse()
    names = [name for name in (*ROWS, PPO) if options.only.lower() in name.lower()]
    values: dict[str, list[float]] = {name: [] for name in names}
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for name in names:
            settings = ROWS.get(name)
            if name == PPO:
                lasted = ppo(options.steps, seed)
            elif settings is None:
                lasted = random(seed)
            else:
                lasted = goals(settings, options.steps, seed)
            values[name].append(lasted)
        say(f"seed {seed}: " + ", ".join(f"{values[name][-1]:.0f}" for name in names))
    lines = [[name, grid.interval(found)] for name, found in values.items()]
    grid.print_table(
        f"cart pole, {options.steps:,} steps, optimum 500", ["row", "steps upright"], lines
    )
    rows = {name: grid.summary(found) for name, found in values.items()}
    script.save({"benchmark": "goal_poles", **machine(), "steps": options.steps, "rows": rows})


if __name__ == "__main__":
    main()
