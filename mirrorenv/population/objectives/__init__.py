"""What a population learns from, one file each: its policy gradient, the names it is taught,
rewards that it pays itself, and auxiliaries."""

from mirrorenv.lazy import facade

# Lazily: modules that know populations stand above `population.population`, the protocol below it.
__getattr__, __dir__, __all__ = facade(__name__, __file__)
