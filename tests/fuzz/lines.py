"""The doors that are command lines, each with something hostile in one place."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hypothesis import strategies as st

from tests.fuzz import folders, hostile
from tests.fuzz.doors import DOORS, Door, Draw


def paths(place: Path) -> list[str]:
    """Somewhere below a place: a folder, a file, a pipe, nothing, a name that is none."""
    (place / "empty").mkdir(exist_ok=True)
    (place / "file").write_bytes(b"x")
    if not (place / "loop").is_symlink():
        (place / "loop").symlink_to("loop")
        (place / "dangling").symlink_to("nowhere")
        os.mkfifo(place / "pipe")
    known = ["empty", "file", "file/below", "loop", "dangling", "pipe", "nowhere", "n" * 300]
    known += ["a/" * 2500, "\udcff", "with\nbreak", "-", "--", "~", "$HOME", "ü" * 140, "\x1b[2J"]
    return [str(place / one) for one in known] + ["", "nowhere"]


OUTSIDE = ["/dev/null", "/dev/full", "/", "/proc/self/mem", "/proc/1/root", "/dev/zero"]
"""What may be read and is never written: a test is no place to find out that it would be."""

LINES: dict[str, list[str]] = {
    "verify": ["{path}"],
    "identity": ["{path}", "--out", "{out}.html"],
    "identity to": ["identity", "{run}", "--out", "{to}.html"],
    "identity by columns": ["identity", "{path}", "--columns", "{text}"],
    "verify and proofs": ["verify", "{result}", "--proofs", "{to}"],
    "board check": ["{path}"],
    "board check and suites": ["board", "check", "{result}", "--suites", "{path}"],
    "board build": ["{path}", "--out", "{out}.html"],
    "board build to": ["board", "build", "{result}", "--out", "{to}.html"],
    "board build by proofs": [
        "board",
        "build",
        "{result}",
        "--out",
        "{out}.html",
        "--proofs",
        "{path}",
    ],
    "results share": ["{path}", "{out}"],
    "results share to": ["results", "share", "{result}", "{to}"],
    "results export": ["{path}"],
    "results marl-eval": ["{path}", "--out", "{out}"],
    "results marl-eval to": ["results", "marl-eval", "{run}", "--out", "{to}"],
    "report": ["{path}"],
    "report beside": ["report", "{run}", "--weight0", "{path}"],
    "evaluate": ["{path}"],
    "evaluate and seed": ["evaluate", "{checkpoint}", "--episodes", "8", "--seed", "{number}"],
    "play": ["{text}"],
    "play a policy": ["play", "ants-v0", "--policy", "{path}"],
    "play to": ["play", "ants-v0", "--gif", "{to}"],
    "play and seed": ["play", "ants-v0", "--seed", "{number}"],
    "play at": ["play", "ants-v0", "--fps", "{number}", "--gif", "{out}.gif"],
    "play with": ["play", "ants-v0", "--set", "horizon={number}"],
    "check": ["{text}"],
    "audit": ["{text}"],
    "worlds": ["{text}"],
    "settings": ["{text}"],
    "train": ["{text}", "--set", "total_steps=8"],
    "train by": ["train", "nowhere-v0", "--config", "{path}"],
    "train to": ["train", "nowhere-v0", "--run", "{to}"],
    "debate init": ["{to}"],
    "debate check": ["{path}"],
    "debate plan": ["{path}"],
    "debate run": ["{path}", "--out", "{out}"],
    "debate run to": ["debate", "run", "{start}", "--games", "1", "--out", "{to}"],
    "debate set": ["{path}", "--run", "{out}"],
    "debate score": ["{path}"],
    "debate rescore": ["{path}", "--scorer", "nothing"],
    "debate rate": ["{path}"],
    "debate view": ["{path}"],
    "debate replay": ["{path}"],
    "debate replay of": ["debate", "replay", "{tournament}", "--game", "{number}"],
    "debate export": ["{path}", "{out}"],
    "debate inspect-log": ["{path}"],
    "debate export to": ["debate", "export", "{tournament}", "{to}"],
    "prefer train": ["--config", "{path}"],
    "prefer generate": ["--config", "{path}"],
    "prefer report": ["{path}"],
}
"""Command lines with something hostile in one place; a name that is a command stands for itself."""


def line(name: str) -> Door:
    """The door of a command line."""

    def tried(place: Path, draw: Draw) -> object:
        from typer.testing import CliRunner

        from mirrorenv.cli.app import app

        words = LINES[name]
        if words[0] != name.split()[0]:
            words = [*name.split(), *words]
        kinds = ("result", "run", "checkpoint", "tournament")
        filled = {
            "path": draw(st.sampled_from([*paths(place), *OUTSIDE])),
            "to": draw(st.sampled_from(paths(place))),
            "text": draw(st.sampled_from([one for one in hostile.TEXTS if "ants" not in one])),
            "number": repr(draw(st.sampled_from(hostile.NUMBERS))),
            "out": str(place / "out"),
            "start": "",
        }
        if any("{start}" in one for one in words):
            from mirrorenv.debate.starter import write_starter

            shutil.rmtree(place / "start", ignore_errors=True)
            filled["start"] = str(write_starter(place / "start", "default"))
        for kind in kinds:
            if any(f"{{{kind}}}" in one for one in words):
                copy = folders.copy_of(kind, place.parent / "whole", place / f"a-{kind}")
                filled[kind] = str(copy)
        spoken = [one.format(**filled) for one in words]
        done = CliRunner().invoke(app, spoken, standalone_mode=False)
        if done.exception is not None:
            raise done.exception
        return done

    return tried


for _name in LINES:
    DOORS[f"mirrorenv {_name}"] = line(_name)
