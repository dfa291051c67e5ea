"""Training on Ray RLlib: the MirrorPPO algorithm, its runner and learner, and whole runs from one
settings object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorenv.lazy import lazily

if TYPE_CHECKING:
    from mirrorenv.rllib.algorithm import MirrorPPO as MirrorPPO
    from mirrorenv.rllib.algorithm import MirrorPPOConfig as MirrorPPOConfig
    from mirrorenv.rllib.register import register_worlds as register_worlds
    from mirrorenv.rllib.run import train as train
    from mirrorenv.rllib.settings import RunSettings as RunSettings
    from mirrorenv.rllib.settings import load_settings as load_settings

_HOME = {
    "MirrorPPO": "algorithm",
    "MirrorPPOConfig": "algorithm",
    "RunSettings": "settings",
    "load_settings": "settings",
    "register_worlds": "register",
    "train": "run",
}

__all__ = list(_HOME)

# A configuration can be read and checked without Ray.
__getattr__ = lazily(
    __name__, _HOME, needs={"torch": "train", "ray.rllib": "train"}, light=("settings",)
)
