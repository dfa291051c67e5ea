"""Self versus other: language models that learn to be recognisable, measured beside whether they
stay useful.

Each player of a population prefers its own text to the texts of the others (DPO, Rafailov et al.
2023, with authorship in the place of a preference). Settings, topics, pair files and reports need
no torch; training needs the extra `trl`.
"""

from mirrorenv.lazy import facade

__getattr__, __dir__, __all__ = facade(
    __name__,
    __file__,
    needs={"torch": "trl", "transformers": "trl", "peft": "trl", "trl": "trl"},
    light=("settings", "pairs", "topics", "report"),
    renamed={"Voices": "VoicePopulation"},
)
