"""The test itself: trajectory, lineup, belief, score, reward and the exact limit. NumPy and SciPy
only."""

from mirrorenv.lazy import facade

# A command that prints its help, or says what is wrong with a setting, needs no SciPy.
__getattr__, __dir__, __all__ = facade(
    __name__, __file__, renamed={"masked_law": "masked_policy", "noisy_law": "noisy_policy"}
)
