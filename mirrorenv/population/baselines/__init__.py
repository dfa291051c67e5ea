"""Observers that are not trained with the population: one class and one `@register_baseline(...)` each."""

from mirrorenv.population.baselines.base import BASELINES, Baseline, register_baseline
from mirrorenv.population.baselines.counting import ActionHistogram, Chance, FirstObservation
from mirrorenv.population.baselines.eoi import ObservationClassifier

__all__ = [
    "BASELINES",
    "ActionHistogram",
    "Baseline",
    "Chance",
    "FirstObservation",
    "ObservationClassifier",
    "register_baseline",
]
