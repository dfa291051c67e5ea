"""Training on Ray RLlib: the MirrorPPO algorithm, its runner and learner, and whole runs from one settings object."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mirrorenv.errors import require

if TYPE_CHECKING:
    from mirrorenv.rllib.algorithm import MirrorPPO as MirrorPPO
    from mirrorenv.rllib.algorithm import MirrorPPOConfig as MirrorPPOConfig
    from mirrorenv.rllib.run import train as train
    from mirrorenv.rllib.settings import RunSettings as RunSettings
    from mirrorenv.rllib.settings import load_settings as load_settings
    from mirrorenv.rllib.stock import register_worlds as register_worlds

_HOME = {
    "MirrorPPO": "algorithm",
    "MirrorPPOConfig": "algorithm",
    "RunSettings": "settings",
    "load_settings": "settings",
    "register_worlds": "stock",
    "train": "run",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    # Lazy, because a configuration can be read and checked without Ray.
    if name not in _HOME:
        raise AttributeError(f"module 'mirrorenv.rllib' has no attribute '{name}'")
    if _HOME[name] != "settings":
        for module in ("torch", "ray.rllib"):
            require(module, "train")
    return getattr(import_module(f"mirrorenv.rllib.{_HOME[name]}"), name)
