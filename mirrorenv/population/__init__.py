"""Who acts and who recognises, in torch: actors, observer heads, baselines, losses, evaluation,
checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorenv.lazy import lazily

if TYPE_CHECKING:
    from mirrorenv.population.checkpoint import load_population as load_population
    from mirrorenv.population.checkpoint import save_population as save_population
    from mirrorenv.population.experience import Experience as Experience
    from mirrorenv.population.experience import play as play
    from mirrorenv.population.experience import population_shape as population_shape
    from mirrorenv.population.population import Population as Population

_HOME = {
    "Experience": "experience",
    "Population": "population",
    "load_population": "checkpoint",
    "play": "experience",
    "population_shape": "experience",
    "save_population": "checkpoint",
}

__all__ = list(_HOME)

# Settings are read in places that have no torch.
__getattr__ = lazily(__name__, _HOME, needs={"torch": "train", "safetensors": "train"})
