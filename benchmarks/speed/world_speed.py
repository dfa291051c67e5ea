"""How fast each world steps: its array face against its PettingZoo face, side by side in one run.

    python benchmarks/speed/world_speed.py [--num-envs 256] [--seconds 1.0] [--repeats 3] [--json]
    [--smoke]

One agent-step is one agent acting once, its observation, reward and flags included; resets count as
time, not as steps. Time is the process's CPU time, so a neighbour on the same core does not count.
Actions are uniform and drawn beforehand. Start it with OMP_NUM_THREADS=1, so that one core does the
work. The two faces take turns, and the fastest of the repeats is printed for each, since what slows
a repeat down is the rest of the machine.
"""

from __future__ import annotations

import time
from typing import Any

import _root  # noqa: F401
import numpy as np

import mirrorenv
from benchmarks.shared.runner import Script, machine
from mirrorenv.envs.policies import UniformPolicy

_ROUNDS = 16  # joint actions drawn beforehand and used in turn


def array_speed(id: str, num_envs: int, seconds: float) -> float:
    """Agent-steps per CPU second of a batch of `num_envs` copies."""
    world = mirrorenv.make_batch(id, num_envs)
    seeds = np.arange(num_envs)
    policy = UniformPolicy(world)
    actions = [policy(world.reset(seeds), t) for t in range(_ROUNDS)]
    world.reset(seeds)
    done = 0
    start = time.process_time()
    while time.process_time() - start < seconds:
        step = world.step(actions[done % _ROUNDS])
        done += 1
        if (step.terminated | step.truncated).all():
            world.reset(seeds)
    return done * num_envs * world.num_agents / (time.process_time() - start)


def face_speed(id: str, seconds: float) -> float:
    """Agent-steps per CPU second of one copy behind the PettingZoo interface."""
    env = mirrorenv.make(id)
    policy = UniformPolicy(env.world)
    observations, _ = env.reset(seed=0)
    stack = np.stack(list(observations.values()))[None]
    joint = [
        dict(zip(env.possible_agents, policy(stack, t)[0], strict=True)) for t in range(_ROUNDS)
    ]
    done = 0
    start = time.process_time()
    while time.process_time() - start < seconds:
        env.step(joint[done % _ROUNDS])
        done += 1
        if not env.agents:
            env.reset(seed=done)
    return done * len(env.possible_agents) / (time.process_time() - start)


def measure(id: str, num_envs: int, seconds: float, repeats: int) -> dict[str, Any]:
    """The fastest of several turns of each face."""
    turns = [(array_speed(id, num_envs, seconds), face_speed(id, seconds)) for _ in range(repeats)]
    array, face = (max(speeds) for speeds in zip(*turns, strict=True))
    return {
        "id": id,
        "num_envs": num_envs,
        "array": array,
        "pettingzoo": face,
        "ratio": array / face,
    }


def main() -> None:
    """Print the table, or JSON."""
    script = Script(__doc__, json=True, smoke={"seconds": 0.02, "repeats": 1})
    script.add_argument("--num-envs", type=int, default=256, help="copies in the batch")
    script.add_argument("--seconds", type=float, default=1.0, help="length of one measurement")
    script.add_argument("--repeats", type=int, default=3, help="measurements of each face")
    options = script.parse()
    known = [id for id, spec in mirrorenv.registry().items() if spec.kind == "array"]
    rows = [measure(id, options.num_envs, options.seconds, options.repeats) for id in known]
    script.save({"benchmark": "world_speed", **machine(), "rows": rows})
    print("agent-steps per CPU second")
    print(
        f"{'world':26} {'array, B = ' + str(options.num_envs):>16} {'PettingZoo, B = 1':>18} "
        f"{'ratio':>8}"
    )
    for row in rows:
        print(
            f"{row['id']:26} {row['array']:16,.0f} {row['pettingzoo']:18,.0f} {row['ratio']:7.0f}x"
        )


if __name__ == "__main__":
    main()
