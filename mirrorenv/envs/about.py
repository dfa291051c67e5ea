"""A world in words, for people who have never seen it: from its specification and docstring."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from gymnasium import spaces

from mirrorenv.envs.actions import leaves
from mirrorenv.envs.base import ActionSpace, ArrayWorld
from mirrorenv.envs.world_spec import WorldSpec

__all__ = ["about", "facts"]

_LONGEST = 400  # characters


def about(world: ArrayWorld, spec: WorldSpec) -> str:
    """One sentence on a world: the description it was registered with, or the first sentence of
    its docstring.

    Args:
        world: the world, made.
        spec: its specification.

    Returns:
        the sentence; empty if the world says nothing of itself.
    """
    if spec.description and ":" not in spec.id:
        return spec.description
    return _sentence(_docstring(world))


def facts(world: ArrayWorld) -> tuple[str, ...]:
    """What else a reader needs to follow an episode: how many act, for how long, by which actions
    and for what pay. The last two are the paragraphs under `## Action` and `## Reward` of the
    docstring, where it has them."""
    steps = f"{world.horizon} steps" if world.horizon != 1 else "one step"
    agents = f"{world.num_agents} agents" if world.num_agents != 1 else "One agent"
    page = _docstring(world)
    action = _paragraph(page, "Action") or f"{_in_words(world.action_space)}."
    reward = _paragraph(page, "Reward")
    found = [f"{agents}, at most {steps} in an episode.", f"An action: {action}"]
    return (*found, f"What the world pays: {reward}") if reward else tuple(found)


def _docstring(world: ArrayWorld) -> str:
    """Of the world, or of the environment that was adapted to be one."""
    inner = world.unwrapped
    described = getattr(inner, "described", inner)
    found = type(described).__doc__
    return inspect.cleandoc(found) if found else ""


def _sentence(page: str) -> str:
    first = " ".join(page.split("\n\n", 1)[0].split())
    end = re.search(r"[.!?](?=\s|$)", first)
    return _plain(first[: end.end()] if end else first)


def _paragraph(page: str, heading: str) -> str:
    """The first paragraph below a heading; empty if there is none, or it is a table."""
    found = re.search(rf"^## {heading}s?\n+(.+?)(?:\n\n|\n## |\Z)", page, re.DOTALL | re.MULTILINE)
    text = _plain(" ".join(found[1].split())) if found else ""
    return "" if text.startswith("|") else text


def _plain(text: str) -> str:
    """Without the marks of reStructuredText."""
    text = re.sub(r":[\w:]+:`~?([^`<]*)(?: <[^`]*>)?`", r"\1", text)
    text = text.replace("`", "")
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…"


def _in_words(space: ActionSpace) -> str:
    return ", and ".join(_parts(space)) or "nothing"


def _parts(space: ActionSpace) -> Iterator[str]:
    for part in leaves(space):
        if isinstance(part, spaces.Discrete):
            yield f"one of {part.n} choices"
        elif isinstance(part, spaces.MultiDiscrete):
            yield f"{part.nvec.size} choices at once"
        elif isinstance(part, spaces.MultiBinary):
            yield "several switches at once"
        else:
            size = int(part.shape[0]) if part.shape else 1
            yield f"{size} numbers" if size != 1 else "a number"
