"""The world that this room brings to the registry; found by :mod:`mirrorenv.envs.discovery`.

Registered by name, not by class: to list the worlds costs no import of the game.
"""

from __future__ import annotations

from mirrorenv.envs.world_spec import register

__all__: list[str] = []

register(
    "mirrorenv/debate-v0",
    "mirrorenv.debate.env:DebateEnv",
    kind="text",
    description="Players write on a topic and say who wrote what: the mirror test in words.",
)
