"""Who acts and who recognises, in torch: actors, observer heads, baselines, losses, evaluation,
checkpoints."""

from mirrorenv.lazy import facade

# Settings are read in places that have no torch.
__getattr__, __dir__, __all__ = facade(
    __name__, __file__, needs={"torch": "train", "safetensors": "train"}
)
