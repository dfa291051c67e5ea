"""The instrument: who is told apart, how far and by what, in anybody's recorded behaviour."""

from mirrorenv.lazy import facade

__getattr__, __dir__, __all__ = facade(__name__, __file__)
