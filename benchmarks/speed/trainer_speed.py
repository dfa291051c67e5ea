"""How fast is training, measured side by side in one run.

1. MirrorPPO against stock RLlib PPO on the same world, batch and network sizes: a module for each
   agent, and one classifier trained beside it on as many trajectories. Env-steps/s of whole
   iterations.
2. MirrorPPO against the same computation in a bare loop (training/bare_loop.py).
3. What the mirror costs: the bare loop's update with and without observers, for N = 2..16 agents.
4. Where the work is done: 0 runners / 0 learners against 2 / 2 (on two cores: do not expect a
   gain).
5. Peak memory of the demo's command, all its processes together.

Rows are interleaved (A B A B ...), medians are printed with their range. Nothing here is a test.
"""

from __future__ import annotations

import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np
import ray
import torch

from benchmarks.shared.runner import Script, load_recipe
from mirrorenv import make, make_batch
from mirrorenv.population import Population, play, population_shape
from mirrorenv.population.experience import world_seeds
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.objectives import observer_loss, ppo_loss, read_minibatch
from mirrorenv.population.settings import LearningSettings, MirrorSettings, PopulationSettings
from mirrorenv.population.train_batch import combine_advantages, train_batch
from mirrorenv.rllib import MirrorPPOConfig

WORLD = "mirrorenv/ants-v0"
ROOT = Path(__file__).resolve().parents[2]


def interleaved(rounds: int, **work: Callable[[], float]) -> dict[str, list[float]]:
    """Rates of each kind of work, in turns, after one warm-up each."""
    for step in work.values():
        step()
    rates: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, step in work.items():
            rates[name].append(step())
    return rates


def per_second(steps: float, work: Callable[[], object]) -> float:
    """Env-steps per second of wall time."""
    start = time.perf_counter()
    work()
    return steps / (time.perf_counter() - start)


def mirror_algorithm(runners: int = 0, learners: int = 0) -> tuple[Any, int]:
    """MirrorPPO with its defaults, and env steps in an iteration."""
    config = MirrorPPOConfig().environment(WORLD).env_runners(num_env_runners=runners)
    algorithm = config.learners(num_learners=learners).build_algo()
    return algorithm, algorithm.config.learning_settings.episodes_per_iteration * make_batch(
        WORLD, 1
    ).horizon


def stock_algorithm(steps: int) -> Any:
    """RLlib's own PPO: one module for each agent, MultiAgentEnvRunner, same sizes, batch and
    epochs."""
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
    from ray.rllib.env.multi_agent_env import MultiAgentEnv

    class Ants(MultiAgentEnv):  # type: ignore[misc]
        def __init__(self, config: Any = None) -> None:
            super().__init__()
            self.env = make(WORLD)
            self.agents = self.possible_agents = list(self.env.possible_agents)
            self.observation_spaces = {
                name: self.env.observation_space(name) for name in self.agents
            }
            self.action_spaces = {name: self.env.action_space(name) for name in self.agents}

        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            return self.env.reset(seed=seed)

        def step(self, actions: Any) -> Any:
            observations, rewards, terminated, truncated, infos = self.env.step(actions)
            over = not self.env.agents
            return (
                observations,
                rewards,
                {**terminated, "__all__": over},
                {**truncated, "__all__": over},
                infos,
            )

    names = list(make(WORLD).possible_agents)
    config = PPOConfig().environment(Ants).env_runners(num_env_runners=0, num_envs_per_env_runner=8)
    config.multi_agent(policies=names, policy_mapping_fn=lambda agent, *_, **__: agent)
    config.rl_module(
        model_config=DefaultModelConfig(fcnet_hiddens=[64, 64], fcnet_activation="tanh")
    )
    config.training(
        train_batch_size_per_learner=steps, minibatch_size=steps // 4, num_epochs=4, lr=1e-3
    )
    return config.build_algo()


def classifier_beside(steps: int) -> Callable[[], None]:
    """One additive classifier over the same number of trajectories, four epochs, as stock PPO would
    need beside it."""
    shape = population_shape(make_batch(WORLD, 1))
    network = torch.nn.Sequential(
        torch.nn.Linear(shape.observation_size + shape.action_features, 64),
        torch.nn.ReLU(),
        torch.nn.Linear(64, shape.num_agents),
    )
    optimiser = torch.optim.Adam(network.parameters())
    horizon = make_batch(WORLD, 1).horizon
    episodes = steps // horizon
    features = torch.randn(episodes * shape.num_agents, horizon, network[0].in_features)
    labels = torch.arange(shape.num_agents).repeat(episodes)

    def train() -> None:
        for _ in range(4):
            for rows in torch.randperm(len(labels)).split(len(labels) // 4):
                evidence = network(features[rows]).cumsum(1)
                target = labels[rows, None].expand(-1, horizon)
                loss = torch.nn.functional.cross_entropy(evidence.flatten(0, 1), target.flatten())
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()

    return train


def bare_loop() -> Any:
    """training/bare_loop.py, loaded from its file."""
    return load_recipe("bare_loop").train(WORLD)


def update_cost(agents: int, rounds: int, **observer: Any) -> dict[str, float]:
    """Seconds of one whole iteration (play, rewards, updates) with the mirror and without it."""
    learning = LearningSettings(episodes_per_iteration=64, minibatch_episodes=32)
    settings = PopulationSettings(observer=observer)
    world = make_batch(WORLD, learning.episodes_per_iteration, num_agents=agents)
    population = Population(population_shape(world), settings)
    set_objectives(population, MirrorSettings(), learning)
    generator = torch.Generator().manual_seed(0)
    rng = np.random.default_rng(0)
    episodes = np.arange(learning.episodes_per_iteration)

    def iteration(mirror: bool) -> None:
        experience = play(world, population, world_seeds(0, episodes), generator)
        reward = MirrorSettings() if mirror else None
        columns = train_batch(
            population, experience, reward, learning, run=0, episodes=episodes, rng=rng
        )
        columns["advantage"] = combine_advantages(columns, 1.0)
        data = {
            name: torch.from_numpy(np.ascontiguousarray(column)) for name, column in columns.items()
        }
        for _ in range(learning.epochs):
            for rows in torch.randperm(len(episodes), generator=generator).split(
                learning.minibatch_episodes
            ):
                batch = {name: column[rows] for name, column in data.items()}
                loss, _ = ppo_loss(
                    population.actor.sequence(batch["observations"]), batch, learning
                )
                if mirror:
                    reading = read_minibatch(population, batch, settings.observer, generator)
                    loss = loss + observer_loss(population, reading)[0]
                loss.backward()
                population.zero_grad()

    rates = interleaved(
        rounds,
        on=lambda: per_second(1, lambda: iteration(True)),
        off=lambda: per_second(1, lambda: iteration(False)),
    )
    return {name: 1 / statistics.median(values) for name, values in rates.items()}


def peak_memory() -> float:
    """GiB of resident memory of the demo's command and all its children, largest sum seen
    (Linux)."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "mirrorenv",
            "train",
            WORLD,
            "--quiet",
            "--run",
            f"{folder}/demo",
        ]
        process = subprocess.Popen([*command, "--set", "total_steps=30000"])
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, sum(_proportional_kib(pid) for pid in _tree(process.pid)) / 2**20)
            time.sleep(0.5)
    return peak


def _tree(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(
                    (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                )
            except OSError:
                continue
    found = {root}
    frontier = {root}
    while frontier:
        frontier = {pid for pid, parent in parents.items() if parent in frontier} - found
        found |= frontier
    return sorted(found)


def _proportional_kib(pid: int) -> int:
    """Proportional set size: shared pages counted once over all processes."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def show(name: str, values: list[float]) -> str:
    """Median and range."""
    return (
        f"{name}: {statistics.median(values):,.0f} env-steps/s (range {min(values):,.0f} to "
        f"{max(values):,.0f})"
    )


def main() -> None:
    """Measure and print."""
    script = Script(__doc__, json=True, smoke={"rounds": 1})
    script.add_argument("--rounds", type=int, default=5)
    options = script.parse()
    rounds = options.rounds
    logging.getLogger("ray").setLevel(logging.ERROR)
    ray.init(
        address="local",
        num_cpus=8,
        include_dashboard=False,
        logging_level="ERROR",
        log_to_driver=False,
    )
    out: dict[str, Any] = {"cores": os.cpu_count(), "rounds": rounds}

    ours, steps = mirror_algorithm()
    stock = stock_algorithm(steps)
    beside = classifier_beside(steps)
    bare = bare_loop()
    rates = interleaved(
        rounds,
        mirror_ppo=lambda: per_second(steps, ours.train),
        stock_ppo=lambda: per_second(steps, lambda: (stock.train(), beside())),
        bare_loop=lambda: per_second(steps, lambda: next(bare)),
    )
    for name, values in rates.items():
        print(show(name, values))
    for other in ("stock_ppo", "bare_loop"):
        ratios = [a / b for a, b in zip(rates["mirror_ppo"], rates[other], strict=True)]
        print(
            f"MirrorPPO over {other}: {statistics.median(ratios):.2f} (range {min(ratios):.2f} to "
            f"{max(ratios):.2f})"
        )
        out[f"mirror_ppo_over_{other}"] = ratios
    out["env_steps_per_second"] = rates
    stock.stop()

    remote, _ = mirror_algorithm(runners=2, learners=2)
    places = interleaved(
        rounds,
        here=lambda: per_second(steps, ours.train),
        two_runners_two_learners=lambda: per_second(steps, remote.train),
    )
    for name, values in places.items():
        print(show(name, values))
    out["places"] = places
    remote.stop()
    ours.stop()
    ray.shutdown()

    out["mirror_cost"] = {}
    for agents in (2, 4) if options.smoke else (2, 4, 8, 16):
        chosen = update_cost(agents, rounds)
        whole = update_cost(agents, rounds, slots_per_update=0)
        cost = chosen["on"] / chosen["off"]
        whole_cost = whole["on"] / whole["off"]
        print(
            f"N = {agents}: an iteration with the mirror takes {cost:.2f} times one without; "
            f"{whole_cost:.2f} when every update reads every slot"
        )
        out["mirror_cost"][agents] = {"default": cost, "every_slot": whole_cost, "seconds": chosen}
    out["demo_peak_gib"] = peak_memory()
    print(f"peak memory of the demo's command, all processes: {out['demo_peak_gib']:.2f} GiB")
    script.save(out)


if __name__ == "__main__":
    main()
