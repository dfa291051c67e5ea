"""What `before_after.py` measures, in a process of its own with one tree on its path.

Not a benchmark itself. The process loads everything once, then answers each line of its input, the
name of a workload, with its rate since: units of work for each second of processor time. It uses
nothing but what both trees have had for long: `make`, `make_batch`, a random policy,
`MirrorPPOConfig` and the recipe `training/bare_loop.py`.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

WORLD = "mirrorenv/ants-v0"
ACTIONS = 16  # joint actions drawn beforehand and used in turn
Work = Callable[[], int]
"""Does a piece of work and returns how many units it had."""


def array_work(id: str) -> Work:
    """Agent-steps of 256 copies of a world."""
    import mirrorenv
    from mirrorenv.envs import UniformPolicy

    world = mirrorenv.make_batch(id, 256)
    seeds = np.arange(256)
    policy = UniformPolicy(world)
    first = world.reset(seeds)
    actions = [policy(first, t) for t in range(ACTIONS)]

    def episode() -> int:
        world.reset(seeds)
        for t in range(world.horizon):
            step = world.step(actions[t % ACTIONS])
            if (step.terminated | step.truncated).all():
                break
        return (t + 1) * world.num_envs * world.num_agents

    return episode


def face_work(id: str) -> Work:
    """Agent-steps of one copy behind the PettingZoo interface."""
    import mirrorenv
    from mirrorenv.envs import UniformPolicy

    env = mirrorenv.make(id)
    policy = UniformPolicy(env.world)
    observations, _ = env.reset(seed=0)
    stack = np.stack(list(observations.values()))[None]
    names = list(env.possible_agents)
    actions = [dict(zip(names, policy(stack, t)[0], strict=True)) for t in range(ACTIONS)]

    def episode() -> int:
        env.reset(seed=0)
        steps = 0
        while env.agents:
            env.step(actions[steps % ACTIONS])
            steps += 1
        return steps * len(names)

    return episode


def trainer_work() -> Work:
    """Env-steps of whole iterations of MirrorPPO in this process."""
    import ray

    import mirrorenv
    from mirrorenv.rllib import MirrorPPOConfig

    logging.getLogger("ray").setLevel(logging.ERROR)
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        logging_level="ERROR",
        log_to_driver=False,
    )
    algorithm = MirrorPPOConfig().environment(WORLD).build_algo()
    episodes = algorithm.config.learning_settings.episodes_per_iteration
    steps = episodes * mirrorenv.make_batch(WORLD, 1).horizon

    def iteration() -> int:
        algorithm.train()
        return int(steps)

    return iteration


def bare_loop(tree: Path) -> Any:
    """The tree's recipe as a module."""
    spec = importlib.util.spec_from_file_location("bare_loop", tree / "training" / "bare_loop.py")
    assert spec is not None and spec.loader is not None
    recipe: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    return recipe


def bare_work(tree: Path) -> Work:
    """Env-steps of whole iterations of the same computation in a bare loop."""
    rows = bare_loop(tree).train(WORLD)
    done = 0

    def iteration() -> int:
        nonlocal done
        before = done
        done = int(next(rows)["env_steps"])
        return done - before

    return iteration


def rate(work: Work, seconds: float) -> float:
    """Units for each second of processor time, over at least so many seconds."""
    units = 0
    begun = time.process_time()
    while True:
        units += work()
        spent = time.process_time() - begun
        if spent >= seconds:
            return units / spent


def main() -> None:
    """Set up what is asked for, then measure it line by line."""
    tree = Path(sys.argv[1])
    seconds = float(sys.argv[2])
    import torch

    import mirrorenv

    torch.set_num_threads(1)
    home = Path(mirrorenv.__file__).resolve()
    assert home.is_relative_to(tree.resolve()), f"{home} was imported, not that of {tree}"
    kinds: dict[str, Callable[[str], Work]] = {
        "array": array_work,
        "pettingzoo": face_work,
        "trainer": lambda _: trainer_work(),
        "bare": lambda _: bare_work(tree),
    }
    import loop_works

    known: dict[str, Work] = {}
    answers = sys.stdout
    sys.stdout = sys.stderr  # what a trainer prints is no answer
    for line in sys.stdin:
        name = line.strip()
        if name not in known:
            kind, _, id = name.partition(" ")
            if kind in ("array", "pettingzoo") and id not in mirrorenv.registry():
                print("null", file=answers, flush=True)  # this tree has no such world
                continue
            own = kind in loop_works.KINDS
            known[name] = loop_works.work_of(name, tree) if own else kinds[kind](id)
            known[name]()  # the first one pays for memory and for imports
        print(json.dumps(rate(known[name], seconds)), file=answers, flush=True)
