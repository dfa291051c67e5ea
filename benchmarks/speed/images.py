"""How much memory an iteration takes where agents see images: another tree and this one.

    python benchmarks/speed/images.py --against PATH [--side 84] [--episodes 32] [--minibatch 4]

Each tree plays an iteration of an environment whose agents see (side, side, 3) uint8, pays, and
learns from it once, in a process of its own. Printed is the peak of the memory beyond that of a
tiny iteration before (weights, imports), and how many times the images themselves it is. Both trees
play the same worlds; the column of images is as large as `--episodes` times steps times agents. A
minibatch becomes floats for the networks, several times, and is a part of both.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import _root  # noqa: F401

from benchmarks.shared.runner import ROOT, Script, machine

MEGABYTE = 1 << 20


def measure(tree: Path, *numbers: int) -> int:
    """Bytes that an iteration of this tree takes.

    Args:
        tree: root of the tree.
        numbers: arguments of `images_worker.py`.
    """
    found = subprocess.run(
        [sys.executable, "-c", "import images_worker; images_worker.main()", str(tree)]
        + [str(number) for number in numbers],
        cwd=tree,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(tree), str(Path(__file__).parent)]),
            "OMP_NUM_THREADS": "1",
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return int(json.loads(found.stdout)["bytes"])


def main() -> None:
    """Measure and print."""
    smoke = {"side": 8, "episodes": 4, "steps": 4, "minibatch": 2}
    script = Script(__doc__, json=True, smoke=smoke)
    script.add_argument("--against", type=Path, required=True, help="root of the other tree")
    script.add_argument("--side", type=int, default=84, help="of an image (default 84)")
    script.add_argument("--steps", type=int, default=32, help="of an episode (default 32)")
    script.add_argument("--agents", type=int, default=4, help="N (default 4)")
    script.add_argument("--episodes", type=int, default=32, help="of the iteration (default 32)")
    script.add_argument("--minibatch", type=int, default=4, help="episodes of one (default 4)")
    options = script.parse()
    numbers = (options.side, options.steps, options.agents, options.episodes, options.minibatch)
    images = options.side**2 * 3 * options.steps * options.agents * options.episodes
    rows = {"images": images}
    print(f"the images: {images / MEGABYTE:,.0f} MiB as uint8")
    for name, tree in (("before", options.against.resolve()), ("now", ROOT)):
        rows[name] = measure(tree, *numbers)
        ratio = rows[name] / images
        print(f"{name:8} {rows[name] / MEGABYTE:8,.0f} MiB, {ratio:.1f} times", flush=True)
    print(f"now / before: {rows['now'] / rows['before']:.2f}")
    script.save({"benchmark": "images", **machine(), "rows": rows})


if __name__ == "__main__":
    main()
