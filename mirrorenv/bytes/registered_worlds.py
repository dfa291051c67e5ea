"""The world that this room brings to the registry; found by :mod:`mirrorenv.envs.discovery`.

Registered by name, not by class: to list the worlds costs no import of the emulator.
"""

from __future__ import annotations

from mirrorenv.envs.world_spec import register

__all__: list[str] = []

register(
    "mirrorenv/bytes-v0",
    "mirrorenv.bytes.world:ByteMeditation",
    description="Agents utter bytes, which are executed on an emulated machine, remembered and "
    "counted.",
    players="mirrorenv.bytes.players:PLAYERS",
    training={
        "total_steps": 4096,
        "population": {
            "actor": "byte_transformer",
            "hidden": 32,
            # what is seen is chance and what others said: it only drowns what an agent said
            "observer": {"reads": "actions"},
        },
        "learning": {
            "episodes_per_iteration": 32,
            "minibatch_episodes": 8,
            "epochs": 2,
            "learning_rate": 0.003,
        },
        "evaluation": {"checkpoints": 4, "episodes": 64},
    },
)
