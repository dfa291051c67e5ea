"""The Stable-Baselines3 face: worlds as a VecEnv by parameter sharing, and a callback that pays for recognition."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mirrorenv.errors import require

if TYPE_CHECKING:
    from mirrorenv.sb3.callback import MirrorCallback as MirrorCallback
    from mirrorenv.sb3.make import vec_env as vec_env
    from mirrorenv.sb3.shared_policy import SharedPolicyVecEnv as SharedPolicyVecEnv

_HOME = {"MirrorCallback": "callback", "SharedPolicyVecEnv": "shared_policy", "vec_env": "make"}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    # Lazy, so that a missing extra is answered with the pip line.
    if name not in _HOME:
        raise AttributeError(f"module 'mirrorenv.sb3' has no attribute '{name}'")
    for module in ("torch", "stable_baselines3", "safetensors"):
        require(module, "sb3")
    return getattr(import_module(f"mirrorenv.sb3.{_HOME[name]}"), name)
