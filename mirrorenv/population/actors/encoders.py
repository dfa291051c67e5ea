"""What network actors see with: stacks of S networks from observations to hidden states.

An encoder is named by `population.actor`: one registered here, or `package.module:Encoder`,
your own `nn.Module`, of which N are made and run as one (:class:`StackedEncoder`).

Shapes: S stack (N separate networks, or 1 shared), R rows of one network, T time, F input features,
H hidden, M memory.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from mirrorenv.errors import ConfigError
from mirrorenv.population.layers import StackedGRU, StackedMLP

__all__ = [
    "ENCODERS",
    "Encoder",
    "EncoderFactory",
    "StackedEncoder",
    "load_code",
    "register_encoder",
    "sequence_layers",
    "stacked",
    "step_layers",
]


class Encoder(Protocol):
    """S independent networks."""

    state_size: int
    """M, numbers that one row of one network remembers; 0 for none."""

    def sequence(self, rows: Tensor) -> Tensor:
        """Whole episodes from empty memory: (S, T, R, F) -> (S, T, R, H)."""

    def step(self, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One step: (S, R, F), state (S, R, M) -> hidden (S, R, H), next state (S, R, M)."""


def sequence_layers(encoder: Any, rows: Tensor) -> dict[str, Tensor]:
    """Every hidden layer that an encoder shows, by name and from the first to the last, "trunk".

    An encoder with a method `sequence_layers` shows earlier ones, too.

    Args:
        encoder: an `Encoder`.
        rows: (S, T, R, F).

    Returns:
        (S, T, R, H) each.
    """
    if hasattr(encoder, "sequence_layers"):
        return cast("dict[str, Tensor]", encoder.sequence_layers(rows))
    return {"trunk": encoder.sequence(rows)}


def step_layers(encoder: Any, rows: Tensor, state: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """One step as `sequence_layers`, by the encoder's `step_layers` where it has one.

    Args:
        encoder: an `Encoder`.
        rows: (S, R, F).
        state: (S, R, M).

    Returns:
        (S, R, H) each, by name, and the next state (S, R, M).
    """
    if hasattr(encoder, "step_layers"):
        return cast("tuple[dict[str, Tensor], Tensor]", encoder.step_layers(rows, state))
    hidden, state = encoder.step(rows, state)
    return {"trunk": hidden}, state


EncoderFactory = Callable[[int, int, int, torch.Generator], nn.Module]
"""(S, F, H, generator of the initial weights) -> an `Encoder` that is a module."""
ENCODERS: dict[str, EncoderFactory] = {"mlp": StackedMLP, "gru": StackedGRU}


def register_encoder(name: str) -> Callable[[EncoderFactory], EncoderFactory]:
    """Decorator: make an encoder available under `population.actor = name`."""

    def add(factory: EncoderFactory) -> EncoderFactory:
        ENCODERS[name] = factory
        return factory

    return add


def load_code(path: str) -> type[nn.Module]:
    """The class that `package.module:Name` names.

    Raises:
        ConfigError: if it cannot be imported or is no `nn.Module` class.
    """
    module, _, name = path.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"population.actor = {path!r} cannot be imported: {error}") from error
    if not isinstance(found, type) or not issubclass(found, nn.Module):
        raise ConfigError(f"population.actor = {path!r}: expected a class of torch.nn.Module")
    return found


def stacked(made: type[nn.Module]) -> EncoderFactory:
    """The encoder that stacks modules of this class."""

    def make(stack: int, features: int, hidden: int, generator: torch.Generator) -> nn.Module:
        return StackedEncoder(made, stack, features, hidden, generator)

    return make


class StackedEncoder(nn.Module):
    """S modules of somebody else's class as one: `torch.func.stack_module_state` and `vmap`.

    The class is made as `Encoder(features, hidden)`. Its `forward` takes rows (R, F) and gives
    (R, H). If the module has an attribute `state_size` above 0 it remembers: `forward` takes
    rows (R, F) and state (R, M), zeros at first, and gives hidden (R, H) and the next state. There
    it must neither draw random numbers nor change buffers.

    Its initial weights come from torch's global random state, which is seeded from `generator`
    while the modules are made and put back afterwards.

    Args:
        made: the class.
        stack: S.
        features: F.
        hidden: H.
        generator: source of the initial weights.

    Raises:
        ConfigError: if it cannot be made that way, or does not give (R, H).
    """

    def __init__(
        self,
        made: type[nn.Module],
        stack: int,
        features: int,
        hidden: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self._name = f"{made.__module__}:{made.__qualname__}"
        modules = [self._make(made, features, hidden, generator) for _ in range(stack)]
        self.state_size = int(getattr(modules[0], "state_size", 0))
        parameters, buffers = stack_module_state(modules)
        # one module whose parameters carry the stack: their names are those of the class
        self.stacked = copy.deepcopy(modules[0])
        for name, value in parameters.items():
            _replace(self.stacked, name, nn.Parameter(value.detach().clone()))
        for name, buffer in buffers.items():
            _replace(self.stacked, name, buffer.detach().clone())
        self._check(stack, features, hidden)

    def sequence(self, rows: Tensor) -> Tensor:
        """See `Encoder.sequence`."""
        stack, time, count, features = rows.shape
        if not self.state_size:
            flat = self._through(rows.reshape(stack, time * count, features))
            return cast(Tensor, flat).view(stack, time, count, -1)
        state = rows.new_zeros(stack, count, self.state_size)
        steps = []
        for t in range(time):
            hidden, state = self.step(rows[:, t], state)
            steps.append(hidden)
        return torch.stack(steps, 1)

    def step(self, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """See `Encoder.step`."""
        if not self.state_size:
            return cast(Tensor, self._through(rows)), state
        return cast("tuple[Tensor, Tensor]", self._through(rows, state))

    def _through(self, *inputs: Tensor) -> Any:
        """Every input (S, R, ...) through the network of its place in the stack."""

        def one(weights: Any, buffers: Any, *rows: Tensor) -> Any:
            return functional_call(self.stacked, (weights, buffers), rows)

        weights = dict(self.stacked.named_parameters())
        return vmap(one)(weights, dict(self.stacked.named_buffers()), *inputs)

    def _make(
        self, made: type[nn.Module], features: int, hidden: int, generator: torch.Generator
    ) -> nn.Module:
        seed = int(torch.randint(2**62, (), generator=generator))
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                return made(features, hidden)
        except TypeError as error:
            raise ConfigError(
                f"{self._name} is made as Encoder(features, hidden), here ({features}, {hidden}): "
                f"{error}"
            ) from error

    def _check(self, stack: int, features: int, hidden: int) -> None:
        rows = torch.zeros(stack, 2, features)
        with torch.no_grad():
            given = self.step(rows, torch.zeros(stack, 2, self.state_size))[0]
        if not isinstance(given, Tensor) or given.shape != (stack, 2, hidden):
            shape = tuple(given.shape[1:]) if isinstance(given, Tensor) else type(given).__name__
            raise ConfigError(
                f"{self._name}: forward must turn rows (R, {features}) into (R, {hidden}), "
                f"got {shape} for R = 2"
            )


def _replace(module: nn.Module, name: str, value: Tensor) -> None:
    """Put another tensor in the place of a parameter or buffer, by its dotted name."""
    *path, last = name.split(".")
    for part in path:
        module = getattr(module, part)
    if isinstance(value, nn.Parameter):
        module.register_parameter(last, value)
    else:
        module.register_buffer(last, value)
