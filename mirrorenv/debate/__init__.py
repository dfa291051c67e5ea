"""Debate-unshuffle: the mirror test for language models, as an environment and as a tournament."""

from mirrorenv.lazy import facade

# Asking for the rules imports neither the tournament nor a client.
__getattr__, __dir__, __all__ = facade(__name__, __file__)
