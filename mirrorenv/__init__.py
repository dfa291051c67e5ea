"""mirrorenv: shown what it and its neighbours did, shuffled and without names, can an agent say who
did which?"""

from mirrorenv.lazy import facade

__version__ = "0.1.0"

# Lazy, so that `import mirrorenv` costs nothing until a world or a room is asked for.
__getattr__, __dir__, __all__ = facade(__name__, __file__)
