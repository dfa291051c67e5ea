"""A causal language model as the host of objectives: the hidden states of any of its layers.

Shapes: B sequences, T places, H width.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from mirrorenv.errors import ConfigError
from mirrorenv.population.objectives.base import Hidden, Host

__all__ = ["language_host", "language_states"]


def language_host(model: nn.Module) -> Host:
    """What objectives are told of a model of `transformers`.

    Its layers are called `embedding`, `layer-1` and so on to the last, which is read if nothing is
    said. There are no actions: the token that is written is part of the next place.

    Args:
        model: causal; its configuration says how many layers there are and how wide they are.

    Raises:
        ConfigError: if it has no such configuration.
    """
    config = getattr(model, "config", None)
    layers = getattr(config, "num_hidden_layers", None)
    width = getattr(config, "hidden_size", None)
    if not isinstance(layers, int) or not isinstance(width, int):
        raise ConfigError(
            f"language_host: {type(model).__name__} has no config with num_hidden_layers and "
            "hidden_size; describe its layers yourself with objectives.Host"
        )
    return Host(layers=dict.fromkeys(_names(layers + 1), width), module=model)


def language_states(hidden_states: Sequence[Tensor]) -> Hidden:
    """What objectives read of the model's answer.

    Args:
        hidden_states: (B, T, H) each, as the model gives them with `output_hidden_states=True`: the
            embedding first.
    """
    by_name = zip(_names(len(hidden_states)), hidden_states, strict=True)
    return Hidden({name: states.unsqueeze(2) for name, states in by_name})


def _names(count: int) -> list[str]:
    return ["embedding", *(f"layer-{number}" for number in range(1, count))]
