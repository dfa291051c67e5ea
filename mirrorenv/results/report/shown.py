"""What a run keeps of a few episodes, so that its report can show the agents at work.

The folder `episodes` of a run holds, before training and at its end, one JSON file with what the
agents did, and where the world draws itself an animation and a strip of still pictures. A run
folder may come from a stranger: files are bounded, and arrays are what they should be or the file
is refused.

Shape legend: E episodes, N agents, T time, P dimensions of a place (1 or 2), K lineup slots.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mirrorenv.errors import RunFolderError
from mirrorenv.mirror.arrays import Floats64, Ints64
from mirrorenv.results.runs.files import (
    atomic_write_bytes,
    atomic_write_text,
    parse_json,
    read_bytes,
    to_json,
)
from mirrorenv.results.runs.run_folder import EPISODES

__all__ = ["TIMES", "Film", "Shown", "Time", "read_shown", "write_shown"]

Time = Literal["before", "after"]
TIMES: tuple[Time, ...] = ("before", "after")
MOST_AGENTS = 64
_LARGEST = 4 << 20  # bytes of a file
_DECIMALS = 4


@dataclass(frozen=True)
class Film:
    """The world's own pictures of an episode.

    Attributes:
        animation: a GIF.
        strip: a PNG of a few moments, one below the other.
        size: width and height of the animation in pixels.
    """

    animation: bytes
    strip: bytes
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Shown:
    """A few episodes at one time of a training.

    Attributes:
        env_steps: trained so far.
        about: one sentence on the world.
        facts: further ones.
        agents: names of the N agents.
        actions: (E, N, T) what was done, the number of the choice or the first number of an
            action; NaN where an agent had finished.
        choices: how many choices an action has; None if actions are no choices.
        places: (E, N, T, P) where agents were, as they saw it themselves; None where the world does
            not say which part of an observation that is.
        observer: number of the agent whose belief is shown.
        authors: (K,) who made the trajectory in each slot of the first episode's lineup.
        candidates: (K,) which agents the observer knew to be shown, in ascending order.
        belief: (T, K, K) the observer's belief after every step, slot by candidate.
        film: pictures of the first episode; None if there are none.
        no_film: why.
    """

    env_steps: int
    about: str
    facts: tuple[str, ...]
    agents: tuple[str, ...]
    actions: Floats64
    choices: int | None
    places: Floats64 | None
    observer: int
    authors: Ints64
    candidates: Ints64
    belief: Floats64
    film: Film | None = None
    no_film: str = ""


_ARRAYS = ("actions", "places", "belief")


def write_shown(run: Path, time: Time, shown: Shown) -> None:
    """Put episodes into a run folder, in place of earlier ones of that time.

    Args:
        run: the folder.
        time: before training or after it.
        shown: the episodes.

    Raises:
        RunFolderError: if they cannot be written.
    """
    folder = run / EPISODES
    folder.mkdir(exist_ok=True)
    held: dict[str, Any] = {
        name: value for name, value in vars(shown).items() if name not in (*_ARRAYS, "film")
    }
    for name in _ARRAYS:
        array = getattr(shown, name)
        held[name] = None if array is None else to_json(np.round(array, _DECIMALS))
    held["authors"] = shown.authors.tolist()
    held["candidates"] = shown.candidates.tolist()
    held["size"] = None if shown.film is None else shown.film.size
    for suffix in ("gif", "png"):
        (folder / f"{time}.{suffix}").unlink(missing_ok=True)
    if shown.film is not None:
        atomic_write_bytes(folder / f"{time}.gif", shown.film.animation)
        atomic_write_bytes(folder / f"{time}.png", shown.film.strip)
    text = json.dumps(held, allow_nan=False, separators=(",", ":"))
    atomic_write_text(folder / f"{time}.json", text)


def read_shown(run: Path, time: Time) -> Shown | None:
    """The episodes of a run folder; None if it kept none.

    Raises:
        RunFolderError: if a file is damaged.
    """
    path = run / EPISODES / f"{time}.json"
    if not path.is_file():
        return None
    raw = _bounded(path)
    try:
        found = _checked(parse_json(raw.decode("utf-8")))
        film = _film(run / EPISODES, time, found.pop("size"))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise RunFolderError(
            f"{path} is damaged ({type(error).__name__}: {error}): delete it, and the report is "
            "written without"
        ) from error
    return Shown(**found, film=film)


def _bounded(path: Path) -> bytes:
    if path.is_symlink() or path.stat().st_size > _LARGEST:
        raise RunFolderError(f"{path} is a link or larger than {_LARGEST} bytes: delete it")
    return read_bytes(path)


def _film(folder: Path, time: Time, size: object) -> Film | None:
    if size is None:
        return None
    width, height = _whole(size, 2)
    if not (0 < width <= 4096 and 0 < height <= 4096):
        raise ValueError("size")
    animation = _bounded(folder / f"{time}.gif")
    strip = _bounded(folder / f"{time}.png")
    if not animation.startswith(b"GIF8") or not strip.startswith(b"\x89PNG\r\n\x1a\n"):
        raise ValueError("pictures")
    return Film(animation, strip, (width, height))


def _checked(held: Any) -> dict[str, Any]:
    """The fields of :class:`Shown`, and `size`; whatever is not as it should be is an error."""
    agents = tuple(str(name) for name in held["agents"])
    count = len(agents)
    if not 1 <= count <= MOST_AGENTS:
        raise ValueError("agents")
    actions = _numbers(held["actions"], 3)
    places = None if held["places"] is None else _numbers(held["places"], 4)
    belief = _numbers(held["belief"], 3)
    candidates = _whole(held["candidates"], belief.shape[2])
    authors = _whole(held["authors"], belief.shape[2])
    observer = int(held["observer"])
    choices = None if held["choices"] is None else int(held["choices"])
    fits = (
        actions.shape[1] == count
        and (places is None or (places.shape[:3] == actions.shape and places.shape[3] in (1, 2)))
        and belief.shape[1:] == (len(candidates), len(candidates))
        and belief.shape[0] == actions.shape[2]
        and sorted(authors) == sorted(candidates)
        and all(0 <= one < count for one in [*candidates, observer])
        and (choices is None or 1 <= choices <= 1_000_000)
    )
    if not fits:
        raise ValueError("shapes that do not fit together")
    return {
        "env_steps": int(held["env_steps"]),
        "about": str(held["about"]),
        "facts": tuple(str(one) for one in held["facts"]),
        "agents": agents,
        "actions": actions,
        "choices": choices,
        "places": places,
        "observer": observer,
        "authors": np.array(authors, np.int64),
        "candidates": np.array(candidates, np.int64),
        "belief": np.clip(belief, 0.0, 1.0),
        "no_film": str(held["no_film"]),
        "size": held["size"],
    }


def _numbers(values: Any, axes: int) -> Floats64:
    """A non-empty array of numbers, null as NaN."""
    array = np.array(values, np.float64)
    if array.ndim != axes or not array.size or np.isinf(array).any():
        raise ValueError(f"no array of {axes} axes")
    return array


def _whole(values: Any, count: int) -> list[int]:
    if not isinstance(values, list) or len(values) != count:
        raise ValueError("no list of whole numbers")
    return [int(one) for one in values]
