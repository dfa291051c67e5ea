"""Observers that are not trained with the population: one class and one `@register_baseline(...)`
each."""

from mirrorenv.population.observers.baselines.base import BASELINES, Baseline, register_baseline
from mirrorenv.population.observers.baselines.counting import (
    ActionHistogram,
    Chance,
    FirstObservation,
)
from mirrorenv.population.observers.baselines.eoi import ObservationClassifier

__all__ = [
    "BASELINES",
    "ActionHistogram",
    "Baseline",
    "Chance",
    "FirstObservation",
    "ObservationClassifier",
    "register_baseline",
]
