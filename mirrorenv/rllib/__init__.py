"""Training on Ray RLlib: the MirrorPPO algorithm, its runner and learner, and whole runs from one
settings object."""

from mirrorenv.lazy import facade

# A configuration can be read and checked without torch; a run in this process alone needs no Ray.
__getattr__, __dir__, __all__ = facade(
    __name__,
    __file__,
    needs={"torch": "train", "ray.rllib": "train"},
    light=("settings",),
    spared={"ray.rllib": ("run",)},
)
