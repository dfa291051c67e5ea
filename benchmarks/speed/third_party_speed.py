"""What the array face costs on top of somebody else's environment: the same episodes stepped bare,
side by side.

    python benchmarks/speed/third_party_speed.py [--num-envs 16] [--seconds 1.0] [--repeats 5]
        [--json] [--smoke]

Bare is what a PettingZoo user writes: one environment, dictionaries in and out, a Python loop. The
batch steps copies of it, checks every answer and returns arrays. One agent-step is one agent acting
once; resets count as time, not as steps. Time is the process's CPU time. The two take turns on the
same seeds and actions; each pair gives one ratio, and the median of the ratios is printed with the
smallest and the largest. Start it with OMP_NUM_THREADS=1.

"empty" is an environment that does nothing at all: its row is the adapter itself, in microseconds
for each agent-step.
"""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import _root  # noqa: F401
import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

import mirrorenv
from benchmarks.shared.runner import Script, machine
from mirrorenv.envs.policies import UniformPolicy
from mirrorenv.mirror.intervals import Estimate, TextStyle


class Empty(ParallelEnv):
    """Eight numbers that never change, no pay, and an end after 25 steps."""

    def __init__(self, agents: int = 4) -> None:
        self.metadata = {"name": "empty"}
        self.possible_agents = [f"agent_{i}" for i in range(agents)]
        self.max_cycles = 25
        self._sight = spaces.Box(0, 1, (8,), np.float32)
        self._acts = spaces.Discrete(5)
        self._seen = np.zeros(8, np.float32)

    def observation_space(self, agent: str) -> Any:
        """The same eight numbers for everybody."""
        return self._sight

    def action_space(self, agent: str) -> Any:
        """The same five choices for everybody."""
        return self._acts

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        """Start the clock."""
        self.agents = list(self.possible_agents)
        self._clock = 0
        return dict.fromkeys(self.agents, self._seen), {agent: {} for agent in self.agents}

    def step(self, actions: Any) -> Any:
        """Let the clock tick."""
        self._clock += 1
        over = self._clock >= self.max_cycles
        was = self.agents
        self.agents = [] if over else was
        flags = dict.fromkeys(was, False), dict.fromkeys(was, over)
        return (
            dict.fromkeys(was, self._seen),
            dict.fromkeys(was, 0.0),
            *flags,
            {agent: {} for agent in was},
        )


CASES: list[tuple[str, str | type, dict[str, Any]]] = [
    ("empty", Empty, {}),
    ("mpe2 simple_spread", "mpe2.simple_spread_v3:parallel_env", {}),
    ("mpe2 simple_tag, padded", "mpe2.simple_tag_v3:parallel_env", {"pad": True}),
    ("SISL pursuit", "pettingzoo.sisl.pursuit_v5:parallel_env", {"max_cycles": 25}),
    ("SISL multiwalker", "pettingzoo.sisl.multiwalker_v9:parallel_env", {"max_cycles": 50}),
    (
        "Butterfly pistonball",
        "pettingzoo.butterfly.pistonball_v6:parallel_env",
        {"max_cycles": 8, "n_pistons": 5},
    ),
]


def bare_seconds(
    env: Any, episodes: list[int], actions: list[list[dict[Any, Any]]]
) -> tuple[float, int]:
    """(CPU seconds, agent-steps) of whole episodes, stepped one after the other."""
    steps = 0
    start = time.process_time()
    for seed, moves in zip(episodes, actions, strict=True):
        env.reset(seed=seed)
        for joint in moves:
            alive = list(env.agents)  # some environments change theirs in place
            if not alive:
                break
            env.step({agent: joint[agent] for agent in alive})
            steps += len(alive)
    return time.process_time() - start, steps


def batch_seconds(world: Any, seeds: list[int], actions: list[Any]) -> tuple[float, int]:
    """(CPU seconds, agent-steps) of the same episodes, all at once."""
    steps = 0
    start = time.process_time()
    world.reset(seeds)
    live = np.ones((world.num_envs, world.num_agents), bool)
    for joint in actions:
        if not live.any():
            break
        step = world.step(joint)
        steps += int(live.sum())
        live &= ~(step.terminated | step.truncated)
    return time.process_time() - start, steps


def measure(
    name: str, id: str | type, kwargs: dict[str, Any], num_envs: int, seconds: float, repeats: int
) -> Any:
    """Pairs of turns until each has used `seconds`; the row of the table."""
    world: Any = mirrorenv.make_batch(id, num_envs, **kwargs)
    bare_kwargs = {key: value for key, value in kwargs.items() if key != "pad"}
    bare = _factory(id)(**bare_kwargs)
    policy = UniformPolicy(world)
    rounds = []
    for repeat in range(repeats):
        spent = np.zeros(2)
        done = np.zeros(2)
        turn = 0
        while spent.max() < seconds:
            seeds = [10_000 * repeat + num_envs * turn + row for row in range(num_envs)]
            first = world.reset(seeds)
            actions = [policy(first, t) for t in range(world.horizon)]
            moves = [_by_name(bare.possible_agents, actions, row) for row in range(num_envs)]
            pair = batch_seconds(world, seeds, actions), bare_seconds(bare, seeds, moves)
            assert pair[0][1] == pair[1][1], "the two did not play the same episodes"
            spent += [used for used, _ in pair]
            done += [count for _, count in pair]
            turn += 1
        rounds.append((done / spent, spent / done))
    ratios = [speed[0] / speed[1] for speed, _ in rounds]
    added = statistics.median((each[0] - each[1]) * 1e6 for _, each in rounds)
    batch = statistics.median(speed[0] for speed, _ in rounds)
    alone = statistics.median(speed[1] for speed, _ in rounds)
    spread = {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}
    return {
        "name": name,
        "num_envs": num_envs,
        "batch": batch,
        "bare": alone,
        "added_us": added,
        "relative": spread,
    }


def _by_name(agents: list[Any], actions: list[Any], row: int) -> list[dict[Any, Any]]:
    """The joint actions of one copy, as PettingZoo takes them."""
    return [dict(zip(agents, joint[row], strict=True)) for joint in actions]


def _factory(id: str | type) -> Callable[..., Any]:
    if not isinstance(id, str):
        return id
    module, _, name = id.partition(":")
    factory: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return factory


def main() -> None:
    """Print the table, or JSON."""
    script = Script(__doc__, json=True, smoke={"num_envs": 2, "seconds": 0.01, "repeats": 1})
    script.add_argument("--num-envs", type=int, default=16, help="copies in the batch")
    script.add_argument("--seconds", type=float, default=1.0, help="CPU time of one turn")
    script.add_argument("--repeats", type=int, default=5, help="pairs of turns")
    options = script.parse()
    rows = []
    missing = []
    for name, id, kwargs in CASES:
        try:
            _factory(id)
        except ImportError as error:
            missing.append(f"{name}: not measured, {error}")
            continue
        row = measure(name, id, kwargs, options.num_envs, options.seconds, options.repeats)
        rows.append(row)
    script.save({"benchmark": "third_party_speed", **machine(), "rows": rows, "missing": missing})
    print(f"agent-steps per CPU second, {options.num_envs} copies")
    print(
        f"{'environment':24} {'bare':>10} {'batch':>10}  {'batch / bare':>22} "
        f"{'added to a step':>16}"
    )
    for row in rows:
        r = row["relative"]
        ratio = Estimate(r["median"], r["low"], r["high"]).text(TextStyle("{:.2f}".format))
        print(
            f"{row['name']:24} {row['bare']:10,.0f} {row['batch']:10,.0f}  {ratio:>22} "
            f"{row['added_us']:13.1f} us"
        )
    print("\n".join(missing))


if __name__ == "__main__":
    main()
