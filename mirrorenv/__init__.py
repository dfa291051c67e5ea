"""mirrorenv: shown what it and its neighbours did, shuffled and without names, can an agent say who
did which?"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"

__all__ = ["MirrorTest", "__version__", "make", "make_batch", "register", "registry", "spec"]

_ENVS = {"make", "make_batch", "register", "registry", "spec"}


def __getattr__(name: str) -> Any:
    # Lazy, so that `import mirrorenv` costs nothing until a world is asked for.
    if name in _ENVS:
        from mirrorenv import envs

        return getattr(envs, name)
    if name == "MirrorTest":
        from mirrorenv.envs.adapters.mirror_test import MirrorTest

        return MirrorTest
    raise AttributeError(f"module 'mirrorenv' has no attribute '{name}'")
