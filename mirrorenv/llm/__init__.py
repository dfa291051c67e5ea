"""A language model in this process: no key, no server, nothing to compile.

Everything here imports torch and transformers only when a model is first needed. One model serves
all players, readers and served requests of a process; what can be computed together is
(:class:`Engine`).
"""

from __future__ import annotations

from mirrorenv.lazy import lazily

_HOME = {
    "Capabilities": "options",
    "Engine": "engine",
    "Generated": "asking",
    "LanguageModel": "model",
    "LocalOptions": "options",
    "Request": "asking",
    "engine_of": "engine",
    "load_model": "weights",
}

__all__ = list(_HOME)

__getattr__ = lazily(__name__, _HOME)
