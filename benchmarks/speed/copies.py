"""What rollouts would gain if nothing that a world answers was copied: the most that worlds which
write into the columns of whoever records could gain.

    python benchmarks/speed/copies.py [--rounds 10] [--seconds 0.5]

The loop of fast rollouts plays as it does, and with the copies left out: the world hands out its
own arrays, and observations are not written down. What it records is then wrong; only its speed is
looked at. Both ways take turns; printed are environment steps for each second of processor time and
the median ratio with the smallest and the largest.
"""

from __future__ import annotations

import statistics
from typing import Any
from unittest import mock

import _root  # noqa: F401
import loop_works
import torch
from before_after_worker import rate

from benchmarks.shared.runner import Script, machine
from mirrorenv.envs.base import ClockedWorld, Step
from mirrorenv.mirror.arrays import AnyArray, Floats32
from mirrorenv.population.rollouts import LaidOut

WORLDS = ("mirrorenv/ants-v0", "mirrorenv/pacmen-v0")


def own_arrays(world: Any, rewards: Floats32) -> Step:
    """`ClockedWorld._answer` without a copy."""
    return Step(world._last, rewards, world._ended, world.finished[:, None] & ~world._ended)


def unwritten(policy: Any, observations: AnyArray, state: None, t: int) -> tuple[AnyArray, None]:
    """`LaidOut.step` that does not keep what it saw."""
    seen = observations.reshape(policy.seen[:, t].shape)
    outputs = policy._said(seen, policy._outputs[t])
    actions = policy.actor.distribution(outputs[..., :-2]).choose(policy.noise[t])
    policy.actions[:, t] = actions
    return policy.layout.to_world(actions.numpy()), None


def main() -> None:
    """Measure and print."""
    script = Script(__doc__, json=True, smoke={"rounds": 1, "seconds": 0.1})
    script.add_argument("--rounds", type=int, default=10, help="turns of each (default 10)")
    script.add_argument("--seconds", type=float, default=0.5, help="processor time of a turn")
    options = script.parse()
    torch.set_num_threads(1)
    rows = {}
    for world in WORLDS:
        work = loop_works.rollout_work(world)
        work()
        ratios = []
        for _ in range(options.rounds):
            plain = rate(work, options.seconds)
            with (
                mock.patch.object(ClockedWorld, "_answer", own_arrays),
                mock.patch.object(LaidOut, "step", unwritten),
            ):
                ratios.append(rate(work, options.seconds) / plain)
        middle = statistics.median(ratios)
        rows[world] = ratios
        print(f"{world:22} {middle:.3f} [{min(ratios):.3f}, {max(ratios):.3f}]", flush=True)
    script.save({"benchmark": "copies", **machine(), "rows": rows})


if __name__ == "__main__":
    main()
