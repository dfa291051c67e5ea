"""Observers that are not trained with the population: one class and one `@register_baseline(...)`
each."""

from mirrorenv.population.observers.baselines.base import Baseline
from mirrorenv.population.observers.baselines.counting import (
    ActionHistogram,
    Chance,
    FirstObservation,
)
from mirrorenv.population.observers.baselines.eoi import ObservationClassifier
from mirrorenv.population.observers.registry import BASELINES, register_baseline

__all__ = [
    "BASELINES",
    "ActionHistogram",
    "Baseline",
    "Chance",
    "FirstObservation",
    "ObservationClassifier",
    "register_baseline",
]
