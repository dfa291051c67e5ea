"""The Stable-Baselines3 face: worlds as a VecEnv by parameter sharing, and a callback that pays for
recognition."""

from mirrorenv.lazy import facade

__getattr__, __dir__, __all__ = facade(
    __name__, __file__, needs={"torch": "sb3", "stable_baselines3": "sb3", "safetensors": "sb3"}
)
