"""`python -m mirrorenv.goals RUN`: what the goal agents of a training run plan, as a page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mirrorenv.errors import MirrorError
from mirrorenv.goals.plans_page import write_plans


def main() -> int:
    """Write `plans.html` into a run folder, and say where it is."""
    words = argparse.ArgumentParser(prog="python -m mirrorenv.goals", description=__doc__)
    words.add_argument("run", type=Path, help="run folder of mirrorenv train, or a checkpoint")
    words.add_argument("--episodes", type=int, default=256, help="held-out episodes")
    words.add_argument("--seed", type=int, default=0, help="of the held-out episodes")
    options = words.parse_args()
    try:
        print(write_plans(options.run, episodes=options.episodes, seed=options.seed))
    except MirrorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
