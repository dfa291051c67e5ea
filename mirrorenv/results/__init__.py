"""Run folders, result folders, statistics, reports and leaderboards."""

from mirrorenv.lazy import facade

# Opening a run folder does not import matplotlib.
__getattr__, __dir__, __all__ = facade(
    __name__,
    __file__,
    renamed={
        "format_table": "over_seeds(...).estimate, whose text has the interval",
        "paired": "compare_with",
        "summarise": "over_seeds",
    },
)
