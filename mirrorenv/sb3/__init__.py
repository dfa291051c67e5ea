"""The Stable-Baselines3 face: worlds as a VecEnv by parameter sharing, and a callback that pays for
recognition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorenv.lazy import lazily

if TYPE_CHECKING:
    from mirrorenv.sb3.callback import MirrorCallback as MirrorCallback
    from mirrorenv.sb3.make import vec_env as vec_env
    from mirrorenv.sb3.shared_policy import SharedPolicyVecEnv as SharedPolicyVecEnv

_HOME = {"MirrorCallback": "callback", "SharedPolicyVecEnv": "shared_policy", "vec_env": "make"}

__all__ = list(_HOME)

__getattr__ = lazily(
    __name__, _HOME, needs={"torch": "sb3", "stable_baselines3": "sb3", "safetensors": "sb3"}
)
