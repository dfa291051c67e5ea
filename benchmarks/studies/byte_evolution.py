"""Does evolution learn to make calls evenly, where a policy gradient does not?

The fitness is that of the suite's rows on evenness (64 bytes, 16 kinds, a floor of calls), with a
share of shaping. Nothing is known of instructions: a child changes single bytes, or copies a piece
of its own text to another place. Of equals the younger stays, so that the population drifts.

    python benchmarks/studies/byte_evolution.py [--seed 0] [--programs 400000] [--shaping 0.25]
        [--smoke] [--json FILE]
"""

from __future__ import annotations

import _root  # noqa: F401
import numpy as np

from benchmarks.shared.runner import Script, machine
from mirrorenv.bytes.effects import nothing_happened
from mirrorenv.bytes.machine.execution import Limits
from mirrorenv.bytes.machine.supervisor import Machine
from mirrorenv.bytes.rewards import REWARDS, Happened
from mirrorenv.mirror.arrays import Floats64

_LENGTH = 64
_INSTRUCTIONS = 256
_MEMBERS = 256
Octets = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def worth(emulator: Machine, programs: Octets) -> tuple[Floats64, Floats64]:
    """(M, L) programs -> (M,) evenness and (M,) shaping."""
    effects = nothing_happened(1, len(programs))
    results = emulator.run([one.tobytes() for one in programs])
    for place, (execution, state) in enumerate(results):
        effects.put(0, place, execution, state)
    happened = Happened(programs[None], np.zeros((1, 1, 256)), effects, _INSTRUCTIONS)
    return REWARDS["evenness"](happened)[0], REWARDS["shaping"](happened)[0]


def children(parents: Octets, rng: np.random.Generator) -> Octets:
    """One child of each: a few bytes changed, or pieces of up to 8 bytes copied within."""
    made = parents.copy()
    for one in made:
        for _ in range(1 + int(rng.poisson(1.0))):
            if rng.random() < 0.5:
                one[rng.integers(_LENGTH)] = rng.integers(256)
                continue
            size = int(rng.integers(1, 9))
            source, target = rng.integers(0, _LENGTH - size, 2)
            one[target : target + size] = one[source : source + size].copy()
    return made


def main() -> None:
    """Evolve, and print the best as it goes."""
    script = Script(__doc__, json=True, seed=0, smoke={"programs": 1024})
    script.add_argument("--programs", type=int, default=400_000)
    script.add_argument("--shaping", type=float, default=0.25)
    options = script.parse()
    rng = np.random.default_rng(options.seed)
    limits = Limits(instructions=_INSTRUCTIONS, program_bytes=_LENGTH)
    curve = []
    with Machine(limits, cache=0) as emulator:
        members = rng.integers(0, 256, (_MEMBERS, _LENGTH)).astype(np.uint8)
        even, shaped = worth(emulator, members)
        for done in range(2 * _MEMBERS, options.programs + 1, _MEMBERS):
            fitness = even + options.shaping * shaped
            rivals = rng.integers(0, _MEMBERS, (_MEMBERS, 3))
            winners = rivals[np.arange(_MEMBERS), fitness[rivals].argmax(1)]
            young = children(members[winners], rng)
            found = worth(emulator, young)
            both = np.concatenate([found[0], even])
            helped = np.concatenate([found[1], shaped])
            order = np.argsort(-(both + options.shaping * helped), kind="stable")[:_MEMBERS]
            members = np.concatenate([young, members])[order]
            even = both[order]
            shaped = helped[order]
            if done % 25_600 == 0:
                curve.append([done, float(even.max())])
                print(f"{done} programs: best evenness {even.max():.3f}", flush=True)
    print(
        f"seed {options.seed}: best {even.max():.3f}: {members[int(even.argmax())].tobytes().hex()}"
    )
    script.save(
        {
            "benchmark": "byte_evolution",
            **machine(),
            "seed": options.seed,
            "shaping": options.shaping,
            "programs": options.programs,
            "best": float(even.max()),
            "curve": curve,
        }
    )


if __name__ == "__main__":
    main()
