"""How complex a model is: weight spread, norms, ranks, curvature, the local learning coefficient.

Usable on any torch model; nothing here knows a population.
"""
