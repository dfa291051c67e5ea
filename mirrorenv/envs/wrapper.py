"""The base of everything that stands around a world and passes it on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirrorenv.envs.base import Actions, ArrayWorld, Observations, Step
from mirrorenv.envs.random import Seeds

__all__ = ["WorldWrapper"]

if TYPE_CHECKING:
    _Base = ArrayWorld
else:
    # Nothing is inherited from ArrayWorld: Python asks __getattr__ only for names that no base
    # class has, and the defaults there (no picture, no places, places as column names) would hide
    # what the wrapped world says.
    _Base = object


class WorldWrapper(_Base):
    """A world around another one.

    What a subclass does not define is the wrapped world's: every public attribute, property and
    method, those that only that world has included. It counts as an
    :class:`~mirrorenv.envs.base.ArrayWorld`.

    Args:
        world: the wrapped world.

    Attributes:
        world: the wrapped world.
    """

    world: ArrayWorld

    def __init__(self, world: ArrayWorld) -> None:
        self.world = world

    def reset(self, seeds: Seeds) -> Observations:
        """Start all rows; (B,) seeds give (B, N, *obs) observations."""
        return self.world.reset(seeds)

    def step(self, actions: Actions) -> Step:
        """Let every agent act once; actions as the wrapped world takes them."""
        return self.world.step(actions)

    @property
    def unwrapped(self) -> ArrayWorld:
        """The world inside all wrappers."""
        return self.world.unwrapped

    def __getattr__(self, name: str) -> Any:
        # private names are this object's own, and `world` is missing while it is unpickled
        if name.startswith("_") or name == "world":
            raise AttributeError(f"{type(self).__name__} has no attribute '{name}'")
        return getattr(self.world, name)


ArrayWorld.register(WorldWrapper)
