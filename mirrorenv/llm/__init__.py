"""A language model in this process: no key, no server, nothing to compile.

Everything here imports torch and transformers only when a model is first needed. One model serves
all players, readers and served requests of a process; what can be computed together is
(:class:`Engine`).
"""

from mirrorenv.lazy import facade

__getattr__, __dir__, __all__ = facade(__name__, __file__)
