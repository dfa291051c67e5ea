"""`python -m mirrorenv.goals`: poles with goals, and language under a guide."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mirrorenv.errors import MirrorError

Done = dict[str, Any]


def say(line: str) -> None:
    """Progress, beside the result."""
    print(line, file=sys.stderr, flush=True)


def poles(options: argparse.Namespace) -> Done:
    """Train goal agents on the cart pole; the same command goes on where it was interrupted."""
    from mirrorenv.goals.poles import PoleSettings, train_poles

    names = ("steps", "course_steps", "share", "levels", "seed")
    settings = PoleSettings.checked({name: getattr(options, name) for name in names})
    agent = train_poles(settings, options.run, say)
    lasted = agent.lasts(options.episodes, options.seed)
    return {
        "run": str(options.run),
        "steps": agent.steps,
        "courses": agent.courses,
        "steps_upright": round(float(lasted.mean()), 2),
        "optimum": 500,
    }


def _poles(words: argparse.ArgumentParser) -> None:
    words.add_argument("run", type=Path, help="folder for the curriculum, its own")
    words.add_argument("--steps", type=int, default=100_000, help="of single poles")
    words.add_argument("--course-steps", type=int, default=5000, help="steps of a course")
    words.add_argument("--share", type=float, default=1.0, help="of episodes that is learned from")
    words.add_argument("--levels", type=int, default=1, help="1 or 2")
    words.add_argument("--seed", type=int, default=0, help="of everything drawn")
    words.add_argument("--episodes", type=int, default=100, help="held-out episodes")


Command = tuple[Callable[[argparse.Namespace], Done], Callable[[argparse.ArgumentParser], None]]
COMMANDS: dict[str, Command] = {"poles": (poles, _poles)}


def main() -> int:
    """Run one of the commands."""
    words = argparse.ArgumentParser(prog="python -m mirrorenv.goals", description=__doc__)
    kinds = words.add_subparsers(dest="command", required=True)
    for name, (function, add) in COMMANDS.items():
        about = (function.__doc__ or "").strip()
        one = kinds.add_parser(name, help=about, description=about)
        add(one)
        one.add_argument("--json", action="store_true", help="print one JSON object")
    options = words.parse_args()
    function, _ = COMMANDS[options.command]
    try:
        found = function(options)
    except MirrorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the same command goes on", file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name.replace('_', ' '):16} {value}" for name, value in found.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
