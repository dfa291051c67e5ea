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


def lines_of(found: Done, indent: str = "") -> list[str]:
    """A result as lines to read: lists item by item, below their names."""
    lines = []
    for name, value in found.items():
        title = f"{indent}{name.replace('_', ' '):20}"
        items = value if isinstance(value, list) else []
        if not items:
            lines.append(f"{title} {value}")
            continue
        lines.append(title.rstrip())
        for item in items:
            lines += (
                lines_of(item, indent + "  ") if isinstance(item, dict) else [f"{indent}  {item}"]
            )
    return lines


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


def prepare(options: argparse.Namespace) -> Done:
    """Language, 1 of 4: let a language model read texts by topic."""
    from mirrorenv.goals.language.commands import prepare_texts
    from mirrorenv.llm.weights import load_model

    model = load_model(options.model)
    return prepare_texts(options.folder, options.text, model, options.windows, options.length, say)


def train(options: argparse.Namespace) -> Done:
    """Language, 2 of 4: fit codes of its hidden states, and guides to where texts went."""
    from mirrorenv.goals.language.commands import train_guide

    return train_guide(options.folder, options.levels, options.codes, options.seed, say)


def generate(options: argparse.Namespace) -> Done:
    """Language, 3 of 4: write texts that a guide steers to a topic."""
    from mirrorenv.goals.language.commands import generate as written
    from mirrorenv.goals.language.steering import Steering

    steering = Steering(None, weight=options.weight, where=options.where)
    how = {name: getattr(options, name) for name in ("count", "tokens", "seed")}
    return written(options.folder, None, options.prompt, options.topic, steering, **how)


def interpret(options: argparse.Namespace) -> Done:
    """Language, 4 of 4: say what each code stands for."""
    from mirrorenv.goals.language.commands import interpret as told

    return told(options.folder, None)


def _poles(words: argparse.ArgumentParser) -> None:
    words.add_argument("run", type=Path, help="folder for the curriculum, its own")
    words.add_argument("--steps", type=int, default=100_000, help="of single poles")
    words.add_argument("--course-steps", type=int, default=5000, help="steps of a course")
    words.add_argument("--share", type=float, default=1.0, help="of episodes that is learned from")
    words.add_argument("--levels", type=int, default=1, help="1 or 2")
    words.add_argument("--seed", type=int, default=0, help="of everything drawn")
    words.add_argument("--episodes", type=int, default=100, help="held-out episodes")


def _prepare(words: argparse.ArgumentParser) -> None:
    _folder(words)
    words.add_argument("--text", default="pydoc", help="pydoc, or a JSON file {topic: text}")
    words.add_argument("--model", default="smollm2", help="as for mirrorenv debate")
    words.add_argument("--windows", type=int, default=12, help="of every topic")
    words.add_argument("--length", type=int, default=64, help="tokens of a window")


def _train(words: argparse.ArgumentParser) -> None:
    _folder(words)
    words.add_argument("--levels", type=int, default=2, help="of the hierarchy")
    words.add_argument("--codes", type=int, default=16, help="of each level")
    words.add_argument("--seed", type=int, default=0, help="of codes and guides")


def _generate(words: argparse.ArgumentParser) -> None:
    _folder(words)
    words.add_argument("--topic", required=True, help="the goal")
    words.add_argument("--prompt", default="In this chapter we look at", help="how texts begin")
    words.add_argument("--weight", type=float, default=0.3, help="of the guide's direction")
    words.add_argument("--where", choices=("logits", "hidden"), default="logits")
    words.add_argument("--count", type=int, default=4, help="texts")
    words.add_argument("--tokens", type=int, default=40, help="of each text")
    words.add_argument("--seed", type=int, default=0, help="of the draws")


def _folder(words: argparse.ArgumentParser) -> None:
    words.add_argument("folder", type=Path, help="of the guide")


Command = tuple[Callable[[argparse.Namespace], Done], Callable[[argparse.ArgumentParser], None]]
COMMANDS: dict[str, Command] = {
    "poles": (poles, _poles),
    "prepare": (prepare, _prepare),
    "train": (train, _train),
    "generate": (generate, _generate),
    "interpret": (interpret, _folder),
}


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
        print("\n".join(lines_of(found)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
