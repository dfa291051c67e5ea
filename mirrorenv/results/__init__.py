"""Run folders, result folders, statistics, reports and leaderboards."""

from mirrorenv.lazy import facade

# Opening a run folder does not import matplotlib.
__getattr__, __dir__, __all__ = facade(__name__, __file__)
